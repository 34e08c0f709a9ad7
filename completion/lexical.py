"""Finds open brackets and strings in a piece of code without parsing it; it never needs the code to be complete."""

from __future__ import annotations

import re
from dataclasses import dataclass

CLOSERS = {"(": ")", "[": "]", "{": "}"}
HASH_COMMENT_LANGUAGES = frozenset(
    {"python", "ruby", "shellscript", "yaml", "toml", "perl", "r", "makefile", "dockerfile"}
)
# Without brackets and strings of code: prose and markup end at their lines.
PROSE_LANGUAGES = frozenset({"markdown", "plaintext", "restructuredtext", "latex"})

_HASH = re.compile(
    r"""(?P<long>\"{3}(?:\\.|[^\\])*?(?:\"{3}|\Z)|'{3}(?:\\.|[^\\])*?(?:'{3}|\Z))"""
    r"""|(?P<short>"(?:\\.|[^"\\\n])*(?:"|(?=\n)|\Z)|'(?:\\.|[^'\\\n])*(?:'|(?=\n)|\Z))"""
    r"""|(?P<comment>\#[^\n]*)|(?P<bracket>[()\[\]{}])""",
    re.DOTALL,
)
_SLASH = re.compile(
    r"""(?P<long>`(?:\\.|[^`\\])*(?:`|\Z)|/\*.*?(?:\*/|\Z))"""
    r"""|(?P<short>"(?:\\.|[^"\\\n])*(?:"|(?=\n)|\Z)|'(?:\\.|[^'\\\n])*')"""
    r"""|(?P<comment>//[^\n]*)|(?P<bracket>[()\[\]{}])""",
    re.DOTALL,
)


@dataclass(frozen=True)
class Lexed:
    """What a text leaves open at its end.

    ``stack`` holds the offsets of unclosed openers, outermost first; ``unmatched`` the offsets
    of closers that close nothing; ``string`` the quotes of an unclosed string or an empty text;
    ``comment`` whether the text ends inside a comment.
    """

    stack: tuple[int, ...]
    unmatched: tuple[int, ...]
    string: str
    comment: bool

    @property
    def depth(self) -> int:
        return len(self.stack)

    @property
    def imbalance(self) -> int:
        return len(self.stack) + len(self.unmatched)


def lex(text: str, language: str = "python") -> Lexed:
    """Brackets and strings that ``text`` leaves open; a closer pops only an opener of its kind."""
    if language in PROSE_LANGUAGES:
        return Lexed((), (), "", False)
    pattern = _HASH if language in HASH_COMMENT_LANGUAGES else _SLASH
    stack: list[int] = []
    unmatched: list[int] = []
    string, comment = "", False
    for match in pattern.finditer(text):
        if match["bracket"]:
            _push(text, match.start(), stack, unmatched)
        elif match.end() == len(text):
            comment = bool(match["comment"]) or match[0].startswith("/*")
            string = "" if comment else _open_quote(match[0])
    return Lexed(tuple(stack), tuple(unmatched), string, comment)


def _push(text: str, offset: int, stack: list[int], unmatched: list[int]) -> None:
    bracket = text[offset]
    if bracket in CLOSERS:
        stack.append(offset)
    elif stack and CLOSERS[text[stack[-1]]] == bracket:
        stack.pop()
    else:
        unmatched.append(offset)


def _open_quote(literal: str) -> str:
    for quote in ('"""', "'''"):
        if literal.startswith(quote):
            closed = len(literal) >= 6 and literal.endswith(quote)
            return "" if closed else quote
    closed = len(literal) >= 2 and literal.endswith(literal[0])
    if closed and len(literal) > 2:
        backslashes = len(literal[:-1]) - len(literal[:-1].rstrip("\\"))
        closed = backslashes % 2 == 0
    return "" if closed else literal[0]
