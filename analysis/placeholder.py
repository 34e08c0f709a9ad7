"""The document with a placeholder instead of the statement at the cursor, so that what analysis learned outlives each keystroke in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from assist.analysis.document import Document, Position
from assist.analysis.lexer import LexState, StatementIndex, TokenKind, feed
from assist.analysis.monitors.blocks import open_blocks, width_of

PLACEHOLDER = "___"
AFTER_CODE_POINTS_MAX = 4_000
INDENT_STEP = 4
_OPENERS = frozenset("([{")
_CLOSERS = frozenset(")]}")


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
    line_end = text.find("\n", offset)
    line_end = len(text) if line_end < 0 else line_end
    for at in index.starts:
        if at > offset - start:
            end = start + at - 1
            return end if _goes_on(text[start:line_end], text[line_end:end]) else line_end
    return line_end


def _goes_on(statement: str, following: str) -> bool:
    """Whether the lines after a statement's line close what it leaves open, and so belong to it."""
    state, _ = feed(LexState(), statement)
    if state.in_text or statement.rstrip().endswith("\\"):
        return True
    depth = 0
    for token in feed(LexState(), following, last=True)[1]:
        if token.kind is TokenKind.OPERATOR:
            depth += (token.text in _OPENERS) - (token.text in _CLOSERS)
            if depth < 0:
                return True
    return False
