"""Finds the lines of a file that are most like others, by the words they share; it understands none of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

WINDOW_LINES = 8
STRIDE = 4
WORDS_MIN = 6
CODE_POINTS_MAX = 200_000
FILES_MAX = 32

_WORD = re.compile(r"[^\W\d]\w+")


@dataclass(frozen=True)
class Similar:
    """Lines of a file, and the Jaccard index of their words with those asked for, 0 to 1."""

    score: float
    lines: tuple[str, ...]


def most_similar(lines: str, texts: Sequence[str]) -> Similar | None:
    """The window of :data:`WINDOW_LINES` lines in ``texts`` that shares most words with ``lines``.

    The first of equals; none where ``lines`` say too little (Jaccard 1901: the size of the
    intersection by that of the union).
    """
    words = frozenset(_WORD.findall(lines))
    if len(words) < WORDS_MIN:
        return None
    best: tuple[float, str, int] | None = None
    for text in texts:
        if len(text) > CODE_POINTS_MAX:
            continue
        for number, window in enumerate(_windows(text)):
            score = len(words & window) / len(words | window)
            if best is None or score > best[0]:
                best = score, text, number
    if best is None:
        return None
    score, text, number = best
    start = number * STRIDE
    return Similar(score, tuple(text.splitlines()[start : start + WINDOW_LINES]))


@lru_cache(maxsize=FILES_MAX)
def _windows(text: str) -> tuple[frozenset[str], ...]:
    lines = [frozenset(_WORD.findall(line)) for line in text.splitlines()]
    return tuple(
        frozenset().union(*lines[start : start + WINDOW_LINES])
        for start in range(0, max(len(lines) - STRIDE, 1), STRIDE)
    )
