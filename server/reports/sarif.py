"""The report of `assist suggest` as SARIF 2.1.0 with fixes, for code scanning services."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from assist.analysis.rules.catalog import BY_NAME
from assist.completion.edits import Suggestion
from assist.server.reports.suggestions import (
    SuggestReport,
    edits,
    evidence_sentence,
    headline,
    lines,
)

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MODEL_RULE = {
    "id": "model",
    "name": "Model",
    "shortDescription": {"text": "A version written by the model"},
    "fullDescription": {"text": "A version written by the model and verified by running it."},
}


def sarif_report(report: SuggestReport) -> dict[str, Any]:
    """One run; columns count Unicode code points, paths are relative to ``%SRCROOT%``."""
    used = list(dict.fromkeys(_rule_of(each) for each in report.suggestions))
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "assist suggest",
                        "semanticVersion": version("assist-lsp"),
                        "rules": [_rule(name) for name in used],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [
                    _result(report, each, used.index(_rule_of(each))) for each in report.suggestions
                ],
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [
                            {"level": "note", "message": {"text": note}} for note in report.notes
                        ],
                    }
                ],
            }
        ],
    }


def _rule_of(suggestion: Suggestion) -> str:
    """The rule that changed most: the first of those that were applied."""
    return suggestion.origin.removeprefix("rule:").split("+")[0]


def _rule(name: str) -> dict[str, Any]:
    rule = BY_NAME.get(name)
    if rule is None:
        return MODEL_RULE
    return {
        "id": name,
        "name": "".join(part.capitalize() for part in name.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.explanation},
        "defaultConfiguration": {"level": "note"},
        "properties": {"tags": ["performance"]},
    }


def _result(report: SuggestReport, suggestion: Suggestion, index: int) -> dict[str, Any]:
    location = {"uri": report.name(suggestion.subject.path), "uriBaseId": "%SRCROOT%"}
    first, last = lines(suggestion)
    name = suggestion.subject.qualname
    text = (
        f"{name} can be {headline(suggestion)}: {suggestion.title}. {evidence_sentence(suggestion)}"
    )
    replacements = [
        {
            "deletedRegion": {
                "startLine": edit.start.line + 1,
                "startColumn": edit.start.column + 1,
                "endLine": edit.end.line + 1,
                "endColumn": edit.end.column + 1,
            },
            "insertedContent": {"text": edit.text},
        }
        for edit in edits(suggestion)
    ]
    return {
        "ruleId": _rule_of(suggestion),
        "ruleIndex": index,
        "level": "note",
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": location,
                    "region": {"startLine": first, "endLine": last},
                },
                "logicalLocations": [{"fullyQualifiedName": name, "kind": "function"}],
            }
        ],
        "fixes": [
            {
                "description": {"text": suggestion.title},
                "artifactChanges": [{"artifactLocation": location, "replacements": replacements}],
            }
        ],
    }
