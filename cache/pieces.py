"""Tokens of a text piece by piece, so that an edit costs the piece it is in; it never decides how a piece is tokenised."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence

PIECES_MAX = 8192
# Beyond this, a piece is tokenised every time: it would fill the memory that short ones use well.
PIECE_CHARACTERS_MAX = 2000

# Before a line break behind a letter or digit: byte-pair vocabularies of code models split there
# by their pattern, before any pair is merged, and look at nothing on the other side (GPT-2,
# Llama 3, Qwen 2, StarCoder, DeepSeek Coder). Behind white space they do look.
_BREAK = re.compile(r"(?<=[A-Za-z0-9])(?=\n)")


class PieceTokenizer:
    """Remembers the tokens of the pieces it has seen, least recently used out first.

    ``tokenize`` must split its text at every line break between letters; then the tokens of a
    text are those of its pieces one after the other.
    """

    def __init__(self, tokenize: Callable[[str], Sequence[int]]) -> None:
        self._tokenize = tokenize
        self._known: OrderedDict[str, tuple[int, ...]] = OrderedDict()

    def tokens(self, text: str) -> list[int]:
        """Tokens of ``text``, equal to those of ``tokenize`` for the whole text."""
        tokens: list[int] = []
        for piece in split_pieces(text):
            tokens += self._piece(piece)
        return tokens

    def _piece(self, piece: str) -> Sequence[int]:
        known = self._known.get(piece)
        if known is not None:
            self._known.move_to_end(piece)
            return known
        tokens = tuple(self._tokenize(piece))
        if len(piece) <= PIECE_CHARACTERS_MAX:
            self._known[piece] = tokens
            if len(self._known) > PIECES_MAX:
                self._known.popitem(last=False)
        return tokens


def split_pieces(text: str) -> list[str]:
    """Parts of ``text`` whose tokens do not depend on each other."""
    return _BREAK.split(text)
