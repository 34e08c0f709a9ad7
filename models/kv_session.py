"""The mirror of what the native cache holds for the focused document, and its execution of plans; it never decides what a prompt says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assist.cache.kv import EditPlan, ReusePolicy, plan_edit
from assist.cache.tokens import EMPTY, TokenBuffer, Tokens
from assist.models.model import HAND, LIVE, SEQUENCES_MAX, STAGE, Abort, Aborted, Logits, Model

CHUNK_TOKENS = 64


@dataclass(frozen=True)
class Prefill:
    """What one prefill did: logits of the last token, shape (1, vocabulary), and token counts.

    ``reused`` tokens stayed in place, ``shifted`` ones moved, ``evaluated`` ones were computed.
    """

    logits: Logits
    reused: int
    shifted: int
    evaluated: int


class KvSession:
    """The cache of one model: the mirror changes only after the native memory did."""

    def __init__(self, model: Model, policy: ReusePolicy | None = None) -> None:
        self.model = model
        self.policy = policy or ReusePolicy()
        self._buffer = EMPTY

    @property
    def tokens(self) -> Tokens:
        """Tokens that the cache holds for the focused document, in order."""
        return self._buffer.tokens

    @property
    def buffer(self) -> TokenBuffer:
        return self._buffer

    def prefill(
        self,
        tokens: Sequence[int],
        *,
        abort: Abort | None = None,
        policy: ReusePolicy | None = None,
    ) -> Prefill:
        """Make the cache hold ``tokens``; raises :class:`Aborted` and keeps what was finished."""
        if not len(tokens):
            raise ValueError("a prompt has at least one token")
        if abort is not None and abort():
            raise Aborted
        plan = plan_edit(self._buffer, tokens, self._allowed(policy or self.policy))
        self._place(plan)
        logits = self._evaluate_gaps(plan, abort)
        return Prefill(logits, plan.reused, plan.shifted, plan.evaluated)

    def extend(
        self, tokens: Sequence[int], *, logits: int = 1, abort: Abort | None = None
    ) -> Logits:
        """Append ``tokens``; returns the logits of the last ``logits`` of them."""
        return self._append(tokens, self._buffer.contiguous, logits, abort)

    def truncate(self, length: int) -> None:
        """Forget everything from position ``length`` on."""
        if length < len(self._buffer):
            self.model.memory_remove(LIVE, length, -1)
            self._buffer = self._buffer.cut(length)

    def reset(self) -> None:
        """Forget everything."""
        for sequence in range(SEQUENCES_MAX):
            self.model.memory_remove(sequence, 0, -1)
        self._buffer = EMPTY

    def _allowed(self, policy: ReusePolicy) -> ReusePolicy:
        if policy.reuse == "shift" and not self.model.can_shift:
            return ReusePolicy("prefix")
        return policy

    def _place(self, plan: EditPlan) -> None:
        """Bring every kept span to its new position; only the head stays in LIVE."""
        memory = self.model
        positions = self._buffer.positions
        for span in plan.spans:
            if span.new < plan.head:
                continue
            start = int(positions[span.old])
            end = start + span.size
            memory.memory_copy(LIVE, HAND, start, end)
            memory.memory_remove(LIVE, start, end)
            if span.delta:
                memory.memory_shift(HAND, 0, -1, span.delta)
            memory.memory_copy(HAND, STAGE, 0, -1)
            memory.memory_remove(HAND, 0, -1)
        memory.memory_remove(LIVE, plan.head, -1)
        self._buffer = plan.buffer

    def _evaluate_gaps(self, plan: EditPlan, abort: Abort | None) -> Logits:
        logits = np.zeros((0, self.model.vocabulary.size), np.float32)
        spans = [span for span in plan.spans if span.new >= plan.head]
        try:
            for start, end in plan.gaps:
                while spans and spans[0].new < start:
                    self._unstage(spans.pop(0).new, start)
                for at in range(start, end, CHUNK_TOKENS):
                    chunk = plan.tokens[at : min(at + CHUNK_TOKENS, end)]
                    wanted = int(at + len(chunk) == len(plan.tokens))
                    logits = self._append(chunk.tolist(), at, wanted, abort)
        finally:
            self._unstage(0, -1)
        return logits

    def _append(
        self, tokens: Sequence[int], position: int, logits: int, abort: Abort | None
    ) -> Logits:
        """Evaluate at the end of LIVE; the mirror changes when that succeeded."""
        try:
            rows = self.model.evaluate(tokens, position, sequence=LIVE, logits=logits, abort=abort)
        except Aborted:
            self.model.memory_remove(LIVE, position, -1)
            raise
        except Exception:
            self.reset()
            raise
        self._buffer = self._buffer.fill(tokens, position)
        return rows

    def _unstage(self, start: int, end: int) -> None:
        self.model.memory_copy(STAGE, LIVE, start, end)
        self.model.memory_remove(STAGE, start, end)
