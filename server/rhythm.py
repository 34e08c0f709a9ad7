"""Learns how fast the user types and the engine answers, and says how long a request may wait for the next key; it reads no clock itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

# What a key wrote: people go on quicker inside a word than after it.
Kind = Literal["word", "space", "other"]

# Keys further apart do not belong to one burst.
BURST_S_MAX = 0.6
LATENCY_S = 0.3
RATE = 0.2
# Waiting is felt: never longer than this.
WAIT_S_MAX = 0.25


@dataclass
class Interval:
    """Moving averages of the time until the next key and of its distance from that."""

    mean_s: float
    spread_s: float = 0.06

    def add(self, seconds: float) -> None:
        self.spread_s += RATE * (abs(seconds - self.mean_s) - self.spread_s)
        self.mean_s += RATE * (seconds - self.mean_s)


def _intervals() -> dict[Kind, Interval]:
    return {"word": Interval(0.2), "space": Interval(0.4), "other": Interval(0.2)}


@dataclass
class Rhythm:
    """The user's intervals inside bursts, by what the key before wrote, and the time of answers."""

    intervals: dict[Kind, Interval] = field(default_factory=_intervals)
    latency_s: float = LATENCY_S
    changed_at: float = -1e9
    burst: int = 0
    last: Kind = "other"

    def changed(self, now: float, text: str) -> None:
        """The user wrote ``text`` at ``now`` (seconds of a steady clock)."""
        distance = now - self.changed_at
        if distance <= BURST_S_MAX:
            self.intervals[self.last].add(distance)
            self.burst += 1
        else:
            self.burst = 0
        self.changed_at = now
        self.last = _kind(text)

    def answered(self, seconds: float) -> None:
        """An answer took so long to compute."""
        self.latency_s += RATE * (seconds - self.latency_s)

    def wait_s(self) -> float:
        """How long to wait before computing, where the next key would most likely waste the work."""
        usual = self.intervals[self.last]
        if self.burst < 1 or self.latency_s <= usual.mean_s - usual.spread_s:
            return 0.0
        return min(WAIT_S_MAX, usual.mean_s + usual.spread_s)


def _kind(text: str) -> Kind:
    last = text[-1:]
    if last.isspace():
        return "space"
    return "word" if last.isalnum() or last == "_" else "other"
