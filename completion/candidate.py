"""Trims an answer so that it fits between prefix and suffix, or drops it; it never adds text the model did not write."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from string import ascii_letters, digits

from assist.analysis.document import Span
from assist.completion.lexical import CLOSERS, Lexed, lex
from assist.completion.stop import indentation

# Lines of the suffix that may close brackets of the prefix, or be repeated by an answer.
FOLLOWING_LINES_MAX = 20
REPEATED_LINES_MAX = 3

_LAST_TOKEN = re.compile(r"(?:\w+|[^\w\s])\Z")
# Words that end a statement, and words that something has to follow.
_ENDS = frozenset({"None", "True", "False", "return", "pass", "break", "continue", "raise"})
_WAITING = frozenset(keyword.kwlist) - _ENDS


@dataclass(frozen=True)
class Candidate:
    """A proposal: ``text`` replaces ``span`` of the document; ``score`` is in 0..1, best first."""

    text: str
    span: Span
    score: float
    origin: str = "model"


@dataclass(frozen=True)
class Place:
    """The text around a cursor; ``wanted_indentation`` is the column where a statement belongs."""

    prefix: str
    suffix: str
    language: str = "python"
    wanted_indentation: int = 0

    @cached_property
    def line_prefix(self) -> str:
        return self.prefix[self.prefix.rfind("\n") + 1 :]

    @cached_property
    def line_rest(self) -> str:
        return self.suffix.partition("\n")[0].rstrip("\r")

    @cached_property
    def following(self) -> tuple[str, ...]:
        """First non-blank lines below the cursor's line."""
        lines = self.suffix.split("\n", FOLLOWING_LINES_MAX)[1:FOLLOWING_LINES_MAX]
        return tuple(line.rstrip() for line in lines if line.strip())

    @cached_property
    def before(self) -> Lexed:
        return lex(self.prefix, self.language)

    @cached_property
    def closers_below(self) -> str:
        """Closers in the suffix that close nothing of the suffix, nearest first."""
        head = "\n".join(self.suffix.split("\n", FOLLOWING_LINES_MAX)[:FOLLOWING_LINES_MAX])
        return "".join(head[offset] for offset in lex(head, self.language).unmatched)


def fit(text: str, place: Place, *, finished: bool = True) -> str:
    """``text`` trimmed to its place; empty where nothing worth showing is left.

    An answer that is not ``finished`` loses its last line, or its last word if it is one line.
    """
    if not finished:
        lines, newline, last = text.rpartition("\n")
        text = lines if newline and lines.strip() else _without_last_word(last)
    for step in STEPS:
        text = step(text, place)
        if not text.strip():
            return ""
    return text


def _without_last_word(line: str) -> str:
    return line.rstrip().rstrip("_" + ascii_letters + digits)


def without_last_operand(text: str, place: Place) -> str:
    """The text without its last word, number or bracket, and without what then waits for one."""
    return complete_part(_LAST_TOKEN.sub("", text.rstrip()), place)


def complete_part(text: str, place: Place) -> str:
    """The text up to its last operand: without operators, openers and keywords at the end that
    wait for one, and without a string that it opens and does not close."""
    while text:
        text = text.rstrip()
        last = _LAST_TOKEN.search(text)
        if last is None:
            return text
        if not _cuts_string(text, place) and (
            last[0] in _ENDS or (last[0] not in _WAITING and _is_operand(last[0]))
        ):
            return text
        text = text[: last.start()]
    return text


def _cuts_string(text: str, place: Place) -> bool:
    """Whether a string that was closed at the cursor is open after ``text``."""
    if place.before.string:
        return False
    return bool(lex(place.line_prefix + text, place.language).string)


def _is_operand(token: str) -> bool:
    return token[0].isalnum() or token[0] in "_)]}'\""


def _line_ends(text: str, place: Place) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\x00", "")


def _first_indentation(text: str, place: Place) -> str:
    """On an empty line no blanks before the code: the cursor's column is the indentation."""
    if (
        place.line_prefix.strip()
        or text[:1] not in " \t"
        or place.wanted_indentation > indentation(place.line_prefix)
    ):
        return text
    return text.lstrip(" \t")


def _end_blanks(text: str, place: Place) -> str:
    return text if place.line_rest.strip() else text.rstrip()


def _overlap(text: str, place: Place) -> str:
    """The rest of the line is not written twice, where leaving it out keeps brackets balanced."""
    rest = place.line_rest.strip()
    if not rest:
        return text
    line = text.rstrip()

    def imbalance(end: int) -> int:
        lexed = lex(place.line_prefix + line[:end] + place.line_rest, place.language)
        return lexed.imbalance + bool(lexed.string)

    whole = imbalance(len(line))
    for length in range(min(len(rest), len(line)), 0, -1):
        if not line.endswith(rest[:length]):
            continue
        cut = imbalance(len(line) - length)
        telling = length == len(rest) or any(c.isalnum() for c in rest[:length])
        if cut < whole or (cut == whole and telling):
            kept = line[: len(line) - length]
            return kept.rstrip() if place.line_rest[0].isspace() else kept
    return text


def _closers(text: str, place: Place) -> str:
    """Cut before the first closer that closes nothing, or that the suffix already has."""
    stack = place.before.stack
    if place.before.string:
        return text
    own = [CLOSERS[place.prefix[offset]] for offset in stack]
    # Closers of the suffix belong to the outermost brackets of the prefix.
    taken = place.closers_below
    free = list(own)
    for closer in reversed(taken):
        if free and free[0] == closer:
            del free[0]
    for offset in lex(text, place.language).unmatched:
        if not free or free[-1] != text[offset]:
            return text[:offset].rstrip() if "\n" in text[:offset] else text[:offset]
        free.pop()
    return text


def _following_lines(text: str, place: Place) -> str:
    """Lines at the end that stand below the cursor already are cut; a lone copy is dropped."""
    following = place.following
    if not following:
        return text
    whole = (place.line_prefix + text).split("\n")
    lines = [line.rstrip() for line in whole]
    for count in range(min(len(lines), len(following)), 0, -1):
        if lines[-count:] == list(following[:count]) and _telling(lines[-count:]):
            kept = whole[: len(whole) - count]
            return "\n".join(kept)[len(place.line_prefix) :] if kept else ""
    return text


def _telling(lines: list[str]) -> bool:
    """Whether the lines say enough to be called a copy: `return x` does, `)` alone too."""
    return any(line.strip() for line in lines)


def _repeated_lines(text: str, place: Place) -> str:
    lines = text.split("\n")
    for index in range(len(lines)):
        same = 1
        while (
            lines[index].strip()
            and index + same < len(lines)
            and lines[index + same] == lines[index]
        ):
            same += 1
        if same >= REPEATED_LINES_MAX:
            return "\n".join(lines[: index + 1])
    return text


def _trivial(text: str, place: Place) -> str:
    """Nothing to show where the answer is only what the line has already."""
    return "" if text.strip() == place.line_rest.strip() else text


STEPS: tuple[Callable[[str, Place], str], ...] = (
    _line_ends,
    _first_indentation,
    _overlap,
    _closers,
    _repeated_lines,
    _following_lines,
    _trivial,
    _end_blanks,
)
