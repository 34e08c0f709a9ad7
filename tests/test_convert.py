"""Positions and edits between editors and documents, in every encoding the protocol knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types as lsp

from assist.analysis.document import Document
from assist.server.convert import (
    CODECS,
    Encoding,
    column_from_units,
    edit_from,
    joined_surrogates,
    offset_from,
    position_to,
    units_from_text,
)

ENCODINGS: list[Encoding] = ["utf-8", "utf-16", "utf-32"]
TEXTS = st.text(alphabet="ab \n\r\té€😀\ud800\u2028", max_size=30)


def check(text: str, line: int, character: int, offset: int, encoding: Encoding = "utf-16") -> None:
    document = Document("file:///a.py", text)
    assert offset_from(document, lsp.Position(line, character), encoding) == offset


def test_places_in_every_encoding() -> None:
    for encoding, character in [("utf-8", 7), ("utf-16", 4), ("utf-32", 3)]:
        check("é😀x$", 0, character, 3, encoding)  # type: ignore[arg-type]


def test_a_place_inside_a_character_is_its_start() -> None:
    check("a😀b", 0, 2, 1, "utf-16")
    for character in (2, 3, 4):
        check("a😀b", 0, character, 1, "utf-8")
    check("aéb", 0, 2, 1, "utf-8")


def test_places_that_do_not_exist_are_clamped() -> None:
    check("ab\ncd", 0, 99, 2)
    check("ab\r\ncd", 0, 3, 2)
    check("ab\ncd", 9, 0, 5)
    check("ab\n", 9, 9, 3)
    check("", 0, 5, 0)


def test_every_kind_of_line_end() -> None:
    for end in ("\n", "\r\n", "\r"):
        check(f"ab{end}cd{end}ef", 2, 1, 4 + 2 * len(end) + 1)
    check("a\u2028b\x0cc\x85d", 1, 0, 7)


@given(TEXTS, st.integers(0, 30), st.sampled_from(ENCODINGS))
def test_position_and_offset_are_inverse(text: str, offset: int, encoding: Encoding) -> None:
    document = Document("", text)
    offset = document.offset_at(document.position_at(min(offset, len(text))))
    position = position_to(document, offset, encoding)
    assert offset_from(document, position, encoding) == offset


@given(TEXTS, st.integers(0, 200), st.sampled_from(ENCODINGS))
def test_a_column_never_splits_a_character(text: str, units: int, encoding: Encoding) -> None:
    column = column_from_units(text, units, encoding)
    assert 0 <= column <= len(text)
    assert units_from_text(text[:column], encoding) <= units
    if column < len(text):
        assert units_from_text(text[: column + 1], encoding) > units


class Mirror:
    """The text as an editor holds it: code units of one encoding."""

    def __init__(self, text: str, encoding: Encoding) -> None:
        self.encoding = encoding
        self.units = text.encode(CODECS[encoding], "surrogatepass")

    def text(self) -> str:
        return self.units.decode(CODECS[self.encoding], "surrogatepass")


@given(
    st.text(alphabet="ab\n\ré😀", max_size=20),
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 8), st.text(alphabet="xy\n\r😀é", max_size=5)),
        max_size=5,
    ),
    st.sampled_from(ENCODINGS),
)
def test_incremental_changes_give_the_editors_text(
    text: str, changes: list[tuple[int, int, str]], encoding: Encoding
) -> None:
    expected = text
    events: list[lsp.TextDocumentContentChangeEvent] = []
    for start, length, new in changes:
        before = Document("", expected)
        # Editors only send places that exist, so never one inside a line end.
        start = before.offset_at(before.position_at(min(start, len(expected))))
        end = before.offset_at(before.position_at(min(start + length, len(expected))))
        end = max(start, end)
        range_ = lsp.Range(position_to(before, start, encoding), position_to(before, end, encoding))
        events.append(lsp.TextDocumentContentChangePartial(range=range_, text=new))
        expected = expected[:start] + new + expected[end:]
    document = Document("", text)
    if events:
        assert document.apply([edit_from(document, events, encoding)]).text == expected


def test_a_whole_document_replaces_everything() -> None:
    event = lsp.TextDocumentContentChangeWholeDocument(text="new")
    change = lsp.TextDocumentContentChangePartial(
        range=lsp.Range(lsp.Position(0, 3), lsp.Position(0, 3)), text="er"
    )
    document = Document("", "old\nold")
    for events in ([event], [change, event]):
        assert document.apply([edit_from(document, events, "utf-16")]).text == "new"
    assert document.apply([edit_from(document, [event, change], "utf-16")]).text == "newer"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_many_changes_at_once(encoding: Encoding) -> None:
    """As "replace all" sends them: from the end of the document to its start."""
    lines = 2_000
    events = [
        lsp.TextDocumentContentChangePartial(
            range=lsp.Range(lsp.Position(line, 0), lsp.Position(line, 1)), text="yy"
        )
        for line in reversed(range(lines))
    ]
    document = Document("", "x = 1\n" * lines)
    edit = edit_from(document, events, encoding)
    assert document.apply([edit]).text == "yy = 1\n" * lines


def test_halves_of_a_character_become_one() -> None:
    assert joined_surrogates("\ud83d\ude00") == "😀"
    assert joined_surrogates("a\ud83d") == "a\ud83d"
