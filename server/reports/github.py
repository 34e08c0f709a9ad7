"""The report of `assist suggest` as GitHub annotations: workflow commands on standard output."""

from __future__ import annotations

from assist.server.reports.suggestions import (
    SuggestReport,
    evidence_sentence,
    headline,
    lines,
)


def github_report(report: SuggestReport) -> str:
    """One ``::notice`` line for each suggestion."""
    found = []
    for suggestion in report.suggestions:
        first, last = lines(suggestion)
        place = (
            f"file={_property(report.name(suggestion.subject.path))},line={first},endLine={last}"
        )
        title = _property(f"{suggestion.subject.qualname}: {headline(suggestion)}")
        message = _data(
            f"{suggestion.title}. {evidence_sentence(suggestion)}\n{report.patch(suggestion)}"
        )
        found.append(f"::notice {place},title={title}::{message}\n")
    return "".join(found)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
