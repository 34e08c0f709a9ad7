"""Token buffers and their alignment: what a cache holds, and which runs of it a new prompt can use; it never touches a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Tokens: TypeAlias = npt.NDArray[np.int32]

# A run shorter than this is cheaper to evaluate with its neighbours than to keep between them.
RUN_TOKENS_MIN = 8
# Places of one run of tokens that are tried: bounds the work on text that repeats itself.
PLACES_MAX = 4
COMPARE_TOKENS = 64


@dataclass(frozen=True)
class Match:
    """``size`` equal tokens at index ``old`` of one buffer and index ``new`` of another."""

    old: int
    new: int
    size: int


@dataclass(frozen=True)
class TokenBuffer:
    """What one sequence of the native cache holds, in the order of positions.

    ``tokens``, ``positions`` and ``changes`` are parallel, shape (length,). Positions rise
    strictly and have a gap only after an interrupted prefill. ``changes`` counts the tokens that
    were inserted or removed before a token since its key and value were computed. The first
    ``exact`` tokens are exact: computed with today's tokens before them, all exact themselves,
    and in their order in the memory too, because attention adds up in that order.
    """

    tokens: Tokens
    positions: Tokens
    changes: Tokens
    exact: int = 0

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def contiguous(self) -> int:
        """Count of leading tokens whose position is their index."""
        if not len(self) or self.positions[-1] == len(self) - 1:
            return len(self)
        return int(np.argmax(self.positions != np.arange(len(self), dtype=np.int32)))

    def cut(self, length: int) -> TokenBuffer:
        """The first ``length`` tokens."""
        return TokenBuffer(
            self.tokens[:length],
            self.positions[:length],
            self.changes[:length],
            min(self.exact, length),
        )

    def fill(self, tokens: Tokens, positions: Tokens) -> TokenBuffer:
        """The buffer after ``tokens`` were evaluated at ``positions``, its end or gaps of it."""
        indices = np.searchsorted(self.positions, positions)
        # What is put before others lies behind them in the memory.
        is_behind = not len(positions) or int(positions[0]) == self.exact
        is_exact = is_behind and self.exact == len(self)
        return TokenBuffer(
            np.insert(self.tokens, indices, tokens),
            np.insert(self.positions, indices, positions),
            np.insert(self.changes, indices, 0),
            self.exact + is_exact * len(positions),
        )

    def replaced_exactly(self, count: int) -> TokenBuffer:
        """The buffer after the ``count`` tokens behind the exact ones were evaluated again."""
        changes = self.changes.copy()
        changes[self.exact : self.exact + count] = 0
        return TokenBuffer(self.tokens, self.positions, changes, self.exact + count)


def _empty() -> Tokens:
    return np.zeros(0, np.int32)


EMPTY = TokenBuffer(_empty(), _empty(), _empty())


def align(
    old: Sequence[int] | Tokens,
    new: Sequence[int] | Tokens,
    *,
    run_tokens_min: int = RUN_TOKENS_MIN,
) -> tuple[Match, ...]:
    """Runs of equal tokens, ordered by ``new`` and disjoint on both sides, in linear time.

    The common head and tail are found first, whatever their size; between them runs of at least
    ``run_tokens_min`` tokens, also such that changed their place, by an index of the old tokens
    (the greedy block matching of rsync and of delta compression, with exact comparison).
    """
    old = np.ascontiguousarray(old, np.int32)
    new = np.ascontiguousarray(new, np.int32)
    room = min(len(old), len(new))
    head = _common(old[:room], new[:room])
    tail = _common(old[head:][::-1], new[head:][::-1])
    matches = [Match(0, 0, head)] if head else []
    matches += _between(old, new, head, len(old) - tail, len(new) - tail, run_tokens_min)
    if tail:
        matches.append(Match(len(old) - tail, len(new) - tail, tail))
    return tuple(matches)


def _common(left: Tokens, right: Tokens) -> int:
    """Length of the common head; costs by its length, not by that of the arrays."""
    room = min(len(left), len(right))
    step = COMPARE_TOKENS
    start = 0
    while start < room:
        end = min(start + step, room)
        differs = left[start:end] != right[start:end]
        if differs.any():
            return start + int(differs.argmax())
        start = end
        step *= 2
    return room


def _between(
    old: Tokens, new: Tokens, start: int, old_end: int, new_end: int, size_min: int
) -> list[Match]:
    if old_end - start < size_min or new_end - start < size_min:
        return []
    places = _places(old, start, old_end, size_min)
    data = new.tobytes()
    used = np.zeros(old_end, bool)
    matches: list[Match] = []
    delta = 0
    at = start
    width = new.itemsize
    while at <= new_end - size_min:
        found = places.get(data[at * width : (at + size_min) * width])
        best = Match(0, at, 0)
        for place in _with(found, at - delta, start, old_end - size_min):
            size = _common(old[place:old_end], new[at:new_end])
            size = _unused(used, place, size)
            if size > best.size:
                best = Match(place, at, size)
            if place == at - delta and size >= size_min:
                break
        if best.size >= size_min:
            used[best.old : best.old + best.size] = True
            matches.append(best)
            delta = best.new - best.old
            at += best.size
        else:
            at += 1
    return matches


def _places(old: Tokens, start: int, end: int, size: int) -> dict[bytes, list[int]]:
    data = old.tobytes()
    width = old.itemsize
    places: dict[bytes, list[int]] = {}
    for at in range(start, end - size + 1):
        known = places.setdefault(data[at * width : (at + size) * width], [])
        if len(known) < PLACES_MAX:
            known.append(at)
    return places


def _with(found: list[int] | None, likely: int, start: int, last: int) -> list[int]:
    """Known places, first the one that goes on where the last run ended."""
    if found is None:
        return []
    return [likely, *found] if start <= likely <= last else found


def _unused(used: npt.NDArray[np.bool_], place: int, size: int) -> int:
    taken = used[place : place + size]
    return int(taken.argmax()) if taken.any() else size
