"""Runs the verifier on edits whose right answer is known and says where it was wrong; the answers come from files of the project's own tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from assist.analysis.execution.types import Subject, Verdict, VerifyOptions
from assist.analysis.execution.verdict import verify

HEADER = "=== "
DIVIDER = "--- after\n"
MODULE_NAME = "known_edit.py"


@dataclass(frozen=True)
class KnownEdit:
    """One edit of one function; ``kind`` says what it changes."""

    name: str
    kind: str
    function: str
    before: str
    after: str


@dataclass(frozen=True)
class KnownResult:
    """What the verifier said about a known edit, and in how many seconds."""

    edit: KnownEdit
    verdict: Verdict
    seconds: float

    @property
    def accepted(self) -> bool:
        """Whether the edit would have been shown or called equivalent."""
        return self.verdict.verdict in ("verified", "equivalent")


def read_edits(path: Path) -> list[KnownEdit]:
    """``=== name | kind | function``, the old text, ``--- after``, the new text; ``#`` before the first header."""
    edits = []
    for part in ("\n" + path.read_text(encoding="utf-8")).split("\n" + HEADER)[1:]:
        header, _, body = part.partition("\n")
        name, kind, function = (field.strip() for field in header.split("|"))
        before, _, after = (body + "\n").partition(DIVIDER)
        edits.append(KnownEdit(name, kind, function, before.strip() + "\n", after.strip() + "\n"))
    return edits


def run_known_edits(
    edits: Iterable[KnownEdit],
    options: VerifyOptions,
    progress: Callable[[KnownResult], None] | None = None,
) -> list[KnownResult]:
    """Verify each edit as if it were a file of ``options.workspace``; nothing is written there."""
    results = []
    for edit in edits:
        path = options.workspace / MODULE_NAME
        started = time.monotonic()
        verdict = verify(
            Subject(path, edit.function, edit.before),
            Subject(path, edit.function, edit.after),
            options,
        )
        results.append(KnownResult(edit, verdict, time.monotonic() - started))
        if progress is not None:
            progress(results[-1])
    return results


def against_itself(
    edits: Iterable[KnownEdit],
    options: VerifyOptions,
    runs: int,
    progress: Callable[[KnownResult], None] | None = None,
) -> list[KnownResult]:
    """Verify old versions against themselves ``runs`` times, each time with another seed; none is faster."""
    chosen = list(edits)
    results = []
    for run in range(runs):
        edit = chosen[run % len(chosen)]
        same = replace(edit, after=edit.before, kind="itself")
        seeded = replace(options, seed=options.seed + run)
        results += run_known_edits([same], seeded, progress)
    return results
