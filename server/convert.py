"""Between the Language Server Protocol's types and ours; the only file that knows position encodings, and it decides nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, cast

from lsprotocol import types as lsp

from assist.analysis.document import Document, Edit, Position, Span

Encoding = Literal["utf-8", "utf-16", "utf-32"]
CODECS: dict[Encoding, str] = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_SURROGATE = re.compile("[\ud800-\udfff]")


def encoding_of(capabilities: lsp.ServerCapabilities) -> Encoding:
    """The encoding that was agreed on; UTF-16 where nothing was said."""
    kind = capabilities.position_encoding
    return cast(Encoding, str(getattr(kind, "value", kind) or "utf-16"))


def offset_from(document: Document, position: lsp.Position, encoding: Encoding) -> int:
    """Code-point offset of a position; clamped to its line, and to the start of a character."""
    line = document.line_span(position.line)
    if position.line >= document.line_count:
        return line.end
    column = column_from_units(document.text[line.start : line.end], position.character, encoding)
    return line.start + column


def position_to(document: Document, offset: int, encoding: Encoding) -> lsp.Position:
    """Position of a code-point offset in code units of ``encoding``."""
    position = document.position_at(offset)
    start = document.line_starts[position.line]
    prefix = document.text[start : start + position.column]
    return lsp.Position(position.line, units_from_text(prefix, encoding))


def span_from(document: Document, range_: lsp.Range, encoding: Encoding) -> Span:
    start = offset_from(document, range_.start, encoding)
    return Span(start, max(start, offset_from(document, range_.end, encoding)))


def range_to(document: Document, span: Span, encoding: Encoding) -> lsp.Range:
    return lsp.Range(
        position_to(document, span.start, encoding), position_to(document, span.end, encoding)
    )


def column_from_units(line: str, units: int, encoding: Encoding) -> int:
    """Code points that lie wholly within the first ``units`` code units of ``line``."""
    if encoding == "utf-32" or line.isascii():
        return min(units, len(line))
    data = line.encode(CODECS[encoding], "surrogatepass")
    if encoding == "utf-16":
        end = min(units * 2, len(data))
        if _is_inside_pair(data, end):
            end -= 2
    else:
        end = min(units, len(data))
        while 0 < end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
    return len(data[:end].decode(CODECS[encoding], "surrogatepass"))


def units_from_text(text: str, encoding: Encoding) -> int:
    """Length of ``text`` in code units of ``encoding``."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    size = 2 if encoding == "utf-16" else 1
    return len(text.encode(CODECS[encoding], "surrogatepass")) // size


def document_from(item: lsp.TextDocumentItem) -> Document:
    return Document(item.uri, joined_surrogates(item.text), item.version, str(item.language_id))


def edit_from(
    document: Document,
    changes: Sequence[lsp.TextDocumentContentChangeEvent],
    encoding: Encoding,
) -> Edit:
    """All ``changes`` as one edit; each is relative to the text that the one before it left."""
    whole = [index for index, change in enumerate(changes) if not _is_partial(change)]
    if not whole and len(changes) == 1:
        (change,) = changes
        assert isinstance(change, lsp.TextDocumentContentChangePartial)
        span = span_from(document, change.range, encoding)
        return Edit(span, joined_surrogates(change.text))
    start = whole[-1] if whole else 0
    lines = Lines(changes[start].text if whole else document.text)
    for change in changes[start + 1 :] if whole else changes:
        assert isinstance(change, lsp.TextDocumentContentChangePartial)
        lines.replace(change.range, joined_surrogates(change.text), encoding)
    if whole:
        return Edit(Span(0, len(document.text)), joined_surrogates("".join(lines.lines)))
    return lines.edit(document)


class Lines:
    """A text as a list of its lines, in which thousands of changes are quick."""

    def __init__(self, text: str) -> None:
        self.lines = _split(text)
        # Lines at the start and at the end that no change has touched.
        self._head = self._tail = len(self.lines)

    def replace(self, range_: lsp.Range, text: str, encoding: Encoding) -> None:
        """Replace a range, clamped to what exists."""
        first, start = self._place(range_.start, encoding)
        last, end = self._place(range_.end, encoding)
        if (last, end) < (first, start):
            last, end = first, start
        text = self.lines[first][:start] + text + self.lines[last][end:]
        if first and text.startswith("\n") and self.lines[first - 1].endswith("\r"):
            first -= 1
            text = self.lines[first] + text
        self._head = min(self._head, first)
        self._tail = min(self._tail, len(self.lines) - 1 - last)
        self.lines[first : last + 1] = _split(text, is_last=last + 1 == len(self.lines))

    def edit(self, document: Document) -> Edit:
        """The edit that makes the text of ``document``, which it was, into what it is now."""
        starts = document.line_starts
        start = starts[self._head] if self._head < len(starts) else len(document.text)
        end = starts[-self._tail] if self._tail else len(document.text)
        until = len(self.lines) - self._tail
        return Edit(Span(start, max(start, end)), "".join(self.lines[self._head : until]))

    def _place(self, position: lsp.Position, encoding: Encoding) -> tuple[int, int]:
        if position.line >= len(self.lines):
            return len(self.lines) - 1, len(self.lines[-1])
        line = self.lines[position.line]
        return position.line, column_from_units(line.rstrip("\r\n"), position.character, encoding)


def _split(text: str, *, is_last: bool = True) -> list[str]:
    """Lines with their ends; the last one has none, and is left out where more lines follow."""
    parts = _LINE.findall(text)
    # The pattern also matches nothing after a last line that has no end.
    if len(parts) > 1 and (not is_last or not text.endswith(("\r", "\n"))):
        parts.pop()
    return parts


def _is_partial(change: lsp.TextDocumentContentChangeEvent) -> bool:
    return isinstance(change, lsp.TextDocumentContentChangePartial)


def joined_surrogates(text: str) -> str:
    """``text`` with two halves of a surrogate pair as the one character they are."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def place_to(document: Document, offset: int) -> dict[str, int]:
    """1-based line and column in code points, as the command line counts them."""
    position: Position = document.position_at(offset)
    return {"line": position.line + 1, "column": position.column + 1}


def _is_inside_pair(data: bytes, end: int) -> bool:
    if not 2 <= end < len(data):
        return False
    return 0xD8 <= data[end - 1] < 0xDC and 0xDC <= data[end + 1] < 0xE0
