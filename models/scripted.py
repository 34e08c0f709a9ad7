"""A model that says what it was told and records what it was asked, for tests and dry runs; it computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from assist.models.model import LIVE, SEQUENCES_MAX, Abort, Aborted, Logits
from assist.models.vocabulary import Vocabulary

BYTE_TOKENS = 256
FAVOURITE_LOGIT = 20.0
END_PIECE = b"<end>"


class ScriptedModel:
    """Implements :class:`assist.models.model.Model` from a script.

    ``script`` maps the end of a prompt to the answers that follow it, favourite first. The
    vocabulary has every byte, ``pieces`` (longest match wins), ``markers`` and an end token,
    which follows an answer; with ``reads_markers`` marker text in user text becomes a marker, as
    with files that declare their markers badly. ``evaluated`` records every call as (position, tokens).
    """

    def __init__(
        self,
        script: Mapping[str, str | Sequence[str]],
        *,
        pieces: Sequence[str] = (),
        markers: Sequence[str] = (),
        reads_markers: bool = False,
        context_tokens: int = 4096,
    ) -> None:
        texts = [bytes([byte]) for byte in range(BYTE_TOKENS)] + [p.encode() for p in pieces]
        text_tokens = len(texts)
        texts += [marker.encode() for marker in markers] + [END_PIECE]
        special = frozenset(range(text_tokens, len(texts)))
        self.vocabulary = Vocabulary(tuple(texts), special, frozenset({len(texts) - 1}))
        self.name = "scripted"
        self.file = ""
        self.context_tokens_max = context_tokens
        self.batch_tokens_max = 64
        self.can_shift = True
        self.evaluated: list[tuple[int, tuple[int, ...]]] = []
        readable = texts[: -1 if reads_markers else text_tokens]
        self._ids = {piece: token for token, piece in enumerate(readable)}
        self._piece_bytes_max = max(map(len, readable))
        self._script = [
            (
                key.encode(),
                [a.encode() for a in ([answers] if isinstance(answers, str) else answers)],
            )
            for key, answers in script.items()
        ]
        self._cells: list[dict[int, int]] = [{} for _ in range(SEQUENCES_MAX)]

    def tokenize(self, text: str) -> list[int]:
        data = text.encode("utf-8", "surrogatepass")
        tokens: list[int] = []
        while data:
            token = self._longest(data)
            tokens.append(token)
            data = data[len(self.vocabulary.pieces[token]) :]
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
        if abort is not None and abort():
            raise Aborted
        cells = self._cells[sequence]
        expected = max(cells, default=-1) + 1
        if position != expected:
            raise RuntimeError(f"position {position} does not follow {expected}")
        self.evaluated.append((position, tuple(tokens)))
        rows = []
        for index, token in enumerate(tokens):
            cells[position + index] = token
            if index >= len(tokens) - logits:
                rows.append(self._row(sequence))
        return np.array(rows, np.float32).reshape(len(rows), self.vocabulary.size)

    def memory_remove(self, sequence: int, start: int, end: int) -> None:
        cells = self._cells[sequence]
        for position in [p for p in cells if p >= start and (end < 0 or p < end)]:
            del cells[position]

    def memory_copy(self, source: int, target: int, start: int, end: int) -> None:
        for position, token in self._cells[source].items():
            if position >= start and (end < 0 or position < end):
                self._cells[target][position] = token

    def memory_shift(self, sequence: int, start: int, end: int, delta: int) -> None:
        cells = self._cells[sequence]
        moved = {p: t for p, t in cells.items() if p >= start and (end < 0 or p < end)}
        for position in moved:
            del cells[position]
        cells.update({position + delta: token for position, token in moved.items()})

    def state_save(self, sequence: int) -> bytes:
        cells = self._cells[sequence]
        return np.array([cells[p] for p in sorted(cells)], np.int32).tobytes()

    def state_load(self, sequence: int, state: bytes) -> bool:
        if len(state) % 4:
            return False
        tokens = np.frombuffer(state, np.int32).tolist()
        self._cells[sequence] = dict(enumerate(tokens))
        return True

    def close(self) -> None:
        self._cells = [{} for _ in range(SEQUENCES_MAX)]

    def text_of(self, sequence: int = LIVE) -> str:
        """What a sequence holds, with markers written out."""
        cells = self._cells[sequence]
        data = b"".join(self.vocabulary.pieces[cells[p]] for p in sorted(cells))
        return data.decode("utf-8", "replace")

    def _longest(self, data: bytes) -> int:
        for length in range(min(self._piece_bytes_max, len(data)), 0, -1):
            token = self._ids.get(data[:length])
            if token is not None:
                return token
        raise AssertionError("every byte is a token")

    def _row(self, sequence: int) -> list[float]:
        cells = self._cells[sequence]
        pieces = self.vocabulary.pieces
        data = b"".join(
            pieces[cells[p]] for p in sorted(cells) if cells[p] not in self.vocabulary.special
        )
        row = [0.0] * self.vocabulary.size
        end = self.vocabulary.size - 1
        row[end] = 1.0
        logit = FAVOURITE_LOGIT
        for rest in self._continuations(data):
            token = self._longest(rest) if rest else end
            row[token] = max(row[token], logit)
            logit -= 1.0
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
