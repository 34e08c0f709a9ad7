"""What is made of measured times: ratios before over after, on the processor's clock and on the wall."""

from __future__ import annotations

import pytest

from assist.analysis.execution.measure import _Timings


def check(*, classes: float, walls: float, unseen: float, keeps_results: bool) -> str:
    """Why it does not count as faster; empty if it does."""
    timings = _Timings(
        ratios={"×1": [classes] * 5},
        unseen=[unseen] * 5,
        replay_gains=[1.0] * 5,
        replay_saves=[0.0] * 5,
        walls=[walls] * 5,
        loads=[(0.01, 0.01)] * 5,
        peaks=[(1 << 20, 1 << 20)] * 5,
        keeps_results=keeps_results,
    )
    return timings.judge(1.10).problem


@pytest.mark.parametrize("keeps_results", [False, True])
def test_waiting_is_not_faster(keeps_results: bool) -> None:
    problem = check(classes=3.0, walls=0.2, unseen=3.0, keeps_results=keeps_results)
    assert problem == "waits longer than the old version"
    assert check(classes=3.0, walls=3.0, unseen=3.0, keeps_results=keeps_results) == ""


def test_what_keeps_results_may_lose_where_there_is_nothing_to_win() -> None:
    assert check(classes=0.4, walls=0.4, unseen=9.0, keeps_results=True) == ""
    assert "waits" in check(classes=0.4, walls=0.1, unseen=9.0, keeps_results=True)
    assert "not faster" in check(classes=0.4, walls=0.4, unseen=0.9, keeps_results=True)
    assert "not faster" in check(classes=0.4, walls=0.4, unseen=9.0, keeps_results=False)
