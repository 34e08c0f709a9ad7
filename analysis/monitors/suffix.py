"""Reads how the text after the cursor binds a candidate; it never looks further than its window."""

from __future__ import annotations

import re

from assist.analysis import lexer
from assist.analysis.lexer import LexState, TokenKind
from assist.analysis.monitors.blocks import width_of
from assist.analysis.monitors.place import Place
from assist.analysis.monitors.view import Suffix

_FOR = re.compile(r"\bfor\s+([\w\s,()*]+?)\s+in\b")
_NAME = re.compile(r"[^\W\d]\w*")
WINDOW_CODE_POINTS = 2_000
_OPENED_BY = {")": "(", "]": "[", "}": "{"}


def read_suffix(text: str, offset: int, place: Place) -> Suffix:
    """What follows ``offset``, for a cursor at ``place``."""
    window = text[offset : offset + WINDOW_CODE_POINTS]
    line, newline, rest = window.partition("\n")
    goes_on = _leaves_strings(place.lex, line)
    closers, closed = _unmatched_closers(window, place) if goes_on else ("", 0)
    return Suffix(
        text=window,
        line=line.removesuffix("\r"),
        closers=closers,
        closed=closed,
        indent=_next_indent(rest) if newline else -1,
        closes_string=_closes_string(place.lex, line),
        document=text,
        bound=_bound(window),
        is_whole=goes_on and offset + WINDOW_CODE_POINTS >= len(text),
    )


def _leaves_strings(state: LexState, line: str) -> bool:
    """Whether the rest of the line ends every string that is open at the cursor; if not, the text
    below belongs to no string of the cursor's, and its brackets say nothing about it."""
    if not state.modes:
        return True
    after, _ = lexer.feed(state._replace(offset=0, pending=""), line, last=True)
    return not after.modes


def _closes_string(state: LexState, line: str) -> bool:
    """Whether the rest of the line ends the string at the cursor, and opens none that it leaves
    open (then its first quote belongs to that one)."""
    string = state.string
    if string is None:
        return False
    depth = len(state.modes)
    after, tokens = lexer.feed(state._replace(offset=0, pending=""), line, last=True)
    ends = [token for token in tokens if token.kind is TokenKind.STRING_END and token.text]
    return bool(ends) and ends[0].text == string.quote and len(after.modes) < depth


def _unmatched_closers(window: str, place: Place) -> tuple[str, int]:
    """Brackets that the window closes without opening them, and how many of them are of the prefix;
    the others can only be opened by a candidate."""
    state = LexState(modes=place.lex.modes, line_start=False)
    depth = 0
    open_before = [frame.text for frame in place.frames]
    found = ""
    _, tokens = lexer.feed(state, window, last=True)
    for token in tokens:
        if token.kind is not TokenKind.OPERATOR:
            continue
        if token.text in "([{":
            depth += 1
        elif token.text in _OPENED_BY:
            if depth:
                depth -= 1
            else:
                if open_before and open_before[-1] == _OPENED_BY[token.text]:
                    open_before.pop()
                found += token.text
    return found, len(place.frames) - len(open_before)


def _bound(window: str) -> frozenset[str]:
    """Names that a ``for`` binds; the comprehension may have begun before the cursor."""
    names: set[str] = set()
    for match in _FOR.finditer(window):
        names.update(_NAME.findall(match[1]))
    return frozenset(names)


def _next_indent(rest: str) -> int:
    for line in rest.splitlines():
        code = line.lstrip()
        if code and not code.startswith("#"):
            return width_of(line[: len(line) - len(code)])
    return -1
