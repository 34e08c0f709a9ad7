from __future__ import annotations

import pytest

from assist.models.tune import Choice, Timing, best_choice


def check(timings: list[Timing], quantisation: str, prefill: int, decode: int) -> Choice:
    best = best_choice(timings)
    assert (best.quantisation, best.threads_prefill, best.threads_decode) == (
        quantisation,
        prefill,
        decode,
    )
    return best


def test_prefill_and_decode_have_their_own_threads() -> None:
    one = Timing("Q8_0", 1, 100, 50, 100, 50)
    two = Timing("Q8_0", 2, 200, 60, 190, 10)
    best = check([one, two], "Q8_0", 2, 1)
    assert best.typical_ms == pytest.approx(1e3 * (96 / (200 * 190) ** 0.5 + 24 / 50))


def test_a_choice_that_is_fast_only_alone_loses() -> None:
    spinning = Timing("Q8_0", 2, 300, 80, 10, 4)
    sleeping = Timing("Q4_1", 2, 150, 60, 100, 50)
    check([spinning, sleeping], "Q4_1", 2, 2)
