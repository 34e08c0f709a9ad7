"""The mirror of what the native cache holds for the focused document, and its execution of plans; it never decides what a prompt says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assist.models.model import FOCUS, Abort, Logits, Model


@dataclass(frozen=True)
class Prefill:
    """What one prefill did: logits of the last token, shape (1, vocabulary), and token counts."""

    logits: Logits
    reused: int
    shifted: int
    evaluated: int


class KvSession:
    """Tokens of the focused document as the native cache holds them; changed only after a decode succeeded."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.tokens: list[int] = []

    def prefill(self, tokens: Sequence[int], *, abort: Abort | None = None) -> Prefill:
        """Make the cache hold ``tokens``; raises :class:`Aborted` and keeps what was finished."""
        keep = _common_prefix(self.tokens, tokens)
        keep = min(keep, len(tokens) - 1)
        self.truncate(keep)
        logits = None
        size = self.model.batch_tokens_max
        for start in range(keep, len(tokens), size):
            logits = self.extend(tokens[start : start + size], abort=abort)
        assert logits is not None
        return Prefill(logits, reused=keep, shifted=0, evaluated=len(tokens) - keep)

    def extend(
        self, tokens: Sequence[int], *, logits: int = 1, abort: Abort | None = None
    ) -> Logits:
        """Append ``tokens``; returns the logits of the last ``logits`` of them."""
        rows = self.model.evaluate(
            tokens, len(self.tokens), sequence=FOCUS, logits=logits, abort=abort
        )
        self.tokens.extend(tokens)
        return rows

    def truncate(self, length: int) -> None:
        """Forget everything from position ``length`` on."""
        if length < len(self.tokens):
            self.model.memory_remove(FOCUS, length, -1)
            del self.tokens[length:]


def _common_prefix(old: Sequence[int], new: Sequence[int]) -> int:
    count = 0
    for left, right in zip(old, new, strict=False):
        if left != right:
            break
        count += 1
    return count
