from __future__ import annotations

from assist.models.pace import Pace


def check(batch_seconds: float, token_seconds: float, seconds: float, tokens: int) -> None:
    """After many batches of these costs, ``tokens`` take ``seconds``."""
    pace = Pace()
    for _ in range(20):
        for count in (1, 5, 16, 64):
            pace.add(count, batch_seconds + count * token_seconds)
    assert abs(pace.tokens_in(seconds, 128) - tokens) <= 1


def test_what_every_batch_costs_is_not_counted_as_tokens() -> None:
    check(0.020, 0.002, 0.040, 10)
    check(0.001, 0.004, 0.041, 10)


def test_a_slow_machine_still_evaluates_one_token_and_a_quick_one_a_full_batch() -> None:
    check(0.2, 0.02, 0.040, 1)
    check(0.0001, 0.00001, 0.040, 128)
