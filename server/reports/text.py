"""The report of `assist suggest` for people: what, why, how much, on which evidence, and the change itself."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text

from assist.completion.edits import Suggestion
from assist.server.reports.suggestions import (
    SuggestReport,
    evidence_sentence,
    headline,
    lines,
    verdict_name,
)

REJECTED_SHOWN_MAX = 8
REASONS_SHOWN_MAX = 12
VERDICT_WORDS = {
    "not_equivalent": "behaves differently",
    "not_faster": "not faster",
    "not_enough_evidence": "not enough evidence",
    "nondeterministic": "not deterministic",
    "unsafe": "unsafe",
    "error": "could not be run",
}


def write_text(report: SuggestReport, console: Console) -> None:
    """Print the report."""
    for suggestion in report.suggestions:
        _write_suggestion(report, suggestion, console)
    _write_rejected(report, console)
    _write_skipped(report, console)
    for note in report.notes:
        console.print(Text(note, "dim"))
    count = len(report.suggestions)
    console.print(
        Text(
            "nothing faster was found"
            if not count
            else f"{count} verified suggestion{'s' if count > 1 else ''}",
            "bold",
        )
    )


def _write_suggestion(report: SuggestReport, suggestion: Suggestion, console: Console) -> None:
    place = f"{report.name(suggestion.subject.path)}:{lines(suggestion)[0]}"
    console.print(
        Text.assemble(
            (place, "cyan"), " ", (suggestion.subject.qualname, "bold"), "  ",
            (headline(suggestion), "bold green"),
        )
    )  # fmt: skip
    console.print(Padding(Text(suggestion.title), (0, 2)))
    for reason in suggestion.explanation.split("\n"):
        console.print(Padding(Text(reason, "dim"), (0, 2)))
    console.print(Padding(Text(evidence_sentence(suggestion), "dim"), (0, 2)))
    diff = report.patch(suggestion).rstrip("\n")
    console.print(Padding(Syntax(diff, "diff", background_color="default"), (0, 2)))
    console.print()


def _write_rejected(report: SuggestReport, console: Console) -> None:
    if not report.rejected:
        return
    console.print(Text(f"{len(report.rejected)} proposals were refused", "bold"))
    for rejection in report.rejected[:REJECTED_SHOWN_MAX]:
        words = VERDICT_WORDS.get(verdict_name(rejection), verdict_name(rejection))
        console.print(
            f"  {escape(rejection.subject.qualname)} [dim]{escape(rejection.origin)}[/] {words}: "
            f"{escape(rejection.verdict.counterexample or rejection.verdict.reason)}",
            soft_wrap=True,
        )
    if len(report.rejected) > REJECTED_SHOWN_MAX:
        console.print(Text(f"  … and {len(report.rejected) - REJECTED_SHOWN_MAX} more", "dim"))
    console.print()


def _write_skipped(report: SuggestReport, console: Console) -> None:
    if not report.skipped:
        return
    reasons = Counter(each.reason for each in report.skipped)
    console.print(Text(f"{len(report.skipped)} functions were left out", "bold"))
    for reason, count in reasons.most_common(REASONS_SHOWN_MAX):
        example = next(each for each in report.skipped if each.reason == reason)
        shown = example.qualname or report.name(example.path)
        console.print(
            f"  {count} × {escape(reason)} [dim](such as {escape(shown)})[/]", soft_wrap=True
        )
    if len(reasons) > REASONS_SHOWN_MAX:
        console.print(Text(f"  … and {len(reasons) - REASONS_SHOWN_MAX} other reasons", "dim"))
    console.print()
