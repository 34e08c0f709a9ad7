"""Training examples: windows around a hole's end as sequences of tokens; it never sees the network.

A sequence is the suffix, then everything before the hole's end, then the end token. No marker stands
before the middle, so a hole may start at any token: whatever is predicted after the prefix marker is
the middle of some hole that ends there. Prefix and middle are tokenised as one text, as an engine does
that asks the model again for the token at the cursor.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from assist.analysis.context import comment_lines, related_snippets
from assist.analysis.document import Span
from assist.analysis.holes import Function, Holes
from assist.analysis.syntax import Syntax

Tokenize = Callable[[str], list[int]]
Ints = npt.NDArray[np.int32]

END, PREFIX, SUFFIX = 0, 8, 9
NO_LABEL = -1
LABELS_MAX = 96
MIDDLE_LINES_MAX = 6
ATTEMPTS_MAX = 40
PLAIN_TOKENS_MIN = 32


@dataclass(frozen=True)
class Mix:
    """Shares of example kinds and the sizes of windows, in characters and tokens."""

    prefix_characters: tuple[int, int] = (120, 800)
    suffix_characters: tuple[int, int] = (0, 500)
    tokens_max: int = 320
    function_window: float = 0.5
    documented: float = 0.6
    no_suffix: float = 0.06
    plain: float = 0.08
    context: float = 0.1
    context_characters_max: int = 250
    kinds: dict[str, float] = field(
        default_factory=lambda: {"line": 0.3, "rest": 0.35, "syntax": 0.15, "span": 0.2}
    )


@dataclass(frozen=True)
class Cut:
    """Starts of the holes that end at ``end``."""

    kind: str
    starts: tuple[int, ...]
    end: int


@dataclass(frozen=True)
class Example:
    """Two arrays of one length: ``labels`` is the token to predict after each, or NO_LABEL."""

    tokens: Ints
    labels: Ints

    @property
    def is_plain(self) -> bool:
        """Text without markers: what the model could do before."""
        return int(self.tokens[0]) != SUFFIX


def make_example(
    syntax: Syntax, holes: Holes, mix: Mix, tokenize: Tokenize, chance: random.Random
) -> tuple[Example, Cut, Span] | None:
    """One example from a file, its holes, and the span of text it shows; none where none fits."""
    text = syntax.document.text
    for _ in range(ATTEMPTS_MAX):
        function = choose_function(holes, mix, chance)
        cut = choose_cut(text, holes, function, mix, chance)
        if cut is None or not cut.starts:
            continue
        window = choose_window(text, function, cut, mix, chance)
        if chance.random() < mix.plain:
            tokens = tokenize(text[window.start : max(cut.end, window.start + 200)])
            example = plain_example(tokens[: mix.tokens_max])
        else:
            context = ""
            if chance.random() < mix.context:
                budget = mix.context_characters_max
                snippets = related_snippets(syntax, window, code_points_max=budget)
                context = comment_lines(snippets, syntax.document.language)
            example = hole_example(text, cut.end, window, tokenize, context)
        if example is not None and len(example.tokens) <= mix.tokens_max:
            return example, cut, window
    return None


def choose_function(holes: Holes, mix: Mix, chance: random.Random) -> Function | None:
    documented = [f for f in holes.functions if f.documented]
    if documented and chance.random() < mix.documented:
        return chance.choice(documented)
    return chance.choice(holes.functions) if holes.functions and chance.random() < 0.9 else None


def choose_cut(
    text: str, holes: Holes, function: Function | None, mix: Mix, chance: random.Random
) -> Cut | None:
    """An end and several starts before it, of a kind drawn by the mix."""
    low, high = (function.body.start, function.body.end) if function else (0, len(text))
    if high - low < 8:
        return None
    kind = chance.choices(list(mix.kinds), list(mix.kinds.values()))[0]
    if kind == "syntax":
        return syntax_cut(text, holes, low, high, chance)
    at = chance.randrange(low, high)
    line = text.rfind("\n", 0, at) + 1
    stop = text.find("\n", at)
    stop = len(text) if stop < 0 else stop
    content = text[line:stop].lstrip()
    if not content or (content.startswith("#") and chance.random() < 0.8):
        return None
    indented = stop - len(content)
    if kind == "span":
        end = chance.randrange(indented + 1, stop + 1)
        lengths = [int(2 ** chance.uniform(1, 7.5)) for _ in range(3)]
        starts = [end - length for length in lengths if end - length >= low]
        return Cut(kind, distinct(starts), end)
    above = [start for start in line_starts(text, max(low, 1), line) if start < line]
    inside = [chance.randrange(indented + 1, stop) for _ in range(2) if stop - indented > 2]
    if kind == "line":
        end = min(stop + 1, len(text))
        starts = [line, indented, *inside[:1], *pick(above, 2, chance)]
    else:
        end = stop
        starts = [line, indented, *inside, *pick([indent_end(text, s) for s in above], 1, chance)]
    return Cut(kind, distinct(starts), end)


def syntax_cut(text: str, holes: Holes, low: int, high: int, chance: random.Random) -> Cut | None:
    inside = [
        hole
        for hole in holes.spans
        if low <= hole.span.start and hole.span.end <= high and hole.span.length > 2
    ]
    if not inside:
        return None
    hole = chance.choice(inside)
    span = hole.span
    same = [other.span.start for other in inside if other.span.end == span.end]
    middle = chance.randrange(span.start + 1, span.end)
    starts = [span.start, middle, *pick(same, 2, chance)]
    return Cut(hole.kind, distinct(starts), span.end)


def choose_window(
    text: str, function: Function | None, cut: Cut, mix: Mix, chance: random.Random
) -> Span:
    """Cut on line starts like the engine: a budget on each side, or the function alone."""
    first = min(cut.starts)
    budget = int(chance.uniform(*mix.prefix_characters))
    start = 0 if first <= budget else text.find("\n", first - budget, first) + 1 or first - budget
    stop = len(text)
    budget = int(chance.uniform(*mix.suffix_characters))
    if function and chance.random() < mix.function_window:
        head = text.rfind("\n", 0, function.span.start) + 1
        if first - head <= mix.prefix_characters[1]:
            start = head if chance.random() < 0.7 else min(start, head)
        stop = max(function.span.end, cut.end)
    elif chance.random() < 0.15:
        budget = min(budget, 90)
    if stop - cut.end > budget:
        stop = max(text.rfind("\n", cut.end, cut.end + budget) + 1, cut.end)
    if chance.random() < mix.no_suffix:
        stop = cut.end
    return Span(start, stop)


def hole_example(
    text: str, end: int, window: Span, tokenize: Tokenize, context: str = ""
) -> Example:
    """The last ``LABELS_MAX`` tokens before ``end``, and the end token, are to be predicted."""
    suffix = [SUFFIX, *tokenize(text[end : window.end]), PREFIX]
    return sequence(
        [*suffix, *tokenize(context + text[window.start : end]), END],
        max(len(suffix), 0),
    )


def plain_example(tokens: list[int]) -> Example | None:
    return sequence(tokens, 1) if len(tokens) > PLAIN_TOKENS_MIN else None


def sequence(tokens: list[int], first: int) -> Example:
    """``tokens`` from index ``first`` on are to be predicted, at most the last ``LABELS_MAX``."""
    labels = np.asarray(tokens[1:], dtype=np.int32)
    labels[: max(first - 1, len(labels) - LABELS_MAX)] = NO_LABEL
    return Example(np.asarray(tokens[:-1], dtype=np.int32), labels)


def line_starts(text: str, low: int, line: int) -> list[int]:
    """Starts of the lines above ``line``, nearest first, within the bound on middles."""
    starts: list[int] = []
    at = line
    while len(starts) < MIDDLE_LINES_MAX and at > low:
        at = text.rfind("\n", 0, at - 1) + 1
        if at >= low - 80 and text[at:line].strip():
            starts.append(at)
    return [start for start in starts if start >= text.rfind("\n", 0, low) + 1]


def indent_end(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t":
        at += 1
    return at


def pick(places: list[int], count: int, chance: random.Random) -> list[int]:
    return chance.sample(places, min(count, len(places)))


def distinct(starts: list[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(starts))
