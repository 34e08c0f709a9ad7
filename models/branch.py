"""A sequence that shares the prompt's cells and goes on by itself; it never outlives the next prefill."""

from __future__ import annotations

from collections.abc import Sequence

from assist.models.model import Abort, Aborted, Logits, Model


class Branch:
    """One of several continuations of the same prompt; ``length`` counts all its tokens."""

    def __init__(self, model: Model, sequence: int, length: int) -> None:
        self.sequence = sequence
        self.length = length
        self.open = True
        self._model = model

    def extend(
        self, tokens: Sequence[int], *, logits: int = 1, abort: Abort | None = None
    ) -> Logits:
        """Append ``tokens``; returns the logits of the last ``logits`` of them."""
        try:
            rows = self._model.evaluate(
                tokens, self.length, sequence=self.sequence, logits=logits, abort=abort
            )
        except Aborted:
            self._model.memory_remove(self.sequence, self.length, -1)
            raise
        self.length += len(tokens)
        return rows

    def truncate(self, length: int) -> None:
        """Forget everything from ``length`` on."""
        if length < self.length:
            self._model.memory_remove(self.sequence, length, -1)
            self.length = length

    def close(self) -> None:
        if self.open:
            self._model.memory_remove(self.sequence, 0, -1)
            self.open = False
