"""The report of `assist suggest` as one JSON document, for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from assist.analysis.document import Position
from assist.completion.edits import Rejection, Suggestion
from assist.server.reports.suggestions import SuggestReport, edits, verdict_name


def suggest_report(report: SuggestReport) -> dict[str, Any]:
    """Suggestions, rejected proposals and skipped functions; lines and columns are 1-based."""
    return {
        "suggestions": [_suggestion(report, each) for each in report.suggestions],
        "rejected": [_rejection(report, each) for each in report.rejected],
        "skipped": [
            {"file": report.name(each.path), "function": each.qualname, "reason": each.reason}
            for each in report.skipped
        ],
        "notes": list(report.notes),
        "isolation": report.isolation,
    }


def _suggestion(report: SuggestReport, suggestion: Suggestion) -> dict[str, Any]:
    verdict = suggestion.verdict
    return {
        "file": report.name(suggestion.subject.path),
        "function": suggestion.subject.qualname,
        "title": suggestion.title,
        "explanation": suggestion.explanation,
        "origin": suggestion.origin,
        "edits": [
            {"start": _position(edit.start), "end": _position(edit.end), "text": edit.text}
            for edit in edits(suggestion)
        ],
        "patch": report.patch(suggestion),
        "speedup": asdict(verdict.speedup) if verdict.speedup is not None else None,
        "evidence": {**asdict(verdict.evidence), "relaxations": list(verdict.evidence.relaxations)},
    }


def _rejection(report: SuggestReport, rejection: Rejection) -> dict[str, Any]:
    return {
        "file": report.name(rejection.subject.path),
        "function": rejection.subject.qualname,
        "origin": rejection.origin,
        "verdict": verdict_name(rejection),
        "reason": rejection.verdict.reason,
        "counterexample": rejection.verdict.counterexample,
    }


def _position(position: Position) -> dict[str, int]:
    return {"line": position.line + 1, "column": position.column + 1}
