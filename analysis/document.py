"""Text of one open file as an immutable value with code-point offsets; it never knows an editor's encoding."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

_NEWLINE = re.compile("\n")
_ANY_LINE_END = re.compile("\r\n|\n|\r")


@dataclass(frozen=True, order=True)
class Position:
    """A place in a document: 0-based line, 0-based column in code points."""

    line: int
    column: int


@dataclass(frozen=True, order=True)
class Span:
    """Half-open range of code-point offsets, ``start <= end``."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Edit:
    """Replace the text of ``span`` by ``text``."""

    span: Span
    text: str


@dataclass(frozen=True)
class Document:
    """One version of one file.

    ``language`` is the editor's language id (``python``, ``rust``, …); lines end with
    ``\\n``, ``\\r\\n`` or ``\\r``, as the Language Server Protocol counts them.
    """

    uri: str
    text: str
    version: int = 0
    language: str = "python"

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        """Offset of the first code point of every line; never empty."""
        return (0, *_line_starts(self.text))

    @property
    def line_count(self) -> int:
        return len(self.line_starts)

    def line_span(self, line: int) -> Span:
        """Span of a line without its line end; an empty span at the end for a line that does not exist."""
        starts = self.line_starts
        if line < 0:
            return Span(0, 0)
        if line >= len(starts):
            return Span(len(self.text), len(self.text))
        end = starts[line + 1] if line + 1 < len(starts) else len(self.text)
        while end > starts[line] and self.text[end - 1] in "\r\n":
            end -= 1
        return Span(starts[line], end)

    def line_text(self, line: int) -> str:
        span = self.line_span(line)
        return self.text[span.start : span.end]

    def offset_at(self, position: Position) -> int:
        """Offset of a position, clamped to the line and to the document."""
        if position.line < 0:
            return 0
        span = self.line_span(position.line)
        return min(span.start + max(position.column, 0), span.end)

    def position_at(self, offset: int) -> Position:
        """Position of an offset, clamped to the document."""
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(self.line_starts, offset) - 1
        return Position(line, offset - self.line_starts[line])

    def apply(self, edits: Iterable[Edit], version: int | None = None) -> Document:
        """The document after ``edits``, each relative to the text the one before it left."""
        document = self
        for edit in edits:
            document = document._with(edit)
        return replace_version(document, self.version + 1 if version is None else version)

    def _with(self, edit: Edit) -> Document:
        start = min(max(edit.span.start, 0), len(self.text))
        end = min(max(edit.span.end, start), len(self.text))
        text = self.text[:start] + edit.text + self.text[end:]
        changed = replace(self, text=text)
        if "line_starts" in self.__dict__:
            # Splitting megabytes again for every keystroke would be felt.
            changed.__dict__["line_starts"] = _moved(self.line_starts, text, start, end, edit.text)
        return changed


def replace_version(document: Document, version: int) -> Document:
    """The same text under another version."""
    changed = replace(document, version=version)
    if "line_starts" in document.__dict__:
        changed.__dict__["line_starts"] = document.line_starts
    return changed


def plain(text: str) -> str:
    """Text with ``\\n`` for every line end, as Python reads it."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _line_starts(text: str, start: int = 0, end: int | None = None) -> Iterator[int]:
    """Starts of the lines whose ends lie in ``text[start:end]``."""
    end = len(text) if end is None else end
    lone = text.count("\r", start, end) != text.count("\r\n", start, end)
    pattern = _ANY_LINE_END if lone else _NEWLINE
    return (match.end() for match in pattern.finditer(text, start, end))


def _moved(starts: tuple[int, ...], text: str, start: int, end: int, new: str) -> tuple[int, ...]:
    """Line starts after ``new`` replaced ``[start, end)``; ``text`` is the text afterwards."""
    delta = len(new) - (end - start)
    # One character more on both sides, because "\r" and "\n" may have met or parted.
    first = bisect_right(starts, max(start - 1, 0)) - 1
    last = bisect_right(starts, end + 1)
    begin = starts[first]
    stop = starts[last] + delta if last < len(starts) else len(text)
    middle = tuple(_line_starts(text, begin, stop))
    tail = starts[last + 1 :]
    if delta:
        tail = tuple([position + delta for position in tail])
    return starts[: first + 1] + middle + tail
