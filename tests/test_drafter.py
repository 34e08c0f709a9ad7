from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from assist.completion.drafter import (
    GAP,
    MATCH_TOKENS_MAX,
    Draft,
    Drafter,
    DraftStatistics,
    TokenIndex,
)

TOKENS = st.lists(st.integers(0, 3), max_size=40)


def check(source: Sequence[int], context: Sequence[int], drafted: Sequence[int]) -> None:
    statistics = DraftStatistics()
    for size in range(1, 17):
        statistics.record_cost(size, 1.0)
    drafter = Drafter([("document", TokenIndex(source))], statistics, context)
    draft = drafter.propose([], 100)
    assert (draft.tokens if draft else ()) == tuple(drafted)


def test_what_followed_the_longest_match_is_drafted() -> None:
    check([1, 2, 3, 4, 5], [9, 1, 2, 3], [4, 5])
    check([7, 2, 3, 8, 1, 2, 3, 4], [1, 2, 3], [4])
    check([1, 2, 3, 8, 1, 2, 3, GAP], [1, 2, 3], [8, 1, 2])
    check([1, 2, 3, 4, 1, 2, 3, 5], [1, 2, 3], [5])
    check([1, 2, 3], [8, 9], [])
    check([1, 2, GAP, 3], [1, 2], [])
    check([], [1, 2], [])


def test_a_match_is_followed_while_it_holds() -> None:
    statistics = DraftStatistics()
    for size in range(1, 17):
        statistics.record_cost(size, 1.0)
    index = TokenIndex([1, 2, 3, 4, 5, 6])
    drafter = Drafter([("document", index)], statistics, [1, 2])
    first = drafter.propose([3], 100)
    assert first is not None and (first.tokens, first.match) == ((4, 5, 6), 3)
    second = drafter.propose([3, 4], 100)
    assert second is not None and (second.tokens, second.match) == ((5, 6), 4)
    assert drafter.propose([3, 4, 9], 100) is None


def test_nothing_is_drafted_beyond_the_end_of_the_answer() -> None:
    statistics = DraftStatistics()
    for size in range(1, 17):
        statistics.record_cost(size, 1.0)
    sources = [("document", TokenIndex([1, 2, 3, 4, 5, 6, 7]))]
    drafter = Drafter(sources, statistics, [1, 2, 3])
    draft = drafter.propose([], 100, lambda tokens: tokens.index(6))
    assert draft is not None and draft.tokens == (4, 5)
    assert drafter.propose([], 100, lambda tokens: 0) is None


def test_an_answer_that_repeats_nothing_gets_no_more_drafts() -> None:
    statistics = DraftStatistics()
    sources = [("document", TokenIndex([1, 2, 3, 4, 5, 6]))]
    drafter = Drafter(sources, statistics, [1, 2, 3])
    answer: list[int] = []
    drafts = 0
    for _ in range(6):
        draft = drafter.propose(answer, 100)
        answer += [9, 1, 2, 3]
        if draft is not None:
            drafts += 1
            drafter.record(draft, 0)
    assert drafts == 1
    assert Drafter(sources, statistics, [1, 2, 3]).propose([], 100) is not None


def test_one_row_that_differs_turns_drafting_off() -> None:
    statistics = DraftStatistics()
    index = TokenIndex(range(40))
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    drafter = Drafter([("document", index)], statistics, range(12))
    draft = drafter.propose([], 100)
    assert draft is not None and drafter.needs_trial(4)
    drafter.begin_trial([11, 12, 13, 14], rows)
    for token, row in zip([11, 12, 13], rows, strict=False):
        drafter.compare(token, row)
    assert not drafter.needs_trial(4) and drafter.needs_trial(8)
    assert drafter.propose([], 100)
    drafter.begin_trial([11, 12, 13, 14], rows)
    drafter.compare(11, rows[0])
    drafter.compare(99, rows[0])
    drafter.compare(12, rows[0])
    assert drafter.propose([], 100), "another token was evaluated"
    drafter.begin_trial([11, 12, 13, 14], rows)
    drafter.compare(11, rows[0] + np.float32(1e-3))
    assert drafter.propose([], 100) is None


def test_drafting_ends_where_it_does_not_pay() -> None:
    statistics = DraftStatistics()
    draft = Draft(tuple(range(8)), "document", 12)
    index = TokenIndex(range(40))
    assert Drafter([("document", index)], statistics, range(12)).propose([], 100)
    for _ in range(60):
        statistics.record(draft, 0)
    assert Drafter([("document", index)], statistics, range(12)).propose([], 100) is None
    assert Drafter([("files", index)], statistics, range(12)).propose([], 100)


def test_drafting_ends_where_batches_are_dear() -> None:
    statistics = DraftStatistics()
    for size in range(1, 17):
        statistics.record_cost(size, float(size))
    index = TokenIndex(range(40))
    assert Drafter([("document", index)], statistics, range(12)).propose([], 100) is None


@settings(deadline=None)
@given(TOKENS, TOKENS)
def test_matches_are_real_and_longest(source: list[int], context: list[int]) -> None:
    size, end = TokenIndex(source).longest_match(context)
    lengths = [
        n
        for n in range(1, min(len(context), MATCH_TOKENS_MAX) + 1)
        for at in range(n, len(source))
        if source[at - n : at] == context[-n:]
    ]
    longest = max(lengths, default=0)
    assert size == (longest if longest >= 2 else 0)
    assert source[end - size : end] == (context[-size:] if size else [])
