"""Edits of the code action: from a suggestion to the editor's version of the text."""

from __future__ import annotations

from pathlib import Path

from lsprotocol import types as lsp

from assist.analysis.document import Document
from assist.analysis.execution.verdict import Speedup, Subject, Verdict
from assist.completion.edits import Suggestion
from assist.server.features.suggestions import workspace_edit
from assist.server.messages import Offer
from assist.server.reports.review import edits_for, text_for

BEFORE = "import os\n\n\ndef f(xs):\n    return sorted(xs)[0]  # 𝔘\n\n\nclass A:\n    def g(self):\n        return 1\n"
AFTER = BEFORE.replace("sorted(xs)[0]", "min(xs)")


def suggestion() -> Suggestion:
    subject = Subject(Path("/x/a.py"), "f", BEFORE)
    verdict = Verdict("verified", "", Speedup(2.0, 1.9, 2.1))
    return Suggestion(subject, "rule:sorted-end", "Take the minimum", "Why.", AFTER, verdict)


def check(text: str, expected: str | None) -> None:
    assert text_for(text, suggestion()) == expected


def test_the_text_that_was_verified() -> None:
    check(BEFORE, AFTER)


def test_another_function_changed_meanwhile() -> None:
    check(BEFORE.replace("return 1", "return 2"), AFTER.replace("return 1", "return 2"))


def test_the_function_itself_changed_meanwhile() -> None:
    check(BEFORE.replace("[0]", "[1]"), None)
    check("def broken(:", None)


def test_edits_name_the_version_and_fit() -> None:
    document = Document("file:///x/a.py", BEFORE, 7)
    edits = edits_for(BEFORE, suggestion())
    offer = Offer("f", "Take the minimum", "2.00× faster", "Same behaviour.")
    edit = workspace_edit(document, edits, offer, "utf-16", reviews=False)
    assert edit.document_changes is not None and edit.change_annotations is None
    (change,) = edit.document_changes
    assert isinstance(change, lsp.TextDocumentEdit)
    assert change.text_document.version == 7
    (only,) = change.edits
    assert isinstance(only, lsp.TextEdit)
    assert (only.range.start.line, only.range.end.line) == (4, 5)
    assert only.new_text == "    return min(xs)  # 𝔘\n"
