"""The report of `assist verify`: one verdict per function, for people or as JSON; it judges nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from assist.analysis.execution.verdict import Evidence, Skipped, Verdict

FINE = ("verified", "equivalent")
WORDS = {
    "verified": "same behaviour, faster",
    "equivalent": "same behaviour",
    "not_equivalent": "behaves differently",
    "not_enough_evidence": "not enough evidence",
    "nondeterministic": "not deterministic",
    "unsafe": "not run",
    "error": "could not be run",
}


@dataclass(frozen=True)
class Result:
    """The verdict on one function of one file."""

    file: Path
    function: str
    verdict: Verdict

    @property
    def is_fine(self) -> bool:
        return self.verdict.verdict in FINE


def verify_report(results: Sequence[Result], skipped: Sequence[Skipped] | None) -> dict[str, Any]:
    """One function gives its object; ``--since`` (``skipped`` is not None) gives ``results`` and ``skipped``."""
    objects = [_object(result) for result in results]
    if skipped is None:
        return objects[0]
    left = [{"file": str(s.path), "function": s.qualname, "reason": s.reason} for s in skipped]
    return {"results": objects, "skipped": left}


def _object(result: Result) -> dict[str, Any]:
    verdict = result.verdict
    return {
        "file": str(result.file),
        "function": result.function,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "speedup": asdict(verdict.speedup) if verdict.speedup is not None else None,
        "evidence": {**asdict(verdict.evidence), "relaxations": list(verdict.evidence.relaxations)},
        "counterexample": verdict.counterexample,
        "isolation": verdict.isolation,
    }


def write_verdicts(
    results: Sequence[Result],
    skipped: Sequence[Skipped] | None,
    notes: Sequence[str],
    console: Console,
) -> None:
    """Print every verdict with its reason, its counterexample and what it rests on."""
    for result in results:
        verdict = result.verdict
        style = "bold green" if result.is_fine else "bold red"
        head = Text.assemble(
            (str(result.file), "cyan"),
            "::",
            (result.function, "bold"),
            "  ",
            (WORDS[verdict.verdict], style),
        )
        console.print(head, soft_wrap=True)
        console.print(Padding(Text(verdict.reason), (0, 2)))
        if verdict.counterexample:
            console.print(Padding(Text(verdict.counterexample, "red"), (0, 2)))
        if verdict.evidence.inputs:
            console.print(Padding(Text(evidence_line(verdict.evidence), "dim"), (0, 2)))
    for each in skipped or ():
        place = f"{each.path}::{each.qualname}" if each.qualname else str(each.path)
        console.print(Text(f"{place}  skipped: {each.reason}", "dim"), soft_wrap=True)
    for note in notes:
        console.print(Text(note, "dim"))
    if skipped is not None and not results:
        console.print(Text("no changed function to verify", "bold"))


def evidence_line(evidence: Evidence) -> str:
    """``301 inputs (12 recorded, 80 generated, 209 mutated), branches 100%, 14 of 15 mutants noticed, n² → n``."""
    sources = [f"{count} {name}" for name, count in asdict(evidence.sources).items() if count]
    parts = [
        f"{evidence.inputs} inputs ({', '.join(sources)})",
        f"branches {evidence.branches:.0%}",
    ]
    if evidence.mutants.total:
        parts.append(f"{evidence.mutants.killed} of {evidence.mutants.total} mutants noticed")
    elif evidence.branches:
        parts.append("nothing in the change to break on purpose")
    if evidence.growth:
        parts.append(evidence.growth)
    return ", ".join([*parts, *evidence.relaxations])
