from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assist.completion.token_trie import TokenTrie
from assist.models.vocabulary import Vocabulary

BYTES = st.binary(max_size=4).map(lambda data: bytes(b"ab\xff\x00"[byte % 4] for byte in data))


@given(st.lists(BYTES, max_size=12), BYTES)
def test_tokens_that_fit_given_bytes(pieces: list[bytes], data: bytes) -> None:
    pieces = list(dict.fromkeys(pieces))
    trie = TokenTrie(Vocabulary(tuple(pieces), frozenset(), frozenset()))
    fitting = {
        token
        for token, piece in enumerate(pieces)
        if piece and (piece.startswith(data) or data.startswith(piece))
    }
    found = trie.compatible(data).tolist()
    assert set(found) == fitting
    assert len(found) == len(fitting)


def test_special_tokens_never_fit() -> None:
    trie = TokenTrie(Vocabulary((b"a", b"ab"), frozenset({1}), frozenset()))
    assert trie.compatible(b"a").tolist() == [0]
