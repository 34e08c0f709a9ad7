"""How long a request waits for the next key, from made-up rhythms of typing."""

from __future__ import annotations

from assist.server.rhythm import Rhythm


def typed(rhythm: Rhythm, text: str, seconds: float, count: int = 20) -> None:
    for _ in range(count):
        for character in text:
            rhythm.changed(max(rhythm.changed_at, 0.0) + seconds, character)


def test_the_rhythm_waits_only_in_bursts() -> None:
    rhythm = Rhythm()
    assert rhythm.wait_s() == 0
    typed(rhythm, "x", 0.15)
    assert 0.15 < rhythm.wait_s() <= 0.25
    rhythm.changed(rhythm.changed_at + 2.0, "x")
    assert rhythm.wait_s() == 0


def test_an_answer_that_comes_before_the_next_key_never_waits() -> None:
    rhythm = Rhythm()
    typed(rhythm, "x", 0.15)
    for _ in range(20):
        rhythm.answered(0.02)
    assert rhythm.wait_s() == 0


def test_the_pause_after_a_word_is_learned_apart() -> None:
    rhythm = Rhythm()
    for _ in range(20):
        typed(rhythm, "word", 0.12, count=1)
        rhythm.changed(rhythm.changed_at + 0.12, " ")
        rhythm.changed(rhythm.changed_at + 0.45, "w")
        rhythm.answered(0.2)
    assert rhythm.wait_s() > 0.12
    rhythm.changed(rhythm.changed_at + 0.12, " ")
    assert rhythm.wait_s() == 0
