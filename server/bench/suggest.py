"""`assist bench suggest`: what the search finds on slow functions of others, and whether wrong edits are refused; each case with its seconds."""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from assist.analysis.execution.targets import find_targets
from assist.analysis.execution.trace import record_calls
from assist.analysis.execution.verdict import VerifyOptions
from assist.completion.edits import Search, SuggestOptions, suggest
from assist.completion.rewriter import Rewriter
from assist.server.bench.execution import run_program
from assist.server.bench.report import (
    append_case,
    echo_summary,
    read_cases,
    share,
    write_cases,
    write_html,
)
from assist.server.bench.suggest_known import run_against_itself, run_wrong_edits
from assist.server.bench.suggest_packages import run_packages
from assist.server.bench.suggest_tasks import VERSIONS, SlowFunction, load_slow_functions
from assist.server.progress import show_progress
from assist.server.rewriting import open_rewriter

MODULE = "solution.py"
CHECK_SECONDS_MAX = 60.0


@dataclass(frozen=True)
class SuggestCase:
    """One function: ``result`` is found, refused (proposals, none verified), missed (no proposal)
    or unverifiable; ``checked`` what the task's own checker says of the found version.
    """

    task: str
    version: str
    function: str
    result: str
    origin: str
    ratio: float
    low: float
    high: float
    growth: str
    inputs: int
    recorded: int
    refused: int
    checked: str
    seconds: float
    reason: str


@click.command("suggest")
@click.option(
    "--version", type=click.Choice(list(VERSIONS)), default="humaneval", show_default=True
)
@click.option("--limit", type=click.IntRange(1), help="Draw, or try, that many.")
@click.option("--seed", default=0, show_default=True, help="Seed of the draw.")
@click.option("--seconds", default=120.0, show_default=True, help="Time for one function.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Tasks at a time; measuring takes turns.",
)
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), help="Write every case.")
@click.option("--resume", is_flag=True, help="Skip the tasks that the CSV has already.")
@click.option(
    "--negative",
    type=click.Path(path_type=Path, exists=True),
    help="Verify known wrong edits instead.",
)
@click.option(
    "--itself",
    type=click.IntRange(1),
    help="Verify the old versions of --negative against themselves, that many times.",
)
@click.option("--model", help="Let this model propose instead of the rules, one task at a time.")
@click.option(
    "--packages",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    metavar="FOLDER",
    help="Verify rules on an unpacked source distribution instead, with the calls of its tests.",
)
@click.option("--html", "html_path", type=click.Path(path_type=Path), help="Write a page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    version: str,
    limit: int | None,
    seed: int,
    seconds: float,
    jobs: int,
    csv_path: Path | None,
    resume: bool,
    negative: Path | None,
    itself: int | None,
    model: str | None,
    packages: tuple[Path, ...],
    html_path: Path | None,
    as_json: bool,
) -> None:
    """Search faster versions of 76 slow functions, or verify edits that are known to be wrong."""
    if resume and csv_path is None:
        raise click.UsageError("--resume needs --csv FILE.")
    if itself is not None and negative is None:
        raise click.UsageError("--itself needs --negative FILE.")
    if packages:
        with show_progress() as progress:
            summary = run_packages(packages, seconds, limit, csv_path, progress)
        echo_summary(summary, as_json=as_json)
        return
    if negative is not None:
        with show_progress() as progress:
            if itself is not None:
                summary = run_against_itself(negative, itself, seconds, csv_path, progress)
            else:
                summary = run_wrong_edits(negative, seconds, csv_path, progress)
        echo_summary(summary, as_json=as_json)
        return
    tasks = _drawn(load_slow_functions(version), limit, seed)
    if not tasks:
        raise click.UsageError("The slow functions are not on this machine (../shared/data).")
    cases = read_cases(csv_path, SuggestCase) if resume and csv_path else []
    known = {case.task for case in cases}
    left = [task for task in tasks if task.task not in known]
    rewriter = open_rewriter(model) if model is not None else None
    workers = jobs if rewriter is None else 1
    with show_progress() as progress, ThreadPoolExecutor(max_workers=workers) as executor:
        futures = [executor.submit(run_task, task, seconds, rewriter) for task in left]
        for number, future in enumerate(as_completed(futures)):
            progress(f"{number} tasks", number / len(left))
            for case in future.result():
                cases.append(case)
                if csv_path is not None:
                    append_case(csv_path, case)
    order = {task.task: number for number, task in enumerate(tasks)}
    cases.sort(key=lambda case: order.get(case.task, len(order)))
    if csv_path is not None:
        write_cases(csv_path, cases)
    summary = summarise(cases)
    if rewriter is not None:
        summary |= {"answers": rewriter.answers, "usable_answers": rewriter.usable}
    if html_path is not None:
        write_html(html_path, "assist bench suggest", summary, cases)
    echo_summary(summary, as_json=as_json)


