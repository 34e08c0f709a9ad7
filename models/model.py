"""What a model offers to the rest of the program, as a protocol; it never names a runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from assist.cache.parked import State
from assist.models.vocabulary import Vocabulary

Logits = npt.NDArray[np.float32]
Abort = Callable[[], bool]

# Sequences of the native cache. The focused document is LIVE; while an edit is carried out, spans
# that wait for their place are in STAGE, one that is being moved is in HAND; the rest is for branches.
LIVE = 0
STAGE = 1
HAND = 2
BRANCH_FIRST = 3
SEQUENCES_MAX = 8


class Aborted(Exception):
    """The abort callback asked to stop; what the cache holds of the aborted batch is gone."""


@dataclass(frozen=True)
class Row:
    """One token to append to one sequence."""

    sequence: int
    position: int
    token: int


class Model(Protocol):
    """A loaded model with its native memory.

    Positions are token positions; a sequence holds the positions ``0 .. length-1`` without gaps
    whenever :meth:`evaluate` is called on it. A token sees those of its sequence that stand
    before it, in whatever order they were evaluated.
    """

    @property
    def name(self) -> str: ...
    @property
    def file(self) -> str: ...
    @property
    def fingerprint(self) -> str:
        """Differs whenever a saved state would not fit: file, runtime and settings."""
        ...

    @property
    def vocabulary(self) -> Vocabulary: ...
    @property
    def context_tokens_max(self) -> int: ...
    @property
    def batch_tokens_max(self) -> int: ...
    @property
    def can_shift(self) -> bool: ...
    @property
    def can_insert(self) -> bool:
        """Whether :meth:`evaluate_rows` takes positions before the last one of their sequence."""
        ...

    def tokenize(self, text: str) -> list[int]:
        """Tokens of plain text: no token added, marker text inside it stays text."""
        ...

    def evaluate(
        self,
        tokens: Sequence[int],
        position: int,
        *,
        sequence: int = LIVE,
        logits: int = 1,
        abort: Abort | None = None,
    ) -> Logits:
        """Append ``tokens`` at ``position`` to ``sequence``.

        Returns the logits of the last ``logits`` tokens, shape ``(logits, vocabulary.size)``.
        Raises :class:`Aborted` when ``abort`` returned true; tokens of the aborted call may be
        in the sequence up to a batch's end, so the caller removes from ``position`` on. A pending
        shift is carried out first and is never interrupted.
        """
        ...

    def evaluate_rows(
        self, rows: Sequence[Row], *, logits: int | None = None, abort: Abort | None = None
    ) -> Logits:
        """Evaluate rows of several sequences, or of several places of one, in one batch.

        Positions of a sequence rise; each is free, and follows the last of its sequence unless
        :attr:`can_insert`. Returns the logits of the last ``logits`` rows (none: of all), shape
        ``(logits, vocabulary.size)``. Raises :class:`Aborted`: then each of the sequences has
        lost everything from its first row on.
        """
        ...

    def memory_remove(self, sequence: int, start: int, end: int) -> None:
        """Forget positions ``start <= p < end`` (``end`` -1: to the end)."""
        ...

    def memory_copy(self, source: int, target: int, start: int, end: int) -> None:
        """Let ``target`` see the cells of ``source`` in ``[start, end)``."""
        ...

    def memory_shift(self, sequence: int, start: int, end: int, delta: int) -> None:
        """Move cells by ``delta`` positions; keys are rotated within the next evaluation."""
        ...

    def state_save(self, sequence: int) -> State:
        """Keys and values of a sequence as bytes."""
        ...

    def state_load(self, sequence: int, state: State) -> bool:
        """Restore a sequence; false when the bytes do not fit this model."""
        ...

    def close(self) -> None: ...
