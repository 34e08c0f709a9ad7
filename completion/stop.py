"""Says where an answer ends, from the text around the cursor and the text so far; it never looks at tokens' probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assist.analysis.syntax import Extent, Region, Syntax, extent_at, region_at
from assist.completion.lexical import lex

LINE_LINES_MAX = 8
BLOCK_LINES_MAX = 16
FOLLOWING_CODE_POINTS_MAX = 2_000
TAB_COLUMNS = 8
PERIOD_TOKENS_MAX = 24
# A short pattern repeats in honest code (`0, 0, 0`): it needs more rounds to count as a loop.
PERIOD_SHORT_MAX = 5
ROUNDS_SHORT = 6
ROUNDS_LONG = 3


@dataclass(frozen=True)
class StopRules:
    """Where an answer must end.

    A line ends at the first line end outside brackets that the answer itself opened. A block
    ends before the first line that is indented less than ``indent_min`` columns or that is
    ``next_line``, the first line of code below the cursor; with ``paragraph`` also at the first
    empty line. ``region`` is what the cursor stands in.
    """

    extent: Extent
    region: Region
    language: str
    indent_min: int = 0
    next_line: str = ""
    paragraph: bool = True


def stop_rules(syntax: Syntax, offset: int, *, multiline: bool = False) -> StopRules:
    """Rules for a cursor; ``multiline`` asks for a block wherever a line of its own starts."""
    document = syntax.document
    region = region_at(syntax, offset)
    line_start = document.line_starts[document.position_at(offset).line]
    head = document.text[line_start:offset]
    tail = document.text[offset : offset + FOLLOWING_CODE_POINTS_MAX]
    extent = Extent.LINE if region is not Region.CODE else extent_at(document, offset)
    if multiline and region is Region.CODE and not head.strip() and not _rest(tail).strip():
        extent = Extent.BLOCK
    return StopRules(
        extent=extent,
        region=region,
        language=document.language,
        indent_min=indentation(head) + (1 if head.strip() else 0),
        next_line=_next_line(tail),
        paragraph=not multiline,
    )


def find_stop(rules: StopRules, text: str) -> int | None:
    """Length of the answer if ``text`` holds its end, none while it may go on."""
    if "\n" not in text:
        return None
    if rules.extent is Extent.LINE:
        return _line_stop(rules, text)
    return _block_stop(rules, text)


def loops(tokens: Sequence[int]) -> int:
    """Tokens to cut from the end because they repeat the ones before; 0 where nothing loops."""
    for period in range(1, min(PERIOD_TOKENS_MAX, len(tokens) // ROUNDS_LONG) + 1):
        rounds = ROUNDS_SHORT if period <= PERIOD_SHORT_MAX else ROUNDS_LONG
        length = period * rounds
        if len(tokens) >= length:
            tail = list(tokens[-length:])
            if tail[period:] == tail[:-period]:
                return length - period
    return 0


def indentation(line: str) -> int:
    """Columns of blanks at the start of a line; a tab goes to the next multiple of eight."""
    return len(line[: len(line) - len(line.lstrip(" \t"))].expandtabs(TAB_COLUMNS))


def _rest(tail: str) -> str:
    return tail.partition("\n")[0]


def _next_line(tail: str) -> str:
    lines = tail.split("\n")[1:]
    return next((line.rstrip() for line in lines if line.strip()), "")


def _line_stop(rules: StopRules, text: str) -> int | None:
    newline = text.find("\n")
    if rules.region is not Region.CODE or not text[:newline].strip():
        return newline
    for _ in range(LINE_LINES_MAX):
        if not lex(text[:newline], rules.language).continues:
            return newline
        newline = text.find("\n", newline + 1)
        if newline < 0:
            return None
    return newline


def _block_stop(rules: StopRules, text: str) -> int | None:
    """The first line of ``text`` continues the cursor's line, so only later ones can end it."""
    lines = text.split("\n")
    end = len(lines[0].rstrip())
    offset = len(lines[0]) + 1
    written = int(bool(end))
    for number, line in enumerate(lines[1:], 1):
        complete = number < len(lines) - 1
        if not (end and lex(text[:end], rules.language).continues):
            if line.strip():
                if indentation(line) < rules.indent_min:
                    return _after_own_closer(rules, line, offset) or end
                if complete and line.rstrip() == rules.next_line:
                    return end
            elif complete and rules.paragraph and written:
                return end
        if line.strip():
            end = offset + len(line.rstrip())
            written += complete
        if written >= BLOCK_LINES_MAX:
            return end
        offset += len(line) + 1
    return None


def _after_own_closer(rules: StopRules, line: str, offset: int) -> int | None:
    """End of a closing brace that the block needs because the suffix has none."""
    blanks = len(line) - len(line.lstrip())
    needed = line[blanks] == "}" and not rules.next_line.lstrip().startswith("}")
    return offset + blanks + 1 if needed else None