def _drawn(tasks: list[SlowFunction], limit: int | None, seed: int) -> list[SlowFunction]:
    if limit is None or limit >= len(tasks):
        return tasks
    kept = sorted(random.Random(seed).sample(range(len(tasks)), limit))
    return [tasks[index] for index in kept]


def run_task(
    task: SlowFunction, seconds: float, rewriter: Rewriter | None = None
) -> list[SuggestCase]:
    """Search every function of one task, with calls recorded from its generated inputs."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        path, tests = folder / MODULE, folder / "test_solution.py"
        path.write_text(task.source, encoding="utf-8")
        tests.write_text(task.tests(), encoding="utf-8")
        interpreter = Path(sys.executable)
        recorded = record_calls(folder, interpreter, [tests], [path])
        found = find_targets([path], workspace=folder, recorded=recorded)
        options = SuggestOptions(
            VerifyOptions(workspace=folder, interpreter=interpreter, budget_seconds=seconds),
            proposers=frozenset({"rules"} if rewriter is None else {"model"}),
            seconds_max=seconds,
        )
        cases = []
        for target in found.targets:
            started = time.monotonic()
            search = suggest(target.subject, options, recorded=recorded, rewriter=rewriter)
            calls = len(recorded.of(target.subject))
            cases.append(_case(task, target.qualname, search, calls, time.monotonic() - started))
        return cases


def _case(
    task: SlowFunction, name: str, search: Search, recorded: int, seconds: float
) -> SuggestCase:
    suggestion = search.suggestion
    speedup = suggestion.verdict.speedup if suggestion is not None else None
    checked = ""
    if suggestion is not None:
        result = "found"
        program = task.check_program(suggestion.module_text)
        checked = run_program(program, seconds_max=CHECK_SECONDS_MAX)
    elif search.rejections:
        result = "refused"
    else:
        result = "missed" if search.reason == "no rule fits" else "unverifiable"
    last = search.rejections[-1].verdict.reason if search.rejections else ""
    return SuggestCase(
        task.task,
        task.version,
        name,
        result,
        suggestion.origin if suggestion is not None else "",
        speedup.ratio if speedup is not None else 0.0,
        speedup.low if speedup is not None else 0.0,
        speedup.high if speedup is not None else 0.0,
        (suggestion.verdict.evidence.growth or "") if suggestion is not None else "",
        suggestion.verdict.evidence.inputs if suggestion is not None else 0,
        recorded,
        len(search.rejections),
        checked,
        round(seconds, 1),
        search.reason or ("" if suggestion is not None else last),
    )


def summarise(cases: Sequence[SuggestCase]) -> dict[str, Any]:
    """Shares over tasks (a task counts once), speed-ups and seconds over functions."""
    tasks = {case.task for case in cases}
    found = [case for case in cases if case.result == "found"]
    ratios = [case.ratio for case in found]
    return {
        "tasks": len(tasks),
        "found": share(len({case.task for case in found}), len(tasks)),
        "functions": dict(Counter(case.result for case in cases)),
        "checked": dict(Counter(case.checked for case in found)),
        "median_speedup": statistics.median(ratios) if ratios else 0.0,
        "median_seconds": statistics.median(case.seconds for case in cases) if cases else 0.0,
    }
