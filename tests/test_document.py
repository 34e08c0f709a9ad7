from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from assist.analysis.document import Document, Edit, Position, Span

TEXTS = st.text(alphabet="ab\n\r😀é", max_size=40)


def check(text: str, line: int, column: int, offset: int) -> None:
    assert Document("file:///a.py", text).offset_at(Position(line, column)) == offset


def test_positions_are_clamped_to_their_line() -> None:
    check("ab\ncd", 0, 1, 1)
    check("ab\ncd", 0, 99, 2)
    check("ab\r\ncd", 0, 99, 2)
    check("ab\r\ncd", 1, 0, 4)
    check("ab", 7, 3, 2)
    check("", 0, 0, 0)
    check("ab", -1, 0, 0)


@given(TEXTS)
def test_line_starts_follow_the_protocol(text: str) -> None:
    expected = [0] + [match.end() for match in re.finditer(r"\r\n|\n|\r", text)]
    assert list(Document("", text).line_starts) == expected


@given(TEXTS, st.integers(-3, 60))
def test_offset_and_position_are_inverse_outside_line_ends(text: str, offset: int) -> None:
    document = Document("", text)
    position = document.position_at(offset)
    back = document.offset_at(position)
    clamped = min(max(offset, 0), len(text))
    assert back <= clamped and not text[back:clamped].strip("\r\n")


@given(TEXTS, st.integers(0, 40), st.integers(0, 40), TEXTS)
def test_apply_replaces_the_span(text: str, start: int, length: int, new: str) -> None:
    start = min(start, len(text))
    end = min(start + length, len(text))
    edited = Document("", text, version=4).apply([Edit(Span(start, end), new)])
    assert edited.text == text[:start] + new + text[end:]
    assert edited.version == 5


@given(
    TEXTS,
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9), st.text("a\n\r", max_size=4))),
)
def test_line_starts_follow_edits(text: str, edits: list[tuple[int, int, str]]) -> None:
    document = Document("", text)
    for start, length, new in edits:
        assert document.line_starts
        document = document.apply([Edit(Span(start, start + length), new)])
    assert document.line_starts == Document("", document.text).line_starts
