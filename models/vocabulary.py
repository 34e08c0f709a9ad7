"""Tokens of a model as bytes and the ids with a meaning; it never runs the model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class FimIds:
    """Ids of the markers of a fill-in-the-middle prompt."""

    prefix: int
    suffix: int
    middle: int


@dataclass(frozen=True)
class Vocabulary:
    """Bytes of every token (a part of a UTF-8 character is normal), and the special ids.

    ``special`` holds control tokens, which have no text; ``end_of_generation`` those that end a
    completion; ``fim`` is none where the vocabulary has no markers.
    """

    pieces: tuple[bytes, ...]
    special: frozenset[int]
    end_of_generation: frozenset[int]
    fim: FimIds | None = None

    @property
    def size(self) -> int:
        return len(self.pieces)

    def marker(self, text: str) -> int | None:
        """Token of a marker's text; a special one before a text token with the same bytes."""
        return self._ids.get(text.encode())

    @cached_property
    def _ids(self) -> dict[bytes, int]:
        ids = {piece: token for token, piece in enumerate(self.pieces)}
        return ids | {self.pieces[token]: token for token in self.special}

    def detokenize(self, tokens: list[int] | tuple[int, ...]) -> bytes:
        """Bytes of ``tokens``; special tokens have none."""
        return b"".join(self.pieces[token] for token in tokens if token not in self.special)
