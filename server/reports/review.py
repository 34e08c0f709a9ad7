"""What a search found, for a reader in an editor: Markdown, one offer, and the edits that make it; it shows nothing itself."""

from __future__ import annotations

from pathlib import Path

from assist.analysis.document import Position
from assist.analysis.rules.splice import (
    change_between,
    function_source,
    line_edits,
    with_change,
)
from assist.completion.edits import Suggestion
from assist.server import messages
from assist.server.reports.json import suggest_report
from assist.server.reports.suggestions import SuggestReport, evidence_sentence, headline

REJECTED_SHOWN_MAX = 3


def found(report: SuggestReport, offer: Suggestion | None) -> messages.SearchFound:
    """The whole report for the server; ``offer`` is what the user is asked about."""
    offers = () if offer is None else (_offer(offer),)
    return messages.SearchFound(
        suggest_report(report), str(report.root), markdown(report), offers, nothing(report)
    )


def best_of(report: SuggestReport, path: Path) -> Suggestion | None:
    """The suggestion for ``path`` that gains most."""
    path = path.resolve()
    return next((s for s in report.suggestions if s.subject.path.resolve() == path), None)


def edits_for(text: str, suggestion: Suggestion) -> messages.Edits:
    """The edits of ``text``; none where its function is not what was verified."""
    after = text_for(text, suggestion)
    if after is None:
        return messages.Edits(False)
    edits = (
        messages.LineEdit(*_place(edit.start), *_place(edit.end), edit.text)
        for edit in line_edits(text, after)
    )
    return messages.Edits(True, tuple(edits))


def text_for(now: str, suggestion: Suggestion) -> str | None:
    """The text with the suggestion; none where its function is not what was verified."""
    before = suggestion.subject.module_text
    if now == before:
        return suggestion.module_text
    name = suggestion.subject.qualname
    change = change_between(before, suggestion.module_text, name)
    if change is None or function_source(before, name) != function_source(now, name):
        return None
    return with_change(now, name, change)


def markdown(report: SuggestReport) -> str:
    """What was found and what it rests on."""
    parts = []
    for suggestion in report.suggestions:
        parts.append(f"### `{suggestion.subject.qualname}`: {headline(suggestion)}\n")
        parts.append(f"{suggestion.title}.\n")
        parts.extend(f"- {line}" for line in suggestion.explanation.split("\n"))
        parts.append(f"\n{evidence_sentence(suggestion)}\n")
        parts.append(f"```diff\n{report.patch(suggestion)}```\n")
    if not report.suggestions:
        parts.append(f"{nothing(report)}\n")
    for rejection in report.rejected[:REJECTED_SHOWN_MAX]:
        said = rejection.verdict.counterexample or rejection.verdict.reason
        parts.append(f"- refused: {rejection.origin}: {said}")
    return "\n".join(parts)


def nothing(report: SuggestReport) -> str:
    """The sentence for a search without a suggestion."""
    reason = next((each.reason for each in report.skipped), "")
    return "No faster version was found" + (f": {reason}." if reason else ".")


def _offer(suggestion: Suggestion) -> messages.Offer:
    return messages.Offer(
        suggestion.subject.qualname,
        suggestion.title,
        headline(suggestion),
        evidence_sentence(suggestion),
    )


def _place(position: Position) -> tuple[int, int]:
    return position.line, position.column
