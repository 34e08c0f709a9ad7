"""Finds the tokens of a vocabulary that fit given bytes; it never looks at probabilities."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
import numpy.typing as npt

from assist.models.model import Logits
from assist.models.vocabulary import Vocabulary

TokenIds = npt.NDArray[np.int64]

# In units of logits: a factor of about 50.
PART_LOSS = 4.0


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


def choose_forced(
    row: Logits, trie: TokenTrie, forced: bytes, own: int | None = None
) -> int | None:
    """Most probable token of ``row`` after which the text can begin with ``forced``.

    A token that ends before ``forced`` does promises less than its probability says, because
    most of what may follow it is not allowed; so it must be much more probable than any that
    holds all of it. ``own`` is the only such token that tokenisation would choose, where known.
    """
    whole = trie.starting_with(forced)
    parts = trie.starts_of(forced) if own is None else np.array([own], np.int64)
    best = [
        (float(row[ids].max()) - loss, int(ids[row[ids].argmax()]))
        for ids, loss in ((whole, 0.0), (parts, PART_LOSS))
        if len(ids)
    ]
    return max(best)[1] if best else None


def _successor(data: bytes) -> bytes:
    """The smallest bytes that are greater than every text starting with ``data``."""
    trimmed = data.rstrip(b"\xff")
    if not trimmed:
        return b"\xff" * (len(data) + 64)
    return trimmed[:-1] + bytes([trimmed[-1] + 1])
