"""Between the Language Server Protocol's types and ours; the only file that knows position encodings, and it decides nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, cast

from lsprotocol import types as lsp

from assist.analysis.document import Document, Edit, Position, Span

Encoding = Literal["utf-8", "utf-16", "utf-32"]
CODECS: dict[Encoding, str] = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
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


def edits_from(
    document: Document,
    changes: Sequence[lsp.TextDocumentContentChangeEvent],
    encoding: Encoding,
) -> tuple[Document, tuple[Edit, ...]]:
    """The document after ``changes``, and the edits, each relative to what the one before it left."""
    edits: list[Edit] = []
    for change in changes:
        text = joined_surrogates(change.text)
        if isinstance(change, lsp.TextDocumentContentChangePartial):
            edit = Edit(span_from(document, change.range, encoding), text)
        else:
            edit = Edit(Span(0, len(document.text)), text)
        edits.append(edit)
        document = document.apply([edit], version=document.version)
    return document, tuple(edits)


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
