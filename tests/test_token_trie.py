from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from assist.completion.token_trie import Heal, TokenTrie, choose_forced
from assist.models.vocabulary import Vocabulary

BYTES = st.binary(max_size=4).map(lambda data: bytes(b"ab\xff\x00"[byte % 4] for byte in data))


@settings(deadline=None)
@given(st.lists(BYTES, max_size=12), BYTES)
def test_tokens_that_fit_given_bytes(pieces: list[bytes], data: bytes) -> None:
    pieces = list(dict.fromkeys(pieces))
    trie = TokenTrie(Vocabulary(tuple(pieces), frozenset(), frozenset()))
    whole = {token for token, piece in enumerate(pieces) if piece and piece.startswith(data)}
    parts = {token for token, piece in enumerate(pieces) if piece and data.startswith(piece)}
    assert set(trie.starting_with(data).tolist()) == whole
    assert set(trie.starts_of(data).tolist()) == {n for n in parts if pieces[n] != data}


def test_special_tokens_never_fit() -> None:
    trie = TokenTrie(Vocabulary((b"a", b"ab"), frozenset({1}), frozenset()))
    assert trie.starting_with(b"a").tolist() == [0]


def check(
    logits: dict[str, float], forced: str, chosen: str, *, own: str = "", before_word: str = ""
) -> None:
    pieces = list(logits)
    trie = TokenTrie(Vocabulary(tuple(p.encode() for p in pieces), frozenset(), frozenset()))
    row = np.array(list(logits.values()), np.float32)
    splits = tuple((pieces.index(piece),) for piece in (own, before_word) if piece)
    token = choose_forced(row, trie, Heal(forced.encode(), splits), 0)
    assert (pieces[token] if token is not None else "") == chosen


def test_a_token_that_holds_all_forced_bytes_is_preferred() -> None:
    check({"p": 3.0, "path": 1.0, "x": 9.0}, "pa", "path")
    check({"p": 9.0, "path": 1.0}, "pa", "p")
    check({"p": 9.0, "pat": 8.0, "path": 1.0}, "path", "p")
    check({"p": 9.0, "pat": 8.0, "path": 1.0}, "path", "pat", own="pat")
    check({"x": 1.0}, "pa", "")


def test_blanks_may_end_where_a_word_takes_the_last_of_them() -> None:
    logits = {"\n    ": 2.0, "\n   ": 3.0, "\n     ": 2.5, "x": 9.0}
    check(logits, "\n    ", "\n   ", own="\n    ", before_word="\n   ")
    check(logits, "\n    ", "\n     ", own="\n    ")
    check(logits | {"\n     ": 4.0}, "\n    ", "\n     ", own="\n    ", before_word="\n   ")
