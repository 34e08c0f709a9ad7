"""Text of one open file as an immutable value with code-point offsets; it never knows an editor's encoding."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property


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
        return tuple(_line_starts(self.text))

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
        text = self.text
        for edit in edits:
            start = min(max(edit.span.start, 0), len(text))
            end = min(max(edit.span.end, start), len(text))
            text = text[:start] + edit.text + text[end:]
        return replace(self, text=text, version=self.version + 1 if version is None else version)


def _line_starts(text: str) -> Iterable[int]:
    yield 0
    index = 0
    while True:
        newline = text.find("\n", index)
        carriage = text.find("\r", index, newline if newline >= 0 else len(text))
        if carriage >= 0 and carriage + 1 != newline:
            index = carriage + 1
        elif newline >= 0:
            index = newline + 1
        else:
            return
        yield index
