"""A model without weights that keeps the rules of the native memory strictly and answers by a script; it never estimates anything."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assist.cache.parked import State
from assist.models.model import LIVE, SEQUENCES_MAX, Abort, Aborted, Logits, Row
from assist.models.vocabulary import Vocabulary

BYTE_TOKENS = 256
END_PIECE = b"<end>"
FAVOURITE_LOGIT = 20.0
EVALUATED_MAX = 10_000


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
    """Implements :class:`assist.models.model.Model` from a script.

    ``script`` maps the end of a prompt to the answers that follow it, favourite first; without
    one the logits are a digest of every visible token and its key's rotation, so that a wrong
    reuse shows in the next answer. The vocabulary has every byte, ``pieces`` (longest match
    wins), ``markers`` and an end token, which follows an answer; with ``reads_markers`` marker
    text in user text becomes a marker, as with files that declare their markers badly.
    ``evaluated`` records the last calls as (position, tokens). Breaking a rule of the native
    memory raises :class:`RuntimeError`.
    """

    def __init__(
        self,
        script: Mapping[str, str | Sequence[str]] | None = None,
        *,
        pieces: Sequence[str] = (),
        markers: Sequence[str] = (),
        reads_markers: bool = False,
        context_tokens: int = 4096,
        batch_tokens: int = 64,
        can_shift: bool = True,
        can_insert: bool = True,
    ) -> None:
        texts = [bytes([byte]) for byte in range(BYTE_TOKENS)] + [p.encode() for p in pieces]
        text_tokens = len(texts)
        texts += [marker.encode() for marker in markers] + [END_PIECE]
        self.end = len(texts) - 1
        special = frozenset(range(text_tokens, len(texts)))
        self.vocabulary = Vocabulary(tuple(texts), special, frozenset({self.end}))
        self.name = "scripted"
        self.file = ""
        self.fingerprint = f"scripted {context_tokens} {len(texts)}"
        self.context_tokens_max = context_tokens
        self.batch_tokens_max = batch_tokens
        self.can_shift = can_shift
        self.can_insert = can_insert
        self.evaluated: deque[tuple[int, tuple[int, ...]]] = deque(maxlen=EVALUATED_MAX)
        readable = texts[: -1 if reads_markers else text_tokens]
        self._ids = {piece: token for token, piece in enumerate(readable)}
        self._piece_bytes_max = max(map(len, readable))
        self._script = [
            (key.encode(), [a.encode() for a in _listed(answers)])
            for key, answers in (script or {}).items()
        ]
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
        data = text.encode("utf-8", "surrogatepass")
        tokens: list[int] = []
        at = 0
        while at < len(data):
            tokens.append(self._longest(data[at : at + self._piece_bytes_max]))
            at += len(self.vocabulary.pieces[tokens[-1]])
        return tokens

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
        self.evaluated.append((position, tuple(tokens)))
        return self._stacked(rows)

    def evaluate_rows(
        self, rows: Sequence[Row], *, logits: int | None = None, abort: Abort | None = None
    ) -> Logits:
        self._rotate()
        if abort is not None and abort():
            raise Aborted
        for row in rows:
            self._check_room(row.sequence, row.position, 1, inserted=self.can_insert)
            self._append(row.sequence, row.position, row.token)
            self.evaluated.append((row.position, (row.token,)))
        if abort is not None and abort():
            for row in rows:
                self.memory_remove(row.sequence, row.position, -1)
            raise Aborted
        wanted = rows[len(rows) - logits :] if logits is not None else rows
        return self._stacked([self._logits(row.sequence, row.position + 1) for row in wanted])

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
            fingerprint, rows = json.loads(bytes(state))
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

    def _check_room(
        self, sequence: int, position: int, count: int, *, inserted: bool = False
    ) -> None:
        if self._closed:
            raise RuntimeError("the model is closed")
        cells = self._cells(sequence)
        before = set(range(position))
        if position in cells or not before <= cells.keys():
            raise RuntimeError(f"position {position} is not free, or not all before it are there")
        if not inserted and cells.keys() != before:
            raise RuntimeError(f"position {position} is not the end of its sequence")
        if self.cells + count > self.context_tokens_max:
            raise RuntimeError("no free cell")

    def _rotate(self) -> None:
        if self._shifted:
            for sequence in self._sequences:
                for position, cell in sequence.items():
                    cell.rotation = position
            self._shifted = []

    def text_of(self, sequence: int = LIVE) -> str:
        """What a sequence holds, with markers written out."""
        data = b"".join(self.vocabulary.pieces[token] for token, *_ in self.origins(sequence))
        return data.decode("utf-8", "replace")

    def _longest(self, data: bytes) -> int:
        for length in range(min(self._piece_bytes_max, len(data)), 0, -1):
            token = self._ids.get(data[:length])
            if token is not None:
                return token
        raise AssertionError("every byte is a token")

    def _logits(self, sequence: int, end: int = sys.maxsize) -> Logits:
        context = [cell for cell in self.origins(sequence) if cell[1] < end]
        if not self._script:
            rotations = [(token, rotation) for token, _, rotation, _ in context]
            return digest_logits(rotations, self.vocabulary.size)
        pieces, special = self.vocabulary.pieces, self.vocabulary.special
        data = b"".join(pieces[token] for token, *_ in context if token not in special)
        row = np.zeros(self.vocabulary.size, np.float32)
        row[self.end] = 1.0
        for rank, rest in enumerate(self._continuations(data)):
            token = self._longest(rest) if rest else self.end
            row[token] = max(row[token], FAVOURITE_LOGIT - rank)
        return row

    def _continuations(self, data: bytes) -> list[bytes]:
        """What may follow ``data``: of the script's texts that overlap its end most."""
        best, found = 0, list[bytes]()
        for key, answers in self._script:
            for answer in answers:
                text = key + answer
                size = next((n for n in range(len(text), 0, -1) if data.endswith(text[:n])), 0)
                if size > best:
                    best, found = size, []
                if size and size == best:
                    found.append(text[size:])
        return found

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


def digest_logits(context: Sequence[tuple[int, int]], size: int = BYTE_TOKENS + 1) -> Logits:
    """Logits of a context of (token, rotation of its key), shape (size,); ties are rare."""
    digest = hashlib.blake2b(np.asarray(context, np.int64).tobytes(), digest_size=8)
    generator = np.random.default_rng(int.from_bytes(digest.digest(), "big"))
    return (FAVOURITE_LOGIT * generator.standard_normal(size)).astype(np.float32)


def _listed(answers: str | Sequence[str]) -> Sequence[str]:
    return [answers] if isinstance(answers, str) else answers


def _range(cells: dict[int, Cell], start: int, end: int) -> list[int]:
    return [position for position in cells if position >= start and (end < 0 or position < end)]
