"""Drafts the next tokens from text that is there already, by the longest match; a wrong draft costs time and never changes the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from assist.models.model import Logits

DRAFT_TOKENS_MAX = 15
# Batches that processors' kernels like; few sizes, so that each is soon measured and tried.
BATCH_SIZES = frozenset({2, 3, 4, 6, 8, 16})
MATCH_TOKENS_MAX = 16
# Matches are looked up by their last tokens, the longer key first.
KEY_LENGTHS = (4, 2)
KEY_FACTOR, KEY_BITS = 1_000_003, 0x7FFF_FFFF_FFFF
OCCURRENCES_MAX = 24
# With a match of so many tokens no other source is searched.
LONG_MATCH = 8
# A draft must promise this much more than plain decoding, because promises are estimates.
GAIN_MIN = 1.12
# Chance that a drafted token is right, by the length of the match, before anything was seen, in the
# document and in other sources; and the number of tokens that this counts for.
PRIOR_CHANCE = (0.0, 0.1, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.75, 0.75, 0.8, 0.8, 0.85, 0.85, 0.85)
PRIOR_CHANCE_ELSEWHERE = (
    0.0,
    0.0,
    0.1,
    0.2,
    0.3,
    0.5,
    0.5,
    0.6,
    0.6,
    0.6,
    0.65,
    0.7,
    0.7,
    0.7,
    0.75,
)
PRIOR_WEIGHT = 12.0
# What was seen in the answer itself counts for more: one that repeats nothing should cost nothing.
ANSWER_WEIGHT = 6.0
MEMORY_TOKENS = 400.0
# Cost of evaluating n tokens at once in units of one, before anything was measured.
PRIOR_COST = {1: 1.0, 2: 1.3, 4: 1.6, 8: 2.2, 16: 3.3}
COST_RATE = 0.1
# Rows of a batch that must equal those of single tokens before a draft of that size counts.
EQUAL_ROWS_MIN = 3

# Stands between texts in a source that do not follow each other.
GAP = -1
# Name of the source that is made of the prompt.
DOCUMENT = "document"

TokenIds = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Draft:
    """Tokens that followed in ``source`` what the answer ends with, ``match`` tokens long."""

    tokens: tuple[int, ...]
    source: str
    match: int


class TokenIndex:
    """Where runs of tokens occur in one immutable sequence; built once by sorting, asked in log n."""

    def __init__(self, tokens: Iterable[int]) -> None:
        given = tokens if isinstance(tokens, np.ndarray) else np.fromiter(tokens, np.int32)
        self.tokens: TokenIds = given.astype(np.int32, copy=False)
        self._keys: dict[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = {}
        for length in KEY_LENGTHS:
            keys = _keys(self.tokens, length)
            order = np.argsort(keys, kind="stable")
            self._keys[length] = keys[order], order

    def longest_match(self, context: Sequence[int]) -> tuple[int, int]:
        """(length, end) of the longest run that ends ``context``; of equals the last one.

        ``end`` is the offset behind the run; (0, 0) where not even the shortest key occurs.
        """
        for length in KEY_LENGTHS:
            if len(context) < length:
                continue
            keys, order = self._keys[length]
            key = _key(context[-length:])
            first, last = keys.searchsorted(key), keys.searchsorted(key, "right")
            best = (0, 0)
            for at in order[max(first, last - OCCURRENCES_MAX) : last][::-1]:
                end = int(at) + length
                if end < len(self.tokens) and self.tokens[end] != GAP:
                    size = self._match(context, end)
                    best = max(best, (size, end)) if size > best[0] else best
            if best[0]:
                return best
        return (0, 0)

    def _match(self, context: Sequence[int], end: int) -> int:
        size = 0
        limit = min(len(context), end, MATCH_TOKENS_MAX)
        while size < limit and self.tokens[end - 1 - size] == context[-1 - size]:
            size += 1
        return size


@dataclass
class DraftStatistics:
    """What drafting has brought on this machine: right tokens by source and match, cost by batch.

    ``equal_rows`` counts by batch size the rows that were the same, bit for bit, as those of
    single tokens; ``is_exact`` is false once one was not. Kernels for one token may add in
    another order than those for several, and then a draft could change a text. ``totals`` are
    drafted and right tokens by source.
    """

    right: dict[tuple[str, int], tuple[float, float]] = field(default_factory=dict)
    cost_s: dict[int, float] = field(default_factory=dict)
    equal_rows: dict[int, int] = field(default_factory=dict)
    is_exact: bool = True
    totals: dict[str, tuple[int, int]] = field(default_factory=dict)

    def needs_trial(self, size: int) -> bool:
        """Whether it is not known yet that a batch of this size gives the rows of single tokens."""
        return self.equal_rows.get(size, 0) < EQUAL_ROWS_MIN

    def record_trial(self, size: int, equal: bool) -> None:
        """Learn from one row whether batches of this size are exact."""
        self.equal_rows[size] = self.equal_rows.get(size, 0) + 1
        self.is_exact = self.is_exact and equal

    def chance(self, source: str, match: int, tried: int = 0, hits: int = 0) -> float:
        """Estimated chance that the next drafted token is right.

        ``hits`` of ``tried`` drafted tokens were right earlier in the same answer.
        """
        priors = PRIOR_CHANCE if source == DOCUMENT else PRIOR_CHANCE_ELSEWHERE
        bucket = min(match, len(priors) - 1)
        right, seen = self.right.get((source, bucket), (0.0, 0.0))
        right += PRIOR_WEIGHT * priors[bucket] + ANSWER_WEIGHT * hits
        return right / (seen + PRIOR_WEIGHT + ANSWER_WEIGHT * tried)

    def record(self, draft: Draft, accepted: int) -> None:
        """Learn that the first ``accepted`` tokens of a draft were right and the next was not."""
        drafted, right_tokens = self.totals.get(draft.source, (0, 0))
        self.totals[draft.source] = drafted + len(draft.tokens), right_tokens + accepted
        for index in range(min(accepted + 1, len(draft.tokens))):
            key = draft.source, min(draft.match + index, len(PRIOR_CHANCE) - 1)
            right, seen = self.right.get(key, (0.0, 0.0))
            fade = MEMORY_TOKENS / (MEMORY_TOKENS + 1.0)
            self.right[key] = right * fade + (index < accepted), seen * fade + 1.0

    def record_cost(self, size: int, seconds: float) -> None:
        """Learn what evaluating ``size`` tokens at once cost."""
        known = self.cost_s.get(size)
        self.cost_s[size] = seconds if known is None else known + COST_RATE * (seconds - known)

    def cost(self, size: int) -> float:
        """Cost of a batch in units of a batch of one."""
        sizes = sorted(PRIOR_COST)
        above = next((n for n in sizes if n >= size), sizes[-1])
        below = max((n for n in sizes if n <= size), default=above)
        share = (size - below) / (above - below) if above > below else 0.0
        prior = PRIOR_COST[below] + share * (PRIOR_COST[above] - PRIOR_COST[below])
        single, measured = self.cost_s.get(1), self.cost_s.get(size)
        return measured / single if single and measured else prior


class Drafter:
    """Drafts for one answer; follows a match while it holds, so that a step costs no search.

    The first drafts of a size are tried beside plain decoding; one row that differs turns all off.
    """

    def __init__(
        self,
        sources: Sequence[tuple[str, TokenIndex]],
        statistics: DraftStatistics,
        context: Sequence[int],
    ) -> None:
        self._sources = sources
        self._statistics = statistics
        self._context = list(context[-MATCH_TOKENS_MAX:])
        self._written = 0
        self._followed: dict[int, tuple[int, int]] = {}
        self._trial: tuple[tuple[int, ...], Logits] | None = None
        self._tried = 0
        # Drafted tokens of this answer that were judged, and those that were right.
        self._judged = self._hits = 0

    def propose(
        self,
        answer: Sequence[int],
        tokens_max: int,
        usable: Callable[[Sequence[int]], int] = len,
    ) -> Draft | None:
        """What may follow ``answer`` within ``tokens_max`` tokens of it; none where it does not pay.

        ``usable`` counts the first tokens of a draft that the answer can have a use for.
        """
        if not self._statistics.is_exact:
            return None
        for token in answer[self._written :]:
            self._follow(token)
        self._written = len(answer)
        room = min(tokens_max - len(answer) - 1, DRAFT_TOKENS_MAX)
        best: Draft | None = None
        for number, (name, index) in enumerate(self._sources):
            followed = self._followed.get(number)
            if followed is None and best is not None and best.match >= LONG_MATCH:
                continue
            size, end = followed or index.longest_match(self._context)
            if not size:
                continue
            self._followed[number] = size, end
            if best is None or size > best.match:
                best = Draft(_until_gap(index.tokens[end : end + room]), name, size)
        if best is None:
            return None
        return self._worthwhile(replace(best, tokens=best.tokens[: usable(best.tokens)]))

    def needs_trial(self, size: int) -> bool:
        """Whether the next batch of this size has to be given to :meth:`begin_trial`."""
        return self._statistics.needs_trial(size)

    def begin_trial(self, tokens: Sequence[int], rows: Logits) -> None:
        """``rows`` came from evaluating ``tokens`` at once; single tokens follow."""
        self._trial, self._tried = (tuple(tokens), rows), 0

    def compare(self, token: int, row: Logits) -> None:
        """``row`` came from evaluating ``token`` alone."""
        if self._trial is None:
            return
        tokens, rows = self._trial
        if self._tried >= len(tokens) or tokens[self._tried] != token:
            self._trial = None
            return
        self._statistics.record_trial(len(tokens), np.array_equal(rows[self._tried], row))
        self._tried += 1

    def record(self, draft: Draft, accepted: int) -> None:
        """The first ``accepted`` tokens of a draft were right."""
        self._statistics.record(draft, accepted)
        self._judged += min(accepted + 1, len(draft.tokens))
        self._hits += accepted

    def record_cost(self, size: int, seconds: float) -> None:
        """Evaluating ``size`` tokens at once cost that much."""
        self._statistics.record_cost(size, seconds)

    def _follow(self, token: int) -> None:
        self._context.append(token)
        for number, (size, end) in list(self._followed.items()):
            tokens = self._sources[number][1].tokens
            if end < len(tokens) - 1 and tokens[end] == token:
                self._followed[number] = size + 1, end + 1
            else:
                del self._followed[number]

    def _worthwhile(self, draft: Draft) -> Draft | None:
        """The draft cut to the length with the best expected gain (as SpecDec++ without a draft model)."""
        statistics = self._statistics
        expected = chance = 1.0
        best, length = GAIN_MIN, 0
        for index in range(len(draft.tokens)):
            match = draft.match + index
            chance *= statistics.chance(draft.source, match, self._judged, self._hits)
            expected += chance
            size = index + 2
            if size in BATCH_SIZES and expected / statistics.cost(size) > best:
                best, length = expected / statistics.cost(size), index + 1
        return replace(draft, tokens=draft.tokens[:length]) if length else None


def _until_gap(tokens: TokenIds) -> tuple[int, ...]:
    found = tokens.tolist()
    return tuple(found[: found.index(GAP)] if GAP in found else found)


def _keys(tokens: TokenIds, length: int) -> npt.NDArray[np.int64]:
    """One number for each run of ``length`` tokens; a collision is found by the match itself."""
    if len(tokens) < length:
        return np.zeros(0, np.int64)
    keys = np.zeros(len(tokens) - length + 1, np.int64)
    for offset in range(length):
        keys = (keys * KEY_FACTOR + tokens[offset : offset + len(keys)]) & KEY_BITS
    return keys


def _key(tokens: Iterable[int]) -> int:
    key = 0
    for token in tokens:
        key = (key * KEY_FACTOR + token) & KEY_BITS
    return key
