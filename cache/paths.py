"""Where state lives on this machine, private to its user; it never reads or interprets what is stored there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import platformdirs

APPLICATION = "assist"
HOME_VARIABLE = "ASSIST_HOME"
DIRECTORY_MODE = 0o700
FILE_MODE = 0o600


def data_directory() -> Path:
    """Directory of what must not be lost (models, choices, statistics); created with mode 0700.

    ``ASSIST_HOME`` moves it, with :func:`cache_directory`, under one directory.
    """
    return private_directory(_root("data"))


def cache_directory() -> Path:
    """Directory of what can be computed again (saved keys and values, completions); mode 0700."""
    return private_directory(_root("cache"))


def models_directory() -> Path:
    """Directory of fetched and added models; mode 0700."""
    return private_directory(_root("data") / "models")


def private_directory(path: Path) -> Path:
    """Create ``path`` and its missing parents readable by the user alone; returns it."""
    if not path.is_dir():
        private_directory(path.parent)
        path.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    return path


def write_private(path: Path, *parts: bytes | bytearray | memoryview) -> None:
    """Replace ``path`` by ``parts`` in one step, mode 0600; a reader sees the old or the new file."""
    private_directory(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _root(kind: str) -> Path:
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home).expanduser().absolute() / kind
    directories = platformdirs.PlatformDirs(APPLICATION, appauthor=False)
    return Path(directories.user_data_dir if kind == "data" else directories.user_cache_dir)
