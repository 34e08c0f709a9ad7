"""A model without weights that keeps the rules of the native memory strictly and answers by a script; it never estimates anything."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assist.cache.parked import State
from assist.models.model import LIVE, SEQUENCES_MAX, Abort, Aborted, Logits, Row
from assist.models.vocabulary import FimIds, Vocabulary

MARKERS = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<end>")
BYTES = 256
EVALUATIONS_MAX = 1000
SCRIPTED_LOGIT = 20.0


@dataclass(frozen=True)
class Evaluation:
    """One evaluated batch: what was appended where, and the whole sequence after it."""

    sequence: int
    position: int
    tokens: tuple[int, ...]
    context: tuple[int, ...]


@dataclass
class Cell:
    """Key and value of one token: the position its key was rotated to, and what it came from.

    ``origin`` digests the whole context the value was computed from: two cells are
    interchangeable only if token, ``rotation`` and ``origin`` agree.
    """

    token: int
    rotation: int
    origin: bytes


class ScriptedModel:
    """Implements :class:`assist.models.model.Model` over single bytes and four markers.

    Without ``script`` the logits are a digest of every visible token and its key's rotation, so
    that a wrong reuse shows in the next answer. With ``script`` the model continues it: after a
    context that ends with the first n tokens of the script follows the next one, then the end.
    Breaking a rule of the native memory raises :class:`RuntimeError`.
    """

    def __init__(
        self,
        script: str = "",
        *,
        context_tokens_max: int = 4096,
        batch_tokens_max: int = 256,
        can_shift: bool = True,
    ) -> None:
        self.name = "scripted"
        self.file = ""
        self.fingerprint = f"scripted-{context_tokens_max}"
        self.context_tokens_max = context_tokens_max
        self.batch_tokens_max = batch_tokens_max
        self.can_shift = can_shift
        pieces = [bytes([byte]) for byte in range(BYTES)] + [m.encode() for m in MARKERS]
        special = frozenset(range(BYTES, BYTES + len(MARKERS)))
        fim = FimIds(prefix=BYTES, suffix=BYTES + 1, middle=BYTES + 2)
        self.end = BYTES + 3
        self.vocabulary = Vocabulary(tuple(pieces), special, frozenset({self.end}), fim)
        self.script = tuple(self.tokenize(script))
        self.evaluations: deque[Evaluation] = deque(maxlen=EVALUATIONS_MAX)
        # position -> cell, of every sequence; sequences may share a cell
        self._sequences: list[dict[int, Cell]] = [{} for _ in range(SEQUENCES_MAX)]
        self._shifted: list[Cell] = []
        self._closed = False

    @property
    def cells(self) -> int:
        """Count of cells in use by any sequence."""
        return len({id(cell) for sequence in self._sequences for cell in sequence.values()})

    def metadata(self, key: str) -> str | None:
        """A scripted model has no file, so nothing is known."""
        return None

    def tokenize(self, text: str) -> list[int]:
        return list(text.encode("utf-8", "surrogatepass"))

    def evaluate(
        self,
        tokens: Sequence[int],
        position: int,
        *,
        sequence: int = LIVE,
        logits: int = 1,
        abort: Abort | None = None,
    ) -> Logits:
        rows = []
        self._rotate()
        for start in range(0, len(tokens), self.batch_tokens_max):
            batch = tokens[start : start + self.batch_tokens_max]
            if abort is not None and abort():
                raise Aborted
            self._check_room(sequence, position + start, len(batch))
            for index, token in enumerate(batch, start):
                self._append(sequence, position + index, token)
                if index >= len(tokens) - logits:
                    rows.append(self._logits(sequence))
            if abort is not None and abort():
                self.memory_remove(sequence, position + start, -1)
                raise Aborted
        self._record(sequence, position, tokens)
        return self._stacked(rows)

    def evaluate_rows(self, rows: Sequence[Row], *, abort: Abort | None = None) -> Logits:
        self._rotate()
        if abort is not None and abort():
            raise Aborted
        for row in rows:
            self._check_room(row.sequence, row.position, 1)
            self._append(row.sequence, row.position, row.token)
            self._record(row.sequence, row.position, [row.token])
        return self._stacked([self._logits(row.sequence) for row in rows])

    def memory_remove(self, sequence: int, start: int, end: int) -> None:
        cells = self._cells(sequence)
        for position in _range(cells, start, end):
            del cells[position]

    def memory_copy(self, source: int, target: int, start: int, end: int) -> None:
        cells, copies = self._cells(source), self._cells(target)
        for position in _range(cells, start, end):
            if copies.setdefault(position, cells[position]) is not cells[position]:
                raise RuntimeError(f"two cells of sequence {target} at position {position}")

    def memory_shift(self, sequence: int, start: int, end: int, delta: int) -> None:
        if not self.can_shift:
            raise RuntimeError("this model cannot shift")
        cells = self._cells(sequence)
        moved = {id(cells[position]) for position in _range(cells, start, end)}
        self._shifted += [cells[position] for position in _range(cells, start, end)]
        for index, sequence_cells in enumerate(self._sequences):
            shifted: dict[int, Cell] = {}
            for position, cell in sequence_cells.items():
                new = position + delta if id(cell) in moved else position
                if new < 0 or new in shifted:
                    raise RuntimeError(f"a shift puts two cells at {new}, or before the start")
                shifted[new] = cell
            self._sequences[index] = shifted

    def state_save(self, sequence: int) -> State:
        if self._shifted:
            raise RuntimeError("a state was saved while a shift is pending")
        rows = [
            (token, position, origin.hex()) for token, position, _, origin in self.origins(sequence)
        ]
        return json.dumps([self.fingerprint, rows]).encode()

    def state_load(self, sequence: int, state: State) -> bool:
        self.memory_remove(sequence, 0, -1)
        try:
            fingerprint, rows = json.loads(state)
        except ValueError:
            return False
        if fingerprint != self.fingerprint or self.cells + len(rows) > self.context_tokens_max:
            return False
        cells = self._cells(sequence)
        for token, position, origin in rows:
            cells[position] = Cell(token, position, bytes.fromhex(origin))
        return True

    def close(self) -> None:
        self._closed = True

    def origins(self, sequence: int = LIVE) -> list[tuple[int, int, int, bytes]]:
        """(token, position, rotation, origin) of every cell of ``sequence``, by position."""
        cells = sorted(self._cells(sequence).items())
        return [(cell.token, position, cell.rotation, cell.origin) for position, cell in cells]

    def _append(self, sequence: int, position: int, token: int) -> None:
        if not 0 <= token < self.vocabulary.size:
            raise RuntimeError(f"token {token} is not in the vocabulary")
        cells = self._cells(sequence)
        before = cells.get(position - 1)
        cells[position] = Cell(token, position, origin_after(before, token, position))

    def _check_room(self, sequence: int, position: int, count: int) -> None:
        if self._closed:
            raise RuntimeError("the model is closed")
        if self._cells(sequence).keys() != set(range(position)):
            raise RuntimeError(f"position {position} is not the end of a gapless sequence")
        if self.cells + count > self.context_tokens_max:
            raise RuntimeError("no free cell")

    def _rotate(self) -> None:
        if self._shifted:
            for sequence in self._sequences:
                for position, cell in sequence.items():
                    cell.rotation = position
            self._shifted = []

    def _logits(self, sequence: int) -> Logits:
        context = self.origins(sequence)
        if self.script:
            row = np.zeros(self.vocabulary.size, np.float32)
            row[self._next([token for token, *_ in context])] = SCRIPTED_LOGIT
            return row
        return digest_logits([(token, rotation) for token, _, rotation, _ in context])

    def _next(self, context: list[int]) -> int:
        for done in range(len(self.script), 0, -1):
            if tuple(context[-done:]) == self.script[:done]:
                return self.script[done] if done < len(self.script) else self.end
        return self.script[0]

    def _record(self, sequence: int, position: int, tokens: Sequence[int]) -> None:
        context = tuple(token for token, *_ in self.origins(sequence))
        self.evaluations.append(Evaluation(sequence, position, tuple(tokens), context))

    def _cells(self, sequence: int) -> dict[int, Cell]:
        if not 0 <= sequence < SEQUENCES_MAX:
            raise RuntimeError(f"sequence {sequence} does not exist")
        return self._sequences[sequence]

    def _stacked(self, rows: list[Logits]) -> Logits:
        return np.stack(rows) if rows else np.zeros((0, self.vocabulary.size), np.float32)


def origin_after(before: Cell | None, token: int, position: int) -> bytes:
    """Origin of a token that follows ``before``."""
    digest = hashlib.blake2b(digest_size=8)
    if before is not None:
        digest.update(b"%d,%d,%s;" % (before.token, before.rotation, before.origin))
    digest.update(b"%d,%d" % (token, position))
    return digest.digest()


def digest_logits(context: Sequence[tuple[int, int]]) -> Logits:
    """Logits of a context of (token, rotation of its key), shape (vocabulary,)."""
    digest = hashlib.blake2b(np.asarray(context, np.int64).tobytes(), digest_size=8)
    generator = np.random.default_rng(int.from_bytes(digest.digest(), "big"))
    return generator.standard_normal(BYTES + len(MARKERS)).astype(np.float32)


def _range(cells: dict[int, Cell], start: int, end: int) -> list[int]:
    return [position for position in cells if position >= start and (end < 0 or position < end)]
