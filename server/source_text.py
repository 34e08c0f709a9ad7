"""Files of the user as they are on disk, and edits to them that keep line ends and are written in one step; it decides no edit."""

from __future__ import annotations

import difflib
import os
import tempfile
from pathlib import Path

from assist.analysis.document import plain
from assist.analysis.errors import AnalysisError
from assist.analysis.rules.splice import change_between, split_lines, with_change

ENCODING = "utf-8"


class FileChangedError(AnalysisError):
    """A file is not what it was when it was read; nothing was written."""


def read_text(path: Path) -> str:
    """Text with its own line ends; bytes that are no UTF-8 survive a round trip."""
    return path.read_bytes().decode(ENCODING, "surrogateescape")


def with_line_ends(raw: str, after: str) -> str:
    """``after`` (plain line ends) in the line ends of ``raw``; lines that did not change keep their own."""
    old, new = split_lines(raw), split_lines(after)
    newline = "\r\n" if raw.count("\r\n") * 2 > raw.count("\n") else "\n"
    matcher = difflib.SequenceMatcher(None, [plain(line) for line in old], new, autojunk=False)
    parts: list[str] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            parts.extend(old[i1:i2])
        else:
            parts.extend(line.replace("\n", newline) for line in new[j1:j2])
    return "".join(parts)


def combined(before: str, changes: list[tuple[str, str]]) -> tuple[str, list[str]]:
    """One text with the changes of several functions, and the functions whose change did not fit.

    ``changes`` are pairs of a qualified name and the whole text with that function changed.
    """
    text = before
    left_out: list[str] = []
    for qualname, after in changes:
        if text == before:
            text = after
            continue
        change = change_between(before, after, qualname)
        together = with_change(text, qualname, change) if change is not None else None
        if together is None:
            left_out.append(qualname)
        else:
            text = together
    return text, left_out


def patch(name: str, before: str, after: str) -> str:
    """A unified diff that ``git apply`` takes; empty where nothing differs."""
    lines = difflib.unified_diff(_lines(before), _lines(after), f"a/{name}", f"b/{name}")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def write_text(path: Path, expected: str, text: str) -> None:
    """Replace the file's text in one step, its mode kept.

    Raises :class:`FileChangedError` where it no longer holds ``expected``, or cannot be written.
    """
    try:
        if read_text(path) != expected:
            raise FileChangedError(f"{path} changed meanwhile and was left alone. Run it again.")
        mode = path.stat().st_mode & 0o7777
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode(ENCODING, "surrogateescape"))
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(mode)
            Path(name).replace(path.resolve())
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FileChangedError(f"{path} cannot be written: {error.strerror}.") from error


def _lines(text: str) -> list[str]:
    """Lines with their ends; only line feeds end lines, as git counts them."""
    parts = text.split("\n")
    lines = [f"{part}\n" for part in parts[:-1]]
    return lines + ([parts[-1]] if parts[-1] else [])
