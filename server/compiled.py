"""Keeps the methods that attrs writes for the protocol's types compiled between starts, as Python keeps modules; a missing or damaged file only costs time."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import marshal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

from assist.cache.paths import cache_directory, write_private

SOURCES_MAX = 4096
BYTES_MAX = 16 << 20


@contextlib.contextmanager
def kept_compiled() -> Iterator[None]:
    """While it is open attrs' classes take their methods from the file of the last start.

    Six hundred classes with several methods each: compiling them is a quarter of the time until
    the server answers. Code is found by its whole source, so it is never that of something else.
    """
    known = _read()
    used: dict[str, CodeType] = {}

    def compiled(source: str, *arguments: Any) -> CodeType:
        code = known.get(source) or used.get(source) or compile(source, *arguments)
        used[source] = code
        return code

    attrs = vars(importlib.import_module("attr._make"))
    attrs["compile"] = compiled
    try:
        yield
    finally:
        del attrs["compile"]
        if used.keys() - known.keys() and len(used) <= SOURCES_MAX:
            with contextlib.suppress(OSError):
                write_private(_path(), marshal.dumps(used))


def _read() -> dict[str, CodeType]:
    try:
        with _path().open("rb") as file:
            found = marshal.loads(file.read(BYTES_MAX))
    except (OSError, ValueError, EOFError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _path() -> Path:
    version = f"{sys.implementation.cache_tag}-{importlib.util.MAGIC_NUMBER.hex()}"
    return cache_directory() / f"attrs.{version}.code"
