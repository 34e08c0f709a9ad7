"""What is counted about proposals: shown, accepted, kept; edits move them."""

from __future__ import annotations

import pytest

from assist.analysis.document import Document, Edit, Span
from assist.cache.rows import ProposalRow
from assist.server import messages
from assist.server import proposals as proposals_module
from assist.server.messages import Item
from assist.server.proposals import Proposals
from assist.server.session import Session as ServerSession

ROW = ProposalRow("", 0.0, "python", "tiny", "", "automatic", 1.0, 0, 0)


class Session:
    """A document with a proposal at ``$0``, and the clock."""

    def __init__(self, marked: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(proposals_module.time, "monotonic", lambda: self.now)
        offset = marked.index("$0")
        self.document = Document("file:///a.py", marked.replace("$0", ""))
        self.proposals = Proposals()
        self.text = text
        self.offset = offset
        item = Item(text, offset, offset, 0.0, "model")
        self.id = self.proposals.offer(self.document, item, ROW)

    def edit(self, old: str, new: str) -> None:
        start = self.document.text.index(old)
        edit = Edit(Span(start, start + len(old)), new)
        self.document = self.document.apply([edit])
        self.proposals.edited(self.document.uri, edit)

    def accept(self) -> None:
        """As editors do it: the edit first, then the item's command."""
        edit = Edit(Span(self.offset, self.offset), self.text)
        self.document = self.document.apply([edit])
        self.proposals.edited(self.document.uri, edit)
        self.proposals.accepted(self.id)

    def later(self, seconds: float) -> ProposalRow:
        self.now += seconds
        self.proposals.look({self.document.uri: self.document})
        return self.row()

    def row(self) -> ProposalRow:
        return self.proposals._proposals[self.id].row


def check(session: Session, **expected: object) -> None:
    row = session.row()
    assert {name: getattr(row, name) for name in expected} == expected


def test_shown_and_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session("x = $0\n", "a + b", monkeypatch)
    check(session, shown=False, accepted="", characters=5, lines=1, origin="model")
    session.proposals.shown(session.id)
    check(session, shown=True, accepted="")
    session.accept()
    check(session, shown=True, accepted="whole", accepted_characters=5)


def test_a_part_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session("$0", "first word\nsecond line\n", monkeypatch)
    session.proposals.accepted(session.id, 5)
    check(session, accepted="word", accepted_characters=5)
    session.proposals.accepted(session.id, 10)
    check(session, accepted="line", accepted_characters=10)
    session.proposals.accepted(session.id, 3)
    check(session, accepted="line", accepted_characters=10)
    session.proposals.accepted(session.id, 999)
    check(session, accepted="whole")


def test_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session("x = $0\ny = 1\n", "alpha + beta", monkeypatch)
    session.accept()
    assert session.later(10).kept_30s is None
    session.edit("x = ", "# a comment\nx = ")
    session.edit("y = 1", "y = 2")
    assert session.later(21).kept_30s == 1.0
    session.edit("alpha", "gamma")
    row = session.later(270)
    assert row.kept_30s == 1.0 and row.kept_5min == pytest.approx(5 / 10)


def test_what_is_deleted_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session("x = $0\ny = 1\n", "alpha + beta", monkeypatch)
    session.accept()
    session.edit("x = alpha + beta\n", "")
    assert session.later(301).kept_30s == 0.0


def test_a_closed_document_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session("x = $0\n", "alpha", monkeypatch)
    session.accept()
    session.proposals.closed(session.document.uri)
    assert session.later(301).kept_30s is None


def test_edits_before_acceptance_move_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session("a = 1\nx = $0\n", "alpha", monkeypatch)
    session.edit("a = 1\n", "")
    session.offset -= 6
    session.accept()
    assert session.later(31).kept_30s == 1.0


def test_unknown_ids_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session("$0", "x", monkeypatch)
    session.proposals.accepted("nobody")
    session.proposals.shown("")
    check(session, shown=False, accepted="")


def test_rows_are_handed_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session("$0", "x", monkeypatch)
    session.proposals.asked("python", is_empty=True)
    session.proposals.asked("python", is_empty=False)
    rows, requests = session.proposals.take_rows()
    assert [row.id for row in rows] == [session.id]
    assert [(row.requests, row.empty) for row in requests] == [(2, 1)]
    assert session.proposals.take_rows() == ([], [])
    session.proposals.shown(session.id)
    assert session.proposals.take_rows()[0][0].shown


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session("$0", "x", monkeypatch)
    for _ in range(proposals_module.PROPOSALS_MAX + 5):
        item = Item("y", 0, 0, 0.0, "model")
        session.proposals.offer(session.document, item, ROW)
    assert len(session.proposals._proposals) == proposals_module.PROPOSALS_MAX


def test_the_engine_hears_what_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    session = ServerSession()
    sent: list[messages.ToEngine] = []
    monkeypatch.setattr(session.engine, "send", sent.append)
    session.documents["file:///a.py"] = document = Document("file:///a.py", "a = 1\nx = \n")
    id_ = session.proposals.offer(document, Item("call(1)", 10, 10, 0.0, "model"), ROW)
    session.change(document.apply([edit := Edit(Span(10, 10), "call(1)")]), edit)
    session.accepted(id_, 4)
    session.accepted(id_)
    session.accepted(id_)
    taken = [message for message in sent if isinstance(message, messages.Accepted)]
    assert [(one.head, one.text) for one in taken] == [("x = ", "call"), ("x = ", "call(1)")]
