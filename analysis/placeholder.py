"""The document with a placeholder instead of the statement at the cursor, so that what analysis learned outlives each keystroke in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from assist.analysis.document import Document, Position
from assist.analysis.lexer import StatementIndex
from assist.analysis.monitors.blocks import open_blocks, width_of

PLACEHOLDER = "___"
AFTER_CODE_POINTS_MAX = 4_000
INDENT_STEP = 4


@dataclass(frozen=True)
class Placed:
    """A whole document whose statement at ``position`` is a placeholder name."""

    document: Document
    position: Position


def place(document: Document, offset: int, index: StatementIndex) -> Placed:
    """Replace the statement that ``offset`` is in; what follows it stays."""
    text = document.text
    start = index.start_before(text[:offset])
    end = _statement_end(text, start, offset)
    line = text[start:end]
    code = line.lstrip()
    indent = line[: len(line) - len(code)].split("\n")[-1]
    blocks = open_blocks(text[:start], index.starts[:-1])
    if blocks and blocks[-1].body < 0 and width_of(indent) <= blocks[-1].indent:
        indent = " " * (blocks[-1].indent + INDENT_STEP)
    folder, slash, name = document.uri.rpartition("/")
    clean = replace(
        document,
        # a sibling file: the same imports, and jedi keeps the two texts apart
        uri=f"{folder}{slash}{PLACEHOLDER}{name}",
        text=f"{text[:start]}{indent}{PLACEHOLDER}{text[end:]}",
    )
    return Placed(clean, clean.position_at(start + len(indent)))


def _statement_end(text: str, start: int, offset: int) -> int:
    """End of the line, or of the lines if brackets are open, that the statement ends in."""
    window = text[start : offset + AFTER_CODE_POINTS_MAX]
    index = StatementIndex()
    index.start_before(window)
    for at in index.starts:
        if at > offset - start:
            return start + at - 1
    line_end = text.find("\n", offset)
    return len(text) if line_end < 0 else line_end
