from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assist.cache.kv import OPENING_TOKENS, SINK_TOKENS, Reuse, ReusePolicy, plan_edit
from assist.cache.tokens import EMPTY, Match, TokenBuffer, Tokens, align

BARE = ReusePolicy(
    gap_tokens=0,
    shift_tokens=0,
    inexact_tokens=0,
    run_tokens_min=2,
    after_tokens=0,
    tail_tokens=1,
    near_tokens=0,
    near_tokens_max=0,
)
SHORT = st.lists(st.integers(0, 3), max_size=60)


def check(old: str, new: str, *expected: tuple[int, int, int], run_tokens_min: int = 3) -> None:
    """One character is one token."""
    matches = align([*map(ord, old)], [*map(ord, new)], run_tokens_min=run_tokens_min)
    assert matches == tuple(Match(*run) for run in expected)


def buffer(tokens: list[int]) -> TokenBuffer:
    return filled(EMPTY, tokens, (0, len(tokens)))


def filled(
    cache: TokenBuffer, tokens: Sequence[int] | Tokens, *places: tuple[int, int]
) -> TokenBuffer:
    """``cache`` after ``places`` of the prompt ``tokens`` were evaluated, all at once."""
    positions = np.concatenate([np.arange(*place, dtype=np.int32) for place in places])
    return cache.fill(np.asarray(tokens, np.int32)[positions], positions)


def test_head_and_tail_of_any_size_are_found() -> None:
    check("abcdef", "abXcdef", (0, 0, 2), (2, 3, 4))
    check("abcdef", "abef", (0, 0, 2), (4, 2, 2))
    check("abc", "abc", (0, 0, 3))
    check("abc", "xyz")
    check("", "abc")


def test_runs_between_several_edits_are_found() -> None:
    check("a111b222c", "x111y222z", (1, 1, 3), (5, 5, 3))


def test_a_moved_block_is_found() -> None:
    check("<abcdWXYZ>", "<WXYZabcd>", (0, 0, 1), (5, 1, 4), (1, 5, 4), (9, 9, 1))


def test_a_place_is_used_once() -> None:
    check("-abc-", "+abcabc+", (1, 1, 3))


@given(SHORT, SHORT)
def test_runs_are_equal_and_disjoint(old: list[int], new: list[int]) -> None:
    matches = align(old, new, run_tokens_min=2)
    at = 0
    seen: set[int] = set()
    for match in matches:
        assert match.new >= at and match.size > 0
        at = match.new + match.size
        places = range(match.old, match.old + match.size)
        assert not seen.intersection(places)
        seen.update(places)
        assert [old[place] for place in places] == new[match.new : at]
    assert at <= len(new)


@given(
    SHORT,
    SHORT.filter(bool),
    st.sampled_from(["shift", "prefix", "off"]),
    st.sampled_from([BARE, ReusePolicy()]),
)
def test_a_plan_covers_the_prompt_and_evaluates_its_end(
    old: list[int], new: list[int], reuse: Reuse, policy: ReusePolicy
) -> None:
    policy = replace(policy, reuse=reuse)
    plan = plan_edit(buffer(old), new, policy)
    assert plan.reused + plan.shifted + plan.evaluated == len(new)
    assert plan.gaps[-1][1] == len(new)
    after = filled(plan.buffer, new, *plan.gaps)
    one_by_one = plan.buffer
    for gap in plan.gaps:
        one_by_one = filled(one_by_one, new, gap)
    assert after.changes.tolist() == one_by_one.changes.tolist()
    assert after.exact == one_by_one.exact
    assert after.tokens.tolist() == new
    assert after.positions.tolist() == list(range(len(new)))
    assert reuse == "shift" or not plan.shifted


def test_exact_tokens_end_at_the_first_change() -> None:
    old = buffer([*range(100)])
    plan = plan_edit(old, [*range(50), 777, *range(50, 100)], BARE)
    assert (plan.reused, plan.shifted, plan.evaluated) == (50, 49, 2)
    after = filled(plan.buffer, plan.tokens, (50, 51), (100, 101))
    # The new token lies behind those that were there, which are not exact either.
    assert after.exact == 50
    behind = plan_edit(old, [*range(50), 777], BARE)
    assert filled(behind.buffer, behind.tokens, (50, 51)).exact == 51
    assert np.unique(after.changes[51:100]).tolist() == [1]


def test_changes_add_up_until_the_bound() -> None:
    policy = replace(BARE, changed_tokens_max=3)
    tokens = [*range(100)]
    cache = buffer(tokens)
    shifted = []
    for count in range(1, 6):
        tokens = [*tokens[:50], 1000 + count, *tokens[50:]]
        plan = plan_edit(cache, tokens, policy)
        shifted.append(plan.shifted > 0)
        cache = filled(plan.buffer, tokens, *plan.gaps)
    assert shifted == [True, True, True, False, True]


def test_what_little_is_left_behind_a_block_is_evaluated_the_more_the_larger_it_is() -> None:
    old = [*range(1000)]
    assert plan_edit(buffer(old), [*old[:300], *old[350:]]).gaps == ((949, 950),)
    assert plan_edit(buffer(old), [*old[:830], *old[880:]]).gaps == ((830, 950),)
    assert plan_edit(buffer(old), [*old[:930], *old[940:]]).gaps == ((989, 990),)
    assert plan_edit(buffer(old), [*old[:860], *range(2000, 2050), *old[860:]]).shifted > 120
    assert plan_edit(buffer(old), [*old[:900], *range(2000, 2050), *old[900:]]).shifted == 0


def test_what_feels_a_change_most_is_evaluated() -> None:
    old = [*range(1000)]
    new = [*old[:300], *range(2000, 2010), *old[300:600], 3000, *old[600:]]
    plan = plan_edit(buffer(old), new)
    assert plan.gaps == ((300, 314), (610, 615), (1007, 1011))
    assert plan.buffer.changes[-1] == 11


def test_everything_is_evaluated_behind_a_change_near_the_end() -> None:
    old = [*range(1000)]
    plan = plan_edit(buffer(old), [*old[:970], 3000, *old[970:]])
    assert plan.gaps == ((970, 1001),) and not plan.shifted


def test_after_a_jump_what_now_follows_the_cursor_is_evaluated() -> None:
    old = [*range(1000)]
    plan = plan_edit(buffer(old), [0, *old[18:], *old[1:18]])
    assert plan.gaps[0] == (1, 1 + SINK_TOKENS - 1 + OPENING_TOKENS) and plan.shifted > 900


def test_a_deletion_costs_the_last_token() -> None:
    old = [*range(1000)]
    plan = plan_edit(buffer(old), [*old[:300], *old[340:600], *old[620:]])
    assert plan.gaps == ((939, 940),) and plan.shifted == 639


def test_a_moved_block_is_more_than_a_deletion() -> None:
    old = [*range(1000)]
    plan = plan_edit(buffer(old), [*old[:300], *old[340:400], *old[300:340], *old[400:]])
    assert plan.evaluated > 1 and plan.shifted == 100 - 2 * 4


def test_typing_at_the_end_costs_its_tokens_also_behind_shifted_ones() -> None:
    old = buffer([*range(1000)])
    plan = plan_edit(old, [*range(300), 3000, *range(300, 1000)])
    shifted = filled(plan.buffer, plan.tokens, *plan.gaps)
    assert plan_edit(shifted, [*plan.tokens.tolist(), 7, 8]).evaluated == 2
