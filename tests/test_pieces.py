from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from assist.cache import pieces as pieces_module
from assist.cache.pieces import PieceTokenizer, split_pieces

CODE = st.lists(
    st.sampled_from(["\n", " ", "    ", "foo", "1", "_", "(", "):", "é", "\r\n", "\t", "\n\n"]),
    max_size=40,
).map("".join)


def gpt2(text: str) -> list[int]:
    """A tokeniser that splits as GPT-2 does and knows every word by its hash."""
    words = re.findall(r" ?[^\W\d_]+| ?\d+| ?[^\s\w]+|_+|\s+(?!\S)|\s+", text)
    assert "".join(words) == text
    return [hash(word) for word in words]


def check(text: str, *expected: str) -> None:
    assert split_pieces(text) == list(expected)


def test_pieces_begin_at_a_line_break_behind_a_word() -> None:
    check("a\n\nb\n", "a", "\n\nb", "\n")
    check("f(x):\n    y\n", "f(x):\n    y", "\n")
    check("", "")


@given(CODE)
def test_tokens_of_pieces_are_those_of_the_whole(text: str) -> None:
    assert PieceTokenizer(gpt2).tokens(text) == gpt2(text)


def test_an_edit_costs_its_piece() -> None:
    asked: list[str] = []

    def tokenize(text: str) -> list[int]:
        asked.append(text)
        return gpt2(text)

    tokenizer = PieceTokenizer(tokenize)
    text = "".join(f"name{n} = {n}\n" for n in range(100))
    tokenizer.tokens(text)
    asked.clear()
    tokenizer.tokens(text.replace("name50", "other"))
    assert asked == ["\nother = 50"]


def test_the_memory_is_bounded() -> None:
    tokenizer = PieceTokenizer(gpt2)
    count = pieces_module.PIECES_MAX + 100
    tokenizer.tokens("".join(f"a{n}\n" for n in range(count)))
    assert len(tokenizer._known) == pieces_module.PIECES_MAX
