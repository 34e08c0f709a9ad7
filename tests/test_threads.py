"""How many threads a batch gets, from made-up times of earlier batches."""

from __future__ import annotations

import random
from collections.abc import Callable

from assist.models.threads import MANY_ROWS, TRY_AGAIN_AFTER, ThreadChoice

BATCHES = 40


def check(rows: int, seconds: Callable[[int], float], threads: int) -> ThreadChoice:
    """Batches of ``rows`` that take ``seconds(threads)`` settle on ``threads`` of at most 2."""
    choice = ThreadChoice(2)
    run(choice, rows, seconds, BATCHES)
    assert choice.threads(rows) == threads
    return choice


def run(
    choice: ThreadChoice, rows: int, seconds: Callable[[int], float], batches: int
) -> list[int]:
    used = []
    for _ in range(batches):
        used.append(choice.threads(rows))
        choice.add(rows, used[-1], seconds(used[-1]))
    return used


def test_several_threads_are_used_where_they_are_clearly_quicker() -> None:
    check(1, lambda threads: 10.0 / threads, 2)
    check(20, lambda threads: 10.0 if threads == 1 else 9.0, 1)
    check(3, lambda threads: 10.0 * threads, 1)


def test_a_large_batch_gets_all_threads_without_trying() -> None:
    assert run(ThreadChoice(2), MANY_ROWS, lambda _: 1.0, 3) == [2, 2, 2]


def test_one_thread_is_no_choice() -> None:
    assert run(ThreadChoice(1), 8, lambda _: 1.0, 3) == [1, 1, 1]


def test_sizes_are_judged_apart() -> None:
    choice = check(2, lambda threads: 10.0 * threads, 1)
    run(choice, 40, lambda threads: 10.0 / threads, BATCHES)
    assert (choice.threads(2), choice.threads(40)) == (1, 2)


def test_the_choice_follows_the_load_of_the_machine() -> None:
    choice = check(4, lambda threads: 10.0 * threads, 1)
    run(choice, 4, lambda threads: 10.0 / threads, 10 * TRY_AGAIN_AFTER)
    assert choice.threads(4) == 2


def test_one_slow_batch_does_not_decide() -> None:
    random_ = random.Random(0)
    choice = ThreadChoice(2)
    used = run(
        choice, 8, lambda threads: (5.0 if threads == 2 else 10.0) * random_.uniform(0.9, 1.4), 400
    )
    assert used.count(2) > 0.9 * len(used)
