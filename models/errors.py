"""Errors that models raise at their edges; each message says what to do."""

from __future__ import annotations


class ModelError(Exception):
    """Base of everything that models raise on purpose."""


class ModelFileError(ModelError):
    """A model file is missing, damaged, or of a kind that cannot be run."""


class ModelNameError(ModelError):
    """No model of this name is known or on disk."""


class ModelFetchError(ModelError):
    """A model could not be fetched; nothing on disk changed."""
