"""How many tokens to evaluate at once, from what the last batches took; it never evaluates."""

from __future__ import annotations

# Weight of the newest batch in the running times.
NEWEST = 0.3
# Batches of so few tokens tell what any batch costs; of at least so many, what a token adds.
FEW_TOKENS_MAX = 2
MANY_TOKENS_MIN = 8
TOKEN_SECONDS_MIN = 1e-6


class Pace:
    """Running time of a batch: a part that every batch costs, and a part for each token."""

    def __init__(self, batch_seconds: float = 0.02, token_seconds: float = 0.003) -> None:
        self.batch_seconds = batch_seconds
        self.token_seconds = token_seconds

    def add(self, tokens: int, seconds: float) -> None:
        """Learn from a batch of ``tokens``; one of neither few nor many tells too little."""
        if tokens <= FEW_TOKENS_MAX:
            self.batch_seconds += NEWEST * (seconds - self.batch_seconds)
        elif tokens >= MANY_TOKENS_MIN:
            each = max((seconds - self.batch_seconds) / tokens, TOKEN_SECONDS_MIN)
            self.token_seconds += NEWEST * (each - self.token_seconds)

    def tokens_in(self, seconds: float, tokens_max: int) -> int:
        """Count of tokens that take about ``seconds`` in one batch, at least one."""
        count = (seconds - self.batch_seconds) / self.token_seconds
        return max(1, min(int(count), tokens_max))
