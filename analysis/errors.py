"""Errors that analysis raises at its edges; each message says what to do, and user code never causes one by being broken."""

from __future__ import annotations


class AnalysisError(Exception):
    """Base of everything that analysis raises on purpose."""


class SandboxUnavailable(AnalysisError):
    """This machine cannot isolate code well enough, or the worker could not be started; nothing was run."""


class Cancelled(AnalysisError):
    """The caller asked to stop; nothing is left running."""


class GitError(AnalysisError):
    """git cannot answer; the message says what to do instead."""


class TargetError(AnalysisError):
    """A file or function that was named does not exist or cannot be read."""
