"""What one run of `assist suggest` found, ready for every report: paths, edits and patches; it formats nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assist.analysis.execution.verdict import Skipped
from assist.analysis.rules.splice import LineEdit, find, line_edits, parse_module
from assist.completion.edits import Rejection, Suggestion
from assist.server.source_text import patch, read_text, with_line_ends


@dataclass(frozen=True)
class SuggestReport:
    """Everything found under ``root``; ``notes`` are sentences about the run as a whole;
    ``tests_failed`` counts tests that failed before any change."""

    root: Path
    suggestions: tuple[Suggestion, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    isolation: str = "full"
    tests_failed: int = 0

    def name(self, path: Path) -> str:
        """Path as shown: below the root where it is, with forward slashes."""
        try:
            return path.resolve().relative_to(self.root.resolve()).as_posix()
        except ValueError:
            return path.as_posix()

    def patch(self, suggestion: Suggestion) -> str:
        """The change as a unified diff of the file on disk."""
        raw = on_disk(suggestion)
        after = with_line_ends(raw, suggestion.module_text)
        return patch(self.name(suggestion.subject.path), raw, after)


def on_disk(suggestion: Suggestion) -> str:
    """The file's text with its own line ends; what was analysed, where it cannot be read."""
    try:
        return read_text(suggestion.subject.path)
    except OSError:
        return suggestion.subject.module_text


def edits(suggestion: Suggestion) -> list[LineEdit]:
    """The change as replacements, 0-based positions."""
    return line_edits(suggestion.subject.module_text, suggestion.module_text)


def lines(suggestion: Suggestion) -> tuple[int, int]:
    """First and last line of the function, 1-based, decorators left out."""
    tree = parse_module(suggestion.subject.module_text)
    function = find(tree, suggestion.subject.qualname) if tree is not None else None
    if function is None:
        return 1, 1
    return function.lineno, function.end_lineno or function.lineno


def verdict_name(rejection: Rejection) -> str:
    """A refusal in the words of the reports: same behaviour without gain is ``not_faster``."""
    name = rejection.verdict.verdict
    return "not_faster" if name in {"equivalent", "verified"} else name


def headline(suggestion: Suggestion) -> str:
    """``2.02× faster (1.63–2.71)``."""
    speedup = suggestion.verdict.speedup
    if speedup is None:
        return "faster"
    return f"{speedup.ratio:.2f}× faster ({speedup.low:.2f}–{speedup.high:.2f})"


def evidence_sentence(suggestion: Suggestion) -> str:
    """What the claim rests on, in one sentence."""
    evidence = suggestion.verdict.evidence
    sources = evidence.sources
    parts = [
        f"{count} {name}"
        for name, count in (
            ("recorded", sources.recorded),
            ("generated", sources.generated),
            ("mutated", sources.mutated),
            ("adversarial", sources.adversarial),
        )
        if count
    ]
    text = f"Same behaviour on {evidence.inputs} inputs ({', '.join(parts)})"
    text += f", {evidence.branches:.0%} of the changed branches run"
    if evidence.mutants.total:
        text += f", {evidence.mutants.killed} of {evidence.mutants.total} deliberate errors noticed"
    else:
        text += ", nothing in the change to break on purpose"
    if evidence.growth:
        text += f"; growth {evidence.growth}"
    if evidence.relaxations:
        text += f"; but {', '.join(evidence.relaxations)}"
    if suggestion.verdict.isolation == "reduced":
        text += "; run with reduced isolation"
    return text + "."
