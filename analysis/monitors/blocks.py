"""The blocks that are open at a place of a Python file, found by walking up its statements; it parses nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from assist.analysis import lexer
from assist.analysis.lexer import LexState, TokenKind

HEADER_WORDS = frozenset(
    [
        "def",
        "class",
        "if",
        "elif",
        "else",
        "for",
        "while",
        "try",
        "except",
        "finally",
        "with",
        "match",
        "case",
    ]
)
STATEMENTS_MAX = 5_000

_BLANK = (TokenKind.COMMENT, TokenKind.NEWLINE, TokenKind.INDENT)
_HEADER = re.compile(r"(?:(async)[ \t]+)?([a-z]+)\b[ \t]*([^\W\d]\w*)?")


class CodeBlock(NamedTuple):
    """An open block: the word that opened it, the columns of its header and of its body (-1: none
    yet), whether it is ``async``, and the name of a function or class."""

    word: str
    indent: int
    body: int = -1
    is_async: bool = False
    name: str = ""


def width_of(indentation: str) -> int:
    """Column that white space leads to."""
    return len(indentation.expandtabs(8))


def open_blocks(text: str, starts: Sequence[int]) -> tuple[CodeBlock, ...]:
    """Blocks that are open after the statements that begin at ``starts``, outermost first."""
    found: list[CodeBlock] = []
    limit = -1
    for index in range(len(starts) - 1, max(len(starts) - STATEMENTS_MAX, 0) - 1, -1):
        start = starts[index]
        end = starts[index + 1] if index + 1 < len(starts) else len(text)
        line_end = text.find("\n", start, end)
        line = text[start : line_end if line_end >= 0 else end]
        code = line.lstrip()
        if not code or code.startswith("#"):
            continue
        indent = width_of(line[: len(line) - len(code)])
        if limit < 0:
            # the body of a header with a statement on its line can have no second line
            found += _block(code, indent, -1 if _ends_with_colon(text[start:end]) else indent)
            limit = indent
        elif indent < limit:
            found += _block(code, indent, limit)
            limit = indent
        if indent == 0:
            break
    return tuple(reversed(found))


def _ends_with_colon(statement: str) -> bool:
    _, tokens = lexer.feed(LexState(), statement, last=True)
    code = [token for token in tokens if token.kind not in _BLANK]
    return bool(code) and code[-1].kind is TokenKind.OPERATOR and code[-1].text == ":"


def _block(code: str, indent: int, body: int) -> list[CodeBlock]:
    match = _HEADER.match(code)
    if match is None or match[2] not in HEADER_WORDS:
        return []
    name = (match[3] or "") if match[2] in ("def", "class") else ""
    return [CodeBlock(match[2], indent, body, bool(match[1]), name)]
