"""The cache of one model: a mirror of what its native memory holds, the execution of plans, parked documents; it never decides what a prompt says."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from assist.cache.kv import EditPlan, Reuse, ReusePolicy, plan_edit
from assist.cache.parked import MEMORY_BYTES_MAX, Parked
from assist.cache.shelf import Shelf
from assist.cache.tokens import EMPTY, TokenBuffer, Tokens
from assist.models.branch import Branch
from assist.models.model import (
    BRANCH_FIRST,
    LIVE,
    SEQUENCES_MAX,
    STAGE,
    Abort,
    Aborted,
    Logits,
    Model,
    Row,
)
from assist.models.moves import move_spans, put_back, take_out
from assist.models.pace import Pace

if TYPE_CHECKING:
    from assist.cache.store import StateStore

# The first chunk of a prefill is finished whatever happens, so that typing cannot starve it.
# It also carries out a pending shift, which must never be interrupted.
FIRST_CHUNK_SECONDS = 0.04
# Later ones double up to the size that is quickest: a keystroke soon after the first should cost
# the work of a small one. A rest is no batch of its own: a batch costs as much as ten tokens.
SECOND_CHUNK_TOKENS = 32
CHUNK_TOKENS = 128
REST_SHARE_MAX = 0.5
REFRESH_CHUNK_TOKENS = 64
# A document with fewer tokens is evaluated quicker than it is parked.
PARK_TOKENS_MIN = 64


@dataclass(frozen=True)
class Prefill:
    """What one prefill did: logits of the last token, shape (1, vocabulary), and token counts.

    ``reused`` tokens stayed in place, ``shifted`` ones moved, ``evaluated`` ones were computed.
    """

    logits: Logits
    reused: int
    shifted: int
    evaluated: int


@dataclass(frozen=True)
class KvStatus:
    """Figures of a session, in tokens and bytes; ``reuse`` is the policy in effect and why."""

    document: str
    tokens: int
    exact: int
    context_tokens_max: int
    reuse: Reuse
    reason: str
    parked_documents: int
    parked_bytes: int
    parked_bytes_max: int
    reused: int
    shifted: int
    evaluated: int
    refreshed: int


class KvSession:
    """One focused document in the native memory, others parked; the mirror follows the memory.

    Not safe for use by several threads: one inference lane owns it.
    """

    def __init__(
        self,
        model: Model,
        policy: ReusePolicy | None = None,
        *,
        memory_bytes_max: int = MEMORY_BYTES_MAX,
        store: StateStore | None = None,
    ) -> None:
        self.model = model
        self.policy = policy or ReusePolicy()
        self.document = ""
        self.pace = Pace()
        self._shelf = Shelf(model.fingerprint, store, memory_bytes_max)
        self._buffer = EMPTY
        self._stored = EMPTY
        self._stored_at = -math.inf
        # The live tokens are those of the document that was focused before.
        self._foreign = False
        self._branches: list[Branch] = []
        self._reused = self._shifted = self._evaluated = self._refreshed = 0

    @property
    def tokens(self) -> Tokens:
        """Tokens that the memory holds for the focused document, in order."""
        return self._buffer.tokens

    @property
    def buffer(self) -> TokenBuffer:
        return self._buffer

    def prefill(
        self,
        tokens: Sequence[int],
        *,
        document: str | None = None,
        abort: Abort | None = None,
        policy: ReusePolicy | None = None,
    ) -> Prefill:
        """Make the memory hold ``tokens`` of ``document`` (none: the focused one).

        Where reuse could have decided a tie of the two best, everything is made exact first.
        Raises :class:`Aborted` when ``abort`` returned true, and keeps what was finished: at
        least one chunk, unless it was true from the beginning. Ends every branch.
        """
        if not 0 < len(tokens) <= self.model.context_tokens_max:
            raise ValueError(
                f"a prompt of {len(tokens)} tokens; 1 to {self.model.context_tokens_max} fit"
            )
        if abort is not None and abort():
            raise Aborted
        if document is not None:
            self.focus(document)
        self._end_branches()
        allowed = self._allowed(policy or self.policy)
        plan = plan_edit(self._buffer, tokens, allowed)
        move_spans(self.model, self._buffer.positions, plan)
        self._buffer = plan.buffer
        self._foreign = False
        logits = self._evaluate_gaps(plan, abort)
        self._reused += plan.reused
        self._shifted += plan.shifted
        evaluated, inexact = plan.evaluated, len(self._buffer) - self._buffer.exact
        if inexact and _lead(logits) < allowed.tie_logits:
            logits = self._exactly(abort)
            evaluated += inexact
        return Prefill(logits, plan.reused, plan.shifted, evaluated)

    def prewarm(
        self, tokens: Sequence[int], *, document: str | None = None, abort: Abort | None = None
    ) -> bool:
        """As :meth:`prefill` in idle time; false when it was interrupted."""
        try:
            self.prefill(tokens, document=document, abort=abort)
        except Aborted:
            return False
        return True

    def extend(
        self, tokens: Sequence[int], *, logits: int = 1, abort: Abort | None = None
    ) -> Logits:
        """Append ``tokens``; returns the logits of the last ``logits`` of them."""
        if self._buffer.contiguous != len(self._buffer):
            raise RuntimeError("the last prefill was interrupted; prefill again")
        end = len(self._buffer)
        positions = np.arange(end, end + len(tokens), dtype=np.int32)
        with self._mirrored(np.asarray(tokens, np.int32), positions):
            return self.model.evaluate(tokens, end, logits=logits, abort=abort)

    def truncate(self, length: int) -> None:
        """Forget everything from index ``length`` on."""
        if length < len(self._buffer):
            self.model.memory_remove(LIVE, int(self._buffer.positions[length]), -1)
            self._buffer = self._buffer.cut(length)

    def fork(self, count: int) -> tuple[Branch, ...]:
        """Sequences that start with the live tokens and go on each for itself.

        They share the cells of the prompt and end with the next prefill. Raises
        :class:`ValueError` when more than ``SEQUENCES_MAX - BRANCH_FIRST`` would be open.
        """
        taken = {branch.sequence for branch in self._branches if branch.open}
        free = [s for s in range(BRANCH_FIRST, SEQUENCES_MAX) if s not in taken]
        if count > len(free):
            raise ValueError(f"{count} branches; {len(free)} are free")
        branches = []
        for sequence in free[:count]:
            self.model.memory_copy(LIVE, sequence, 0, -1)
            branches.append(Branch(self.model, sequence, len(self._buffer)))
        self._branches = [branch for branch in self._branches if branch.open] + branches
        return tuple(branches)

    def step(
        self, branches: Sequence[Branch], tokens: Sequence[int], *, abort: Abort | None = None
    ) -> Logits:
        """Append one token to each branch in one batch; logits of shape (branches, vocabulary)."""
        rows = [
            Row(branch.sequence, branch.length, token)
            for branch, token in zip(branches, tokens, strict=True)
        ]
        try:
            logits = self.model.evaluate_rows(rows, abort=abort)
        except Aborted:
            for row in rows:
                self.model.memory_remove(row.sequence, row.position, -1)
            raise
        for branch in branches:
            branch.length += 1
        return logits

    def refresh(self, abort: Abort | None = None) -> bool:
        """Make everything exact, chunk by chunk; false when ``abort`` interrupted it.

        Then the memory is that of a computation from the beginning, cell for cell and bit for bit.
        An interruption loses at most the work of one chunk, never what the memory held.
        """
        self._end_branches()
        buffer = self._buffer
        start, end = buffer.exact, buffer.contiguous
        if start == end:
            return True
        if abort is not None and abort():
            return False
        cuts = [*range(start, end, REFRESH_CHUNK_TOKENS), end]
        try:
            *old, behind = take_out(self.model, buffer.positions, [*cuts, len(buffer)])
            done = self._evaluate_again(cuts, abort)
            put_back(self.model, [*old[done:], behind])
        except Exception:
            self.reset()
            raise
        self._buffer = buffer.replaced_exactly(cuts[done] - start)
        self._refreshed += cuts[done] - start
        return done == len(old)

    def focus(self, document: str) -> None:
        """Make ``document`` the one in the native memory: park the other, bring its cells back."""
        if document == self.document:
            return
        self._end_branches()
        self._park()
        self.document = document
        parked = self._shelf.take(document)
        if parked is None:
            self._foreign = True
        else:
            self.restore(parked)

    def is_cold(self, document: str) -> bool:
        """Whether nothing of ``document`` is known, in the native memory, parked or on disk."""
        self.focus(document)
        return self._foreign or not len(self._buffer)

    def snapshot(self) -> Parked:
        """What the memory holds, to be given to :meth:`restore` of a session with the same model."""
        state = self.model.state_save(LIVE)
        return Parked(self._buffer, state, stored=self._stored is self._buffer)

    def restore(self, parked: Parked) -> None:
        """Make the memory hold a snapshot; a snapshot that does not fit leaves it empty."""
        self.reset()
        self._foreign = False
        if self.model.state_load(LIVE, parked.state):
            self._buffer = parked.buffer
            self._stored = parked.buffer if parked.stored else EMPTY
        else:
            self.reset()

    def persist(self, abort: Abort | None = None, *, seconds_min: float = 60.0) -> bool:
        """Write states that are not on disk yet; false when interrupted.

        The live document is written at most once in ``seconds_min``.
        """
        if not self._shelf.write_parked(abort) or (abort is not None and abort()):
            return False
        now = time.monotonic()
        due = self._stored is not self._buffer and now - self._stored_at >= seconds_min
        if due and self._shelf.has_disk and self._worth_parking():
            self._shelf.write(self.document, self.snapshot())
            self._stored, self._stored_at = self._buffer, now
        return True

    def forget(self, document: str) -> None:
        """Drop a document everywhere, also from disk."""
        self._shelf.forget(document)
        if document == self.document:
            self.reset()

    def reset(self) -> None:
        """Empty the native memory."""
        self._end_branches()
        for sequence in range(SEQUENCES_MAX):
            self.model.memory_remove(sequence, 0, -1)
        self._buffer = EMPTY

    def status(self) -> KvStatus:
        parked = self._shelf.parked
        policy, reason = self.policy, "as configured"
        if policy.reuse == "shift" and not self.model.can_shift:
            policy = replace(policy, reuse="prefix")
            reason = "the positions of this model's keys cannot be shifted"
        elif policy.reuse == "shift" and not self.model.can_insert:
            reason = "as configured; this build of llama.cpp reads each place of an edit by itself"
        return KvStatus(
            document=self.document,
            tokens=len(self._buffer),
            exact=self._buffer.exact,
            context_tokens_max=self.model.context_tokens_max,
            reuse=policy.reuse,
            reason=reason,
            parked_documents=len(parked),
            parked_bytes=parked.bytes,
            parked_bytes_max=parked.bytes_max,
            reused=self._reused,
            shifted=self._shifted,
            evaluated=self._evaluated,
            refreshed=self._refreshed,
        )

    def _allowed(self, policy: ReusePolicy) -> ReusePolicy:
        if policy.reuse == "shift" and (self._foreign or not self.model.can_shift):
            return replace(policy, reuse="prefix")
        return policy

    def _evaluate_gaps(self, plan: EditPlan, abort: Abort | None) -> Logits:
        """Evaluate what no span fills: all places in one go, or where the model cannot insert one
        after the other, each with everything behind it out of the way.
        """
        logits = np.zeros((0, self.model.vocabulary.size), np.float32)
        places = [np.arange(start, end, dtype=np.int32) for start, end in plan.gaps]
        if self.model.can_insert:
            places = [np.concatenate(places)]
        armed: Abort | None = None
        size_max = min(CHUNK_TOKENS, self.model.batch_tokens_max)
        size = self.pace.tokens_in(FIRST_CHUNK_SECONDS, size_max)
        larger = max(size, min(SECOND_CHUNK_TOKENS, size_max))
        try:
            for place in places:
                # What was copied stays in STAGE too: an aborted batch takes it out of LIVE.
                self.model.memory_copy(
                    STAGE, LIVE, 0, -1 if self.model.can_insert else int(place[0])
                )
                while len(place):
                    if len(place) <= min(size * (1 + REST_SHARE_MAX), size_max):
                        size = len(place)
                    chunk, place = place[:size], place[size:]
                    logits = self._fill(plan.tokens, chunk, armed)
                    armed, size, larger = abort, larger, min(2 * larger, size_max)
        finally:
            self.model.memory_copy(STAGE, LIVE, 0, -1)
            self.model.memory_remove(STAGE, 0, -1)
        return logits

    def _fill(self, tokens: Tokens, positions: Tokens, abort: Abort | None) -> Logits:
        """Evaluate ``tokens`` at ``positions`` of LIVE; logits if the last one is among them."""
        rows = [Row(LIVE, at, int(tokens[at])) for at in positions.tolist()]
        wanted = int(rows[-1].position == len(tokens) - 1)
        with self._mirrored(tokens[positions], positions):
            return self.model.evaluate_rows(rows, logits=wanted, abort=abort)

    @contextmanager
    def _mirrored(self, tokens: Tokens, positions: Tokens) -> Iterator[None]:
        """The mirror changes when the evaluation of ``tokens`` in LIVE succeeded."""
        started = time.perf_counter()
        try:
            yield
        except Aborted:
            self.model.memory_remove(LIVE, int(positions[0]), -1)
            raise
        except Exception:
            self.reset()
            raise
        self.pace.add(len(tokens), time.perf_counter() - started)
        self._evaluated += len(tokens)
        self._buffer = self._buffer.fill(tokens, positions)

    def _exactly(self, abort: Abort | None) -> Logits:
        """Logits of the last token once everything before it is exact."""
        last = self._buffer.tokens[-1:]
        self.truncate(len(self._buffer) - 1)
        if not self.refresh(abort):
            raise Aborted
        return self.extend(last.tolist(), abort=abort)

    def _evaluate_again(self, cuts: Sequence[int], abort: Abort | None) -> int:
        """Evaluate the tokens between ``cuts`` at the end of LIVE; how many parts were finished."""
        for done, (start, end) in enumerate(pairwise(cuts)):
            tokens = self._buffer.tokens[start:end].tolist()
            try:
                self.model.evaluate(tokens, start, logits=0, abort=abort)
            except Aborted:
                self.model.memory_remove(LIVE, start, -1)
                return done
        return len(cuts) - 1

    def _end_branches(self) -> None:
        for branch in self._branches:
            branch.close()
        self._branches = []

    def _worth_parking(self) -> bool:
        return bool(self.document) and len(self._buffer) >= PARK_TOKENS_MIN

    def _park(self) -> None:
        if self._worth_parking():
            self._shelf.put(self.document, self.snapshot())
        self._stored = EMPTY


def _lead(logits: Logits) -> float:
    """By how much the favourite of the last row leads."""
    second, first = np.partition(logits[-1], -2)[-2:]
    return float(first - second)
