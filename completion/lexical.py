"""Finds open brackets and strings in a piece of code without parsing it; it never needs the code to be complete."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from assist.analysis.languages import LANGUAGES, Language

CLOSERS = {"(": ")", "[": "]", "{": "}"}
BRACKETS = frozenset("()[]{}")
# Languages without a grammar here whose comments start with "#".
HASH_COMMENT_LANGUAGES = frozenset(
    {"ruby", "shellscript", "yaml", "toml", "perl", "r", "makefile", "dockerfile"}
)
# "'" quotes one character here.
CHARACTER_LANGUAGES = frozenset({"c", "cpp", "go", "java", "rust"})
# Brackets and quotes of these are punctuation of sentences.
PROSE_LANGUAGES = frozenset({"markdown", "plaintext", "restructuredtext", "latex", "git-commit"})


@dataclass(frozen=True)
class Lexed:
    """What a text leaves open at its end.

    ``stack`` holds the offsets of unclosed openers, outermost first; ``unmatched`` the offsets
    of closers that close nothing; ``string`` the quotes of an unclosed string or an empty text;
    ``comment`` whether the text ends inside a comment.
    """

    stack: tuple[int, ...] = ()
    unmatched: tuple[int, ...] = ()
    string: str = ""
    comment: bool = False

    @property
    def imbalance(self) -> int:
        return len(self.stack) + len(self.unmatched)

    @property
    def continues(self) -> bool:
        """Whether the next line belongs to the same statement."""
        return bool(self.stack) or len(self.string) == 3 or self.string == "`"


def lex(text: str, language: str) -> Lexed:
    """What ``text`` leaves open; a closer pops only an opener of its kind."""
    if language in PROSE_LANGUAGES:
        return Lexed()
    stack: list[int] = []
    unmatched: list[int] = []
    string, comment = "", False
    for match in _pattern(language).finditer(text):
        start = match.start()
        bracket = text[start]
        if bracket in CLOSERS:
            stack.append(start)
        elif bracket in BRACKETS:
            if stack and CLOSERS[text[stack[-1]]] == bracket:
                stack.pop()
            else:
                unmatched.append(start)
        elif match.end() == len(text):
            comment = match["comment"] is not None and not match[0].endswith("*/")
            closed = match["comment"] or match["long_end"] or match["short_end"]
            string = "" if closed else match["long"] or match["short"]
    return Lexed(tuple(stack), tuple(unmatched), string, comment)


@lru_cache(maxsize=32)
def _pattern(language: str) -> re.Pattern[str]:
    entry = LANGUAGES.get(language)
    if entry is None:
        marker = "#" if language in HASH_COMMENT_LANGUAGES else "//"
        entry = Language(language, "", line_comment=marker, block_comment=None)
    long_quotes = "|".join(map(re.escape, sorted(entry.multiline_quotes, reverse=True))) or "(?!)"
    apostrophe = "'"
    if entry.name in CHARACTER_LANGUAGES:
        # Elsewhere it is a lifetime or a digit separator.
        apostrophe = r"'(?=(?:\\[^\n]{1,9}|[^'\\\n])')"
    comments = [rf"{re.escape(entry.line_comment)}[^\n]*"]
    if entry.block_comment:
        opening, ending = map(re.escape, entry.block_comment)
        comments.insert(0, rf"{opening}.*?(?:{ending}|\Z)")
    return re.compile(
        rf"(?P<comment>{'|'.join(comments)})"
        rf"|(?P<long>{long_quotes})(?:\\.|(?!(?P=long)).)*(?P<long_end>(?P=long))?"
        rf"|(?P<short>\"|{apostrophe})(?:\\.|(?!(?P=short))[^\\\n])*(?P<short_end>(?P=short))?"
        r"|[()\[\]{}]",
        re.DOTALL,
    )
