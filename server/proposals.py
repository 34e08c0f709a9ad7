"""What became of the proposals an editor got: shown, accepted, kept; it holds texts in memory only and stores numbers."""

from __future__ import annotations

import difflib
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from assist.analysis.document import Document, Edit, Span
from assist.cache.rows import ProposalRow, RequestRow, day_of
from assist.server.messages import Item

Trigger = Literal["list", "automatic", "invoked"]

PROPOSALS_MAX = 512
COMPARED_CODE_POINTS_MAX = 2_000
KEPT_SECONDS = (30.0, 300.0)


@dataclass
class Proposal:
    """One proposal: its numbers, and where its text is (or would be) while edits move it."""

    row: ProposalRow
    uri: str
    text: str
    span: Span
    accepted_at: float | None = None


class Proposals:
    """The latest proposals by id, and rows of statistics that wait to be written."""

    def __init__(self) -> None:
        self._proposals: OrderedDict[str, Proposal] = OrderedDict()
        self._changed: dict[str, ProposalRow] = {}
        self._requests: dict[tuple[str, str], RequestRow] = {}

    def offer(self, document: Document, item: Item, row: ProposalRow) -> str:
        """Take note of a proposal; the id by which editors speak of it.

        ``row`` has what is the same for all proposals of an answer.
        """
        row = replace(
            row,
            id=uuid.uuid4().hex,
            origin=item.origin,
            characters=len(item.text),
            lines=item.text.count("\n") + 1,
        )
        self._proposals[row.id] = Proposal(
            row, document.uri, item.text, Span(item.start, item.start)
        )
        while len(self._proposals) > PROPOSALS_MAX:
            self._proposals.popitem(last=False)
        self._changed[row.id] = row
        return row.id

    def asked(self, language: str, *, is_empty: bool) -> None:
        """Count a request and whether it had no answer."""
        key = day_of(time.time()), language
        row = self._requests.get(key) or RequestRow(*key, 0, 0)
        self._requests[key] = replace(
            row, requests=row.requests + 1, empty=row.empty + int(is_empty)
        )

    def shown(self, id_: str) -> None:
        """The editor shows a proposal."""
        if proposal := self._proposals.get(id_):
            self._update(proposal, shown=True)

    def accepted(self, id_: str, length: int | None = None) -> Proposal | None:
        """The user took a proposal, or (``length`` code points) its beginning: the proposal, whose
        span is what was taken; none where that is not new."""
        proposal = self._proposals.get(id_)
        if proposal is None:
            return None
        text = proposal.text if length is None else proposal.text[: max(length, 0)]
        if len(text) <= proposal.row.accepted_characters:
            return None
        proposal.accepted_at = time.monotonic()
        proposal.span = Span(proposal.span.start, proposal.span.start + len(text))
        kind = "whole" if len(text) == len(proposal.text) else _part(proposal.text, text)
        self._update(proposal, shown=True, accepted=kind, accepted_characters=len(text))
        return proposal

    def edited(self, uri: str, edit: Edit) -> None:
        """Move the proposals of a document with an edit."""
        for proposal in self._proposals.values():
            if proposal.uri == uri:
                proposal.span = _moved(proposal.span, edit, proposal.accepted_at is not None)

    def closed(self, uri: str) -> None:
        """Nobody can tell any more what is kept in a closed document."""
        for proposal in self._proposals.values():
            if proposal.uri == uri:
                proposal.accepted_at = None

    def look(self, documents: dict[str, Document]) -> None:
        """Measure what is kept of proposals that were accepted long enough ago."""
        now = time.monotonic()
        for proposal in self._proposals.values():
            if proposal.accepted_at is None or proposal.uri not in documents:
                continue
            age_s, row = now - proposal.accepted_at, proposal.row
            if row.kept_30s is None and age_s >= KEPT_SECONDS[0]:
                self._update(proposal, kept_30s=_kept(proposal, documents[proposal.uri]))
            if proposal.row.kept_5min is None and age_s >= KEPT_SECONDS[1]:
                self._update(proposal, kept_5min=_kept(proposal, documents[proposal.uri]))
                proposal.accepted_at = None

    def take_rows(self) -> tuple[list[ProposalRow], list[RequestRow]]:
        """Rows that changed since the last time."""
        rows = list(self._changed.values()), list(self._requests.values())
        self._changed, self._requests = {}, {}
        return rows

    def _update(self, proposal: Proposal, **values: Any) -> None:
        proposal.row = replace(proposal.row, **values)
        self._changed[proposal.row.id] = proposal.row


def _part(whole: str, part: str) -> Literal["line", "word"]:
    return "line" if "\n" in part or whole[len(part) :].startswith("\n") else "word"


def _moved(span: Span, edit: Edit, is_accepted: bool) -> Span:
    """Where a span is after an edit; before acceptance it is a place, afterwards it grows and shrinks."""
    old, delta = edit.span, len(edit.text) - edit.span.length
    if old.end <= span.start and old.start < span.start:
        return Span(span.start + delta, span.end + delta)
    if not is_accepted or old.start > span.end:
        return span
    start = min(span.start, old.start)
    return Span(start, max(start, max(span.end, old.end) + delta))


def _kept(proposal: Proposal, document: Document) -> float:
    """Share of the accepted text that is still at its place, 0 to 1."""
    row, span = proposal.row, proposal.span
    accepted = proposal.text[: row.accepted_characters][:COMPARED_CODE_POINTS_MAX]
    now = document.text[span.start : span.end][: 2 * COMPARED_CODE_POINTS_MAX]
    if accepted in now:
        return 1.0
    return sum(_matches(accepted, now)) / (len("".join(accepted.split())) or 1)


def _matches(old: str, new: str) -> Iterator[int]:
    """Sizes of the runs of whole words that both texts share, in order."""
    left, right = old.split(), new.split()
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for block in matcher.get_matching_blocks():
        yield sum(len(word) for word in left[block.a : block.a + block.size])
