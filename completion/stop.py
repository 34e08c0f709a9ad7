"""Says where an answer ends, from the text around the cursor and the text so far; it never looks at tokens' probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from assist.completion.lexical import HASH_COMMENT_LANGUAGES, PROSE_LANGUAGES, lex

Kind = Literal["line", "block"]

LINE_LINES_MAX = 8
BLOCK_LINES_MAX = 24
TAB_COLUMNS = 8
PERIOD_TOKENS_MAX = 24
# A short pattern repeats in honest code (`0, 0, 0`): it needs more rounds to count as a loop.
ROUNDS_SHORT, ROUNDS_LONG, PERIOD_SHORT = 6, 3, 6


@dataclass(frozen=True)
class StopRules:
    """Where an answer must end.

    ``line``: at the first line end outside brackets that the answer itself opened. ``block``:
    before the first line that is indented less than ``indent_min`` columns, or that is the
    suffix's ``next_line``; with ``paragraph`` also at the first empty line. ``opens`` says that
    the cursor stands behind a block opener, so the answer starts with a line end.
    """

    kind: Kind
    language: str
    indent_min: int
    next_line: str
    lines_max: int
    opens: bool = False
    paragraph: bool = True
    in_string: str = ""


def stop_rules(prefix: str, suffix: str, language: str, *, multiline: bool = False) -> StopRules:
    """Rules for the cursor between ``prefix`` and ``suffix``.

    An empty block is completed as a block, everything else as a line; ``multiline`` asks for a
    block wherever a line of its own starts.
    """
    line_prefix = prefix[prefix.rfind("\n") + 1 :]
    rest, _, following = suffix.partition("\n")
    next_line = next((line for line in following.split("\n") if line.strip()), "")
    lexed = lex(prefix, language)
    indent = indentation(line_prefix)
    blank_line = not line_prefix.strip()
    free = not rest.strip() and not lexed.string and not lexed.comment
    paragraph = not multiline
    if free and not blank_line and not lexed.depth and opens_block(line_prefix, language):
        if not next_line or indentation(next_line) <= indent:
            return StopRules(
                "block", language, indent + 1, next_line, BLOCK_LINES_MAX, True, paragraph
            )
    elif free and blank_line and _is_prose(language) is False:
        opener = _last_line(prefix)
        empty = opens_block(opener, language) and indentation(opener) < indent
        empty = empty and (not next_line or indentation(next_line) < indent)
        if empty or multiline:
            return StopRules(
                "block", language, indent, next_line, BLOCK_LINES_MAX, False, paragraph
            )
    return StopRules("line", language, 0, next_line, LINE_LINES_MAX, in_string=lexed.string)


def find_stop(rules: StopRules, text: str) -> int | None:
    """Length of the answer if ``text`` holds its end, none while it may go on."""
    if "\n" not in text:
        return None
    if rules.kind == "line":
        return _line_stop(rules, text)
    return _block_stop(rules, text)


def loops(tokens: Sequence[int]) -> int:
    """Tokens to cut from the end because they repeat the ones before; 0 where nothing loops."""
    for period in range(1, min(PERIOD_TOKENS_MAX, len(tokens) // ROUNDS_LONG) + 1):
        rounds = ROUNDS_SHORT if period < PERIOD_SHORT else ROUNDS_LONG
        length = period * rounds
        if len(tokens) >= length:
            tail = list(tokens[-length:])
            if tail[period:] == tail[:-period]:
                return length - period
    return 0


def indentation(line: str) -> int:
    """Columns of blanks at the start of a line; a tab goes to the next multiple of eight."""
    blanks = line[: len(line) - len(line.lstrip(" \t"))]
    return len(blanks.expandtabs(TAB_COLUMNS))


def opens_block(line: str, language: str) -> bool:
    """Whether a block is expected after this line."""
    code = line.rstrip()
    if language == "python":
        code = _without_comment(code)
        return code.endswith(":")
    if language in HASH_COMMENT_LANGUAGES or _is_prose(language):
        return code.endswith((":", "{", "("))
    return code.endswith(("{", "=>", "("))


def _without_comment(line: str) -> str:
    at = line.rfind("#")
    if at >= 0 and not lex(line[:at]).string:
        return line[:at].rstrip()
    return line


def _is_prose(language: str) -> bool:
    return language in PROSE_LANGUAGES


def _last_line(prefix: str) -> str:
    lines = prefix[: prefix.rfind("\n") + 1].rstrip().rsplit("\n", 1)
    return lines[-1]


def _line_stop(rules: StopRules, text: str) -> int | None:
    newline = text.find("\n")
    if newline == 0 or not text[:newline].strip():
        return 0
    if rules.in_string:
        return newline
    lines = 1
    while newline >= 0:
        lexed = lex(text[:newline], rules.language)
        if not lexed.depth and not (len(lexed.string) == 3):
            return newline
        lines += 1
        if lines > rules.lines_max:
            return newline
        newline = text.find("\n", newline + 1)
    return None


def _block_stop(rules: StopRules, text: str) -> int | None:
    end = offset = 0
    lines = 0
    for number, line in enumerate(text.split("\n")):
        content = line.strip()
        complete = offset + len(line) < len(text)
        inside = bool(end) and _continues(text[:end], rules.language)
        if content and number and not inside:
            if indentation(line) < rules.indent_min:
                return end
            if complete and rules.next_line and _same(line, rules.next_line):
                return end
        if not content and complete and rules.paragraph and lines and not inside:
            return end
        if content:
            end = offset + len(line.rstrip())
            lines += complete
        if lines >= rules.lines_max:
            return end
        offset += len(line) + 1
    return None


def _continues(text: str, language: str) -> bool:
    lexed = lex(text, language)
    return bool(lexed.depth) or len(lexed.string) == 3


def _same(left: str, right: str) -> bool:
    return left.rstrip() == right.rstrip()
