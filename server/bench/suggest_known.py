"""The verifier on edits whose right answer is known: wrong ones, and versions against themselves; each case with what was said of it."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assist.analysis.execution.known_edits import (
    KnownEdit,
    against_itself,
    read_edits,
    run_known_edits,
)
from assist.analysis.execution.verdict import VerifyOptions
from assist.server.bench.report import append_case, read_cases, write_cases

Progress = Callable[[str, float | None], None]


@dataclass(frozen=True)
class KnownCase:
    """One edit; ``ratio`` is 0 where nothing was measured."""

    number: int
    name: str
    kind: str
    function: str
    verdict: str
    ratio: float
    inputs: int
    reason: str
    counterexample: str
    seconds: float


def run_wrong_edits(
    path: Path, seconds: float, csv_path: Path | None, progress: Progress
) -> dict[str, Any]:
    """Wrong edits through the verifier; none may be accepted."""
    cases = _run(list(enumerate(read_edits(path))), seconds, csv_path, progress, itself=False)
    accepted = [case.name for case in cases if case.verdict in ("verified", "equivalent")]
    return {
        "edits": len(cases),
        "accepted": len(accepted),
        "wrongly_accepted": ", ".join(accepted) or "none",
        "verdicts": dict(Counter(case.verdict for case in cases)),
    }


def run_against_itself(
    path: Path, runs: int, seconds: float, csv_path: Path | None, progress: Progress
) -> dict[str, Any]:
    """Old versions of the edits against themselves, each time with another seed; none may be faster."""
    edits = read_edits(path)
    numbered = [(number, edits[number % len(edits)]) for number in range(runs)]
    cases = _run(numbered, seconds, csv_path, progress, itself=True)
    faster = [case.name for case in cases if case.verdict == "verified"]
    return {
        "runs": len(cases),
        "faster": len(faster),
        "called_faster": ", ".join(faster) or "none",
        "verdicts": dict(Counter(case.verdict for case in cases)),
    }


def _run(
    edits: Sequence[tuple[int, KnownEdit]],
    seconds: float,
    csv_path: Path | None,
    progress: Progress,
    *,
    itself: bool,
) -> list[KnownCase]:
    """Every edit that the CSV does not have yet; the cases of all."""
    cases = read_cases(csv_path, KnownCase) if csv_path is not None else []
    known = {(case.number, case.name) for case in cases}
    with tempfile.TemporaryDirectory() as directory:
        options = VerifyOptions(
            workspace=Path(directory), interpreter=Path(sys.executable), budget_seconds=seconds
        )
        for number, edit in edits:
            if (number, edit.name) in known:
                continue
            progress(edit.name, number / len(edits))
            if itself:
                [result] = against_itself([edit], replace(options, seed=number), 1)
            else:
                [result] = run_known_edits([edit], options)
            verdict = result.verdict
            case = KnownCase(
                number,
                edit.name,
                result.edit.kind,
                edit.function,
                verdict.verdict,
                verdict.speedup.ratio if verdict.speedup is not None else 0.0,
                verdict.evidence.inputs,
                verdict.reason,
                verdict.counterexample or "",
                round(result.seconds, 1),
            )
            cases.append(case)
            if csv_path is not None:
                append_case(csv_path, case)
    if csv_path is not None:
        write_cases(csv_path, cases)
    return cases
