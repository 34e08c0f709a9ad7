"""Finds the tokens of a vocabulary that fit given bytes; it never looks at probabilities."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from assist.models.model import Logits
from assist.models.vocabulary import Vocabulary

TokenIds = npt.NDArray[np.int64]

# In units of logits: a factor of about 50.
PART_LOSS = 4.0


@dataclass(frozen=True)
class Heal:
    """Bytes before the cursor that are left out of a prompt, so that the answer begins with them.

    ``splits`` are the ways in which tokenisation writes them: as the end of a text, and before a
    word where they are blanks; tokens of the latter may go on behind them.
    """

    data: bytes = b""
    splits: tuple[tuple[int, ...], ...] = ()


NO_HEAL = Heal()


class TokenTrie:
    """Text tokens of one vocabulary in the order of their bytes, searched by bisection.

    A sorted array answers the two questions of a trie, "which tokens start with these bytes"
    and "which tokens are a start of these bytes", at a tenth of its memory.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        texts = [
            (piece, token)
            for token, piece in enumerate(vocabulary.pieces)
            if piece and token not in vocabulary.special
        ]
        texts.sort()
        self._pieces = [piece for piece, _ in texts]
        self._tokens = np.array([token for _, token in texts], np.int64)
        self._ids = dict(reversed(texts))
        self._length_max = max((len(piece) for piece in self._pieces), default=0)

    def starting_with(self, data: bytes) -> TokenIds:
        """Tokens whose bytes start with ``data``."""
        first = bisect_left(self._pieces, data)
        last = bisect_left(self._pieces, _successor(data), first) if data else len(self._pieces)
        return self._tokens[first:last]

    def starts_of(self, data: bytes) -> TokenIds:
        """Tokens whose bytes are a proper start of ``data``."""
        lengths = range(1, min(len(data), self._length_max + 1))
        found = [self._ids[data[:n]] for n in lengths if data[:n] in self._ids]
        return np.array(found, np.int64)


def choose_forced(row: Logits, trie: TokenTrie, heal: Heal, written: int) -> int | None:
    """Most probable token of ``row`` after ``written`` bytes of an answer that has to begin with ``heal``.

    A token that ends before the forced bytes do promises less than its probability says, because
    most of what may follow it is not allowed; so it must be much more probable than any that
    holds all of them. Blanks before a word are an exception: every word's token goes on from them.
    """
    forced = heal.data[written:]
    choices = [(trie.starting_with(forced), 0.0)]
    known = False
    for split, loss in zip(heal.splits, (PART_LOSS, 0.0), strict=False):
        token = _token_at(split, written, trie)
        if token is not None and forced.startswith(trie.vocabulary.pieces[token]):
            choices.append((np.array([token], np.int64), loss))
            known = True
    if not known:
        choices.append((trie.starts_of(forced), PART_LOSS))
    best = [
        (float(row[ids].max()) - loss, int(ids[row[ids].argmax()]))
        for ids, loss in choices
        if len(ids)
    ]
    return max(best)[1] if best else None


def _token_at(split: Sequence[int], offset: int, trie: TokenTrie) -> int | None:
    """The token of a tokenised text that starts at a byte offset."""
    at = 0
    for token in split:
        if at == offset:
            return token
        at += len(trie.vocabulary.pieces[token])
    return None


def _successor(data: bytes) -> bytes:
    """The smallest bytes that are greater than every text starting with ``data``."""
    trimmed = data.rstrip(b"\xff")
    if not trimmed:
        return b"\xff" * (len(data) + 64)
    return trimmed[:-1] + bytes([trimmed[-1] + 1])
