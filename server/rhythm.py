"""Learns how fast the user types and the engine answers, and says how long a request may wait for the next key; it reads no clock itself."""

from __future__ import annotations

from dataclasses import dataclass

# Keys further apart do not belong to one burst.
BURST_S_MAX = 0.6
INTERVAL_S = 0.2
LATENCY_S = 0.3
RATE = 0.2
# Waiting is felt: never longer than this, and only a share of the usual distance of two keys.
WAIT_S_MAX = 0.09
WAIT_SHARE = 0.5
# An answer that comes well before the next key is never delayed.
QUICK_SHARE = 0.5


@dataclass
class Rhythm:
    """Moving averages of the distance of keys inside bursts and of the time of computed answers."""

    interval_s: float = INTERVAL_S
    latency_s: float = LATENCY_S
    changed_at: float = -1e9
    burst: int = 0

    def changed(self, now: float) -> None:
        """The document changed at ``now`` (seconds of a steady clock)."""
        distance = now - self.changed_at
        if distance <= BURST_S_MAX:
            self.interval_s += RATE * (distance - self.interval_s)
            self.burst += 1
        else:
            self.burst = 0
        self.changed_at = now

    def answered(self, seconds: float) -> None:
        """An answer took so long to compute."""
        self.latency_s += RATE * (seconds - self.latency_s)

    def wait_s(self) -> float:
        """How long to wait before computing: in a burst the next key would waste the work."""
        if self.burst < 1 or self.latency_s < QUICK_SHARE * self.interval_s:
            return 0.0
        return min(WAIT_S_MAX, WAIT_SHARE * self.interval_s)
