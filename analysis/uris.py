"""Uniform resource identifiers of documents and folders, and the paths they mean; it opens no file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit


def path_of(uri: str) -> Path | None:
    """The path of a file URI; none for anything else."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme != "file" or not parts.path:
        return None
    path = _native(parts.path)
    return None if "\0" in path else Path(path)


def innermost(uri: str, folders: Iterable[str]) -> str:
    """The longest of ``folders`` (URIs) that holds ``uri``; empty where none does."""
    return max((folder for folder in folders if is_within(uri, folder)), key=len, default="")


def is_within(uri: str, folder: str) -> bool:
    uri, folder = unquote(uri), unquote(folder).rstrip("/")
    return uri == folder or uri.startswith(folder + "/")


def _native(path: str) -> str:
    if os.name == "nt":
        # Imported here: it loads a client for HTTP, which takes a twentieth of a second.
        from urllib.request import url2pathname

        return url2pathname(path)
    return unquote(path)
