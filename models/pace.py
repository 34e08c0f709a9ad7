"""How many tokens to evaluate at once, from how quick the last batches were; it never evaluates."""

from __future__ import annotations

# Weight of the newest batch in the running speed.
NEWEST = 0.3
BATCH_TOKENS_MIN = 8


class Pace:
    """Running speed of a model in tokens per second."""

    def __init__(self, tokens_per_second: float = 250.0) -> None:
        self.tokens_per_second = tokens_per_second

    def add(self, tokens: int, seconds: float) -> None:
        """Count a batch; batches too small to tell are ignored."""
        if tokens < BATCH_TOKENS_MIN:
            return
        speed = tokens / max(seconds, 1e-6)
        self.tokens_per_second += NEWEST * (speed - self.tokens_per_second)

    def tokens_in(self, seconds: float, tokens_max: int) -> int:
        """Count of tokens that take about ``seconds``, at least one."""
        return max(1, min(int(self.tokens_per_second * seconds), tokens_max))
