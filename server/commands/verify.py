"""`assist verify`: the verifier of `assist suggest` for an edit that somebody else made; it converts, calls and prints."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from assist.analysis.execution.git import text_at
from assist.analysis.execution.targets import defines, find_targets, parse_request, read_text
from assist.analysis.execution.trace import record_calls
from assist.analysis.execution.verdict import (
    RecordedCalls,
    Skipped,
    Subject,
    Verdict,
    VerifyOptions,
    verify,
)
from assist.server.commands.complete import settings_for
from assist.server.interrupt import interruptible
from assist.server.progress import console, show_progress
from assist.server.reports.verdicts import Result, verify_report, write_verdicts
from assist.server.workspace import find_interpreter, find_workspace

BUDGET_SECONDS = 60.0
REFUSED = 1
# What has no behaviour to compare is left out; everything else that cannot be run is a refusal.
NOTHING_TO_COMPARE = ("a test", "has no code", "abstract", "an overload, not code")


@dataclass(frozen=True)
class Edit:
    """One function before and after."""

    before: Subject
    after: Subject


@click.command("verify")
@click.argument("places", metavar="[BEFORE::QUALNAME AFTER | PATH...]", nargs=-1)
@click.option("--since", metavar="REV", help="Verify every function changed since a git revision.")
@click.option(
    "--tests",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Tests to record calls from.",
)
@click.option(
    "--min-speedup", type=click.FloatRange(1.0, 1000.0), help="Smallest gain that counts as faster."
)
@click.option(
    "--budget",
    type=click.FloatRange(1.0),
    default=BUDGET_SECONDS,
    show_default=True,
    help="Seconds per function.",
)
@click.option(
    "--python", "interpreter", type=click.Path(path_type=Path), help="The project's Python."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--allow-reduced-isolation",
    is_flag=True,
    help="Run code although it cannot be fully isolated here.",
)
def command(
    places: tuple[str, ...],
    since: str | None,
    tests: tuple[Path, ...],
    min_speedup: float | None,
    budget: float,
    interpreter: Path | None,
    as_json: bool,
    allow_reduced_isolation: bool,
) -> int:
    """Say whether an edited function behaves as before, and whether it is faster.

    Give two files, BEFORE.py::QUALNAME and AFTER.py[::QUALNAME], or --since REV. Both versions run
    in a sandbox on the same inputs. Exit code 0: same behaviour; 1: not, or not proven.
    """
    workspace = find_workspace([parse_request(place).path for place in places])
    settings = settings_for(workspace / "pyproject.toml")
    skipped: list[Skipped] | None = None
    results: list[Result] = []
    if since is None:
        edits = [_two_files(places)]
    else:
        edits, results, skipped = _changed(places, workspace, since)
    options = VerifyOptions(
        workspace=workspace,
        interpreter=interpreter or find_interpreter(workspace),
        min_speedup=min_speedup or settings.suggest_speedup,
        budget_seconds=budget,
        allow_reduced_isolation=allow_reduced_isolation,
    )
    stop = threading.Event()
    with show_progress() as progress, interruptible(stop):
        recorded = _record(options, tests, edits, progress, stop)
        for number, edit in enumerate(edits):
            step = _step(progress, edit.before.qualname, number / len(edits))
            verdict = verify(
                edit.before,
                edit.after,
                options,
                recorded=recorded,
                progress=step,
                cancelled=stop.is_set,
            )
            results.append(Result(_relative(edit.before.path), edit.before.qualname, verdict))
    _print(results, skipped, recorded, as_json)
    return 0 if all(result.is_fine for result in results) else REFUSED


def _two_files(places: Sequence[str]) -> Edit:
    if len(places) != 2:
        raise click.UsageError(
            "give BEFORE.py::QUALNAME and AFTER.py, or --since REV with any number of paths."
        )
    before, after = (parse_request(place) for place in places)
    if not before.qualname:
        raise click.UsageError(f"which function? Write {places[0]}::QUALNAME.")
    texts = [read_text(request.path) for request in (before, after)]
    old = Subject(before.path.absolute(), before.qualname, texts[0])
    new = Subject(before.path.absolute(), after.qualname or before.qualname, texts[1])
    return Edit(old, new)


def _changed(
    places: Sequence[str], workspace: Path, since: str
) -> tuple[list[Edit], list[Result], list[Skipped]]:
    found = find_targets(list(places), workspace=workspace, since=since)
    skipped = [each for each in found.skipped if each.reason in NOTHING_TO_COMPARE]
    refused = [
        Result(_relative(each.path), each.qualname, Verdict("not_enough_evidence", each.reason))
        for each in found.skipped
        if each.reason not in NOTHING_TO_COMPARE
    ]
    edits: list[Edit] = []
    for target in found.targets:
        old = text_at(workspace, since, target.path) or ""
        before = Subject(target.path, target.qualname, old)
        if not defines(old, target.qualname):
            skipped.append(
                Skipped(target.path, target.qualname, "new: there is nothing to compare")
            )
        else:
            edits.append(Edit(before, target.subject))
    return edits, refused, skipped


def _record(
    options: VerifyOptions,
    tests: Sequence[Path],
    edits: Sequence[Edit],
    progress: Callable[[str, float | None], None],
    stop: threading.Event,
) -> RecordedCalls | None:
    if not tests or not edits:
        return None
    return record_calls(
        options.workspace,
        options.interpreter,
        tests,
        {edit.before.path for edit in edits},
        allow_reduced_isolation=options.allow_reduced_isolation,
        progress=lambda step: progress(step, None),
        cancelled=stop.is_set,
    )


def _step(
    progress: Callable[[str, float | None], None], qualname: str, fraction: float
) -> Callable[[str], None]:
    return lambda step: progress(f"{qualname}: {step}", fraction)


def _relative(path: Path) -> Path:
    try:
        return path.absolute().relative_to(Path.cwd())
    except ValueError:
        return path


def _print(
    results: Sequence[Result],
    skipped: Sequence[Skipped] | None,
    recorded: RecordedCalls | None,
    as_json: bool,
) -> None:
    if as_json:
        click.echo(json.dumps(verify_report(results, skipped), indent=2, ensure_ascii=False))
        return
    notes = []
    if recorded is not None and recorded.reason:
        notes.append(f"no calls were recorded: {recorded.reason}")
    elif recorded is not None and recorded.tests_failed:
        notes.append(f"{recorded.tests_failed} tests failed while calls were recorded")
    write_verdicts(results, skipped, notes, console())
