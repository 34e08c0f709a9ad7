"""One run of `assist suggest`: find functions, record calls, search each within the time, remember; the search itself is completion's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from assist.analysis.errors import Cancelled
from assist.analysis.execution.targets import Request, find_targets
from assist.analysis.execution.trace import record_calls
from assist.analysis.execution.verdict import (
    RecordedCalls,
    Skipped,
    Target,
    Targets,
    VerifyOptions,
)
from assist.analysis.rules.compose import single_proposals
from assist.cache.verdicts import VerdictStore
from assist.completion.edits import (
    SECONDS_PER_FUNCTION_MAX,
    Proposer,
    Rejection,
    Search,
    Suggestion,
    SuggestOptions,
    facts_of,
    suggest,
)
from assist.completion.remembered import (
    find_recording,
    find_search,
    keep_recording,
    keep_search,
    recording_key,
    search_key,
)
from assist.completion.rewriter import Rewriter
from assist.server.reports.suggestions import SuggestReport

BUDGET_SECONDS = 600.0
RECORD_SHARE = 0.4
READ_SHARE = 0.2
SECONDS_MIN = 1.0
SHARE_SECONDS_MIN, SHARED_BY_MAX = 15.0, 4
NOT_TRIED = "not tried: the time was used up"

Progress = Callable[[str, float | None], None]


@dataclass(frozen=True)
class RunOptions:
    """What to look at and how long; ``tests`` are paths for pytest, empty for none.

    ``texts`` are unsaved texts of files; ``line`` (1-based) keeps the function around it.
    """

    workspace: Path
    interpreter: Path
    requests: Sequence[Request] = ()
    texts: Mapping[Path, str] = field(default_factory=dict)
    line: int | None = None
    since: str | None = None
    tests: Sequence[Path] = ()
    min_speedup: float = 1.10
    budget_seconds: float = BUDGET_SECONDS
    seconds_per_function: float = SECONDS_PER_FUNCTION_MAX
    jobs: int = 1
    proposers: frozenset[Proposer] = frozenset({"rules"})
    allow_reduced_isolation: bool = False


@dataclass
class _Run:
    """State of one run."""

    options: RunOptions
    store: VerdictStore | None
    rewriter: Rewriter | None
    progress: Progress
    cancelled: threading.Event
    deadline: float
    recorded: RecordedCalls | None = None
    suggestions: list[Suggestion] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    done: int = 0
    remembered: int = 0


def run_suggest(
    options: RunOptions,
    *,
    store: VerdictStore | None = None,
    rewriter: Rewriter | None = None,
    progress: Progress | None = None,
    cancelled: threading.Event | None = None,
) -> SuggestReport:
    """Search every function asked for, most expensive first, until the time is used up.

    What is being verified when the time is over may end, within a tenth of the budget and a
    few seconds. Raises AnalysisError for what was asked wrongly and where code cannot be isolated, and
    Cancelled when ``cancelled`` was set; nothing is left running then.
    """
    run = _Run(
        options,
        store,
        rewriter,
        progress or (lambda _step, _fraction: None),
        cancelled or threading.Event(),
        time.monotonic() + options.budget_seconds,
    )
    targets = _targets(run)
    run.skipped.extend(targets.skipped)
    _search_all(run, targets.targets)
    if run.remembered:
        run.notes.append(f"{run.remembered} functions were verified by an earlier run.")
    return SuggestReport(
        options.workspace,
        tuple(sorted(run.suggestions, key=_gain)),
        tuple(run.rejected),
        tuple(run.skipped),
        tuple(run.notes),
        _isolation(run),
        run.recorded.tests_failed if run.recorded is not None else 0,
    )


def _targets(run: _Run) -> Targets:
    """Functions to look at; the tests are run only if there is something to look at."""
    options = run.options
    run.progress("reading the code", None)
    found = _found(run)
    files = sorted({target.path for target in found.targets} | {s.path for s in found.skipped})
    if not files or not options.tests:
        if files:
            run.notes.append("No tests were found, so inputs are made from types and examples.")
        return found
    run.recorded = _recorded(run, files)
    return _found(run)


def _found(run: _Run) -> Targets:
    options = run.options
    return find_targets(
        options.requests,
        workspace=options.workspace,
        since=options.since,
        line=options.line,
        recorded=run.recorded,
        texts=options.texts,
        seconds_max=options.budget_seconds * READ_SHARE,
    )


def _recorded(run: _Run, files: Sequence[Path]) -> RecordedCalls:
    options = run.options
    key = recording_key(options.workspace, options.interpreter, options.tests)
    kept = find_recording(run.store, key) if run.store is not None else None
    if kept is not None:
        return kept
    run.progress("running the tests", None)
    recorded = record_calls(
        options.workspace,
        options.interpreter,
        options.tests,
        files,
        allow_reduced_isolation=options.allow_reduced_isolation,
        seconds_max=options.budget_seconds * RECORD_SHARE,
        progress=lambda step: run.progress(step, None),
        cancelled=run.cancelled.is_set,
    )
    if recorded.reason:
        run.notes.append(f"Calls of the tests were not all recorded: {recorded.reason}.")
    if recorded.tests_failed:
        run.notes.append(f"{recorded.tests_failed} tests failed before any change.")
    if run.store is not None:
        keep_recording(run.store, key, recorded)
    return recorded


def _search_all(run: _Run, targets: Sequence[Target]) -> None:
    """Up to ``jobs`` functions at a time; measuring takes turns by itself."""
    waiting = list(reversed(targets))
    running: dict[Future[Search], Target] = {}
    total = len(targets)
    with ThreadPoolExecutor(max_workers=max(run.options.jobs, 1)) as executor:
        try:
            while waiting or running:
                while waiting and len(running) < max(run.options.jobs, 1):
                    if run.cancelled.is_set():
                        raise Cancelled("stopped")
                    target = waiting.pop()
                    if time.monotonic() > run.deadline:
                        run.skipped.append(Skipped(target.path, target.qualname, NOT_TRIED))
                        continue
                    run.progress(f"{target.qualname}", run.done / max(total, 1))
                    seconds = _seconds_for(run, len(waiting) + 1)
                    running[executor.submit(_search, run, target, seconds)] = target
                if not running:
                    continue
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    _take(run, running.pop(future), future.result())
        except BaseException:
            run.cancelled.set()
            raise


def _seconds_for(run: _Run, left: int) -> float:
    """Time for the next of ``left`` functions: no single one may use up the time of all."""
    seconds = max(run.deadline - time.monotonic(), SECONDS_MIN)
    share = max(seconds / min(left, SHARED_BY_MAX) * max(run.options.jobs, 1), SHARE_SECONDS_MIN)
    return min(run.options.seconds_per_function, seconds, share)


def _search(run: _Run, target: Target, seconds: float) -> Search:
    """What is found for one function; one that no rule fits costs a look at it."""
    if "model" not in run.options.proposers:
        facts = facts_of(target.subject, run.recorded)
        if not single_proposals(target.module_text, target.qualname, facts):
            return Search(reason="no rule fits")
    options = _suggest_options(run, seconds)
    model = run.rewriter.kv.model.name if run.rewriter is not None else ""
    key = search_key(target.subject, options, run.recorded, model) if run.store else ""
    kept = find_search(run.store, key, target.subject) if run.store is not None else None
    if kept is not None:
        run.remembered += 1
        return kept
    search = suggest(
        target.subject,
        options,
        recorded=run.recorded,
        rewriter=run.rewriter,
        progress=lambda step: run.progress(f"{target.qualname}: {step}", None),
        cancelled=run.cancelled.is_set,
    )
    if run.store is not None and not search.unfinished:
        keep_search(run.store, key, search)
    return search


def _suggest_options(run: _Run, seconds: float) -> SuggestOptions:
    options = run.options
    return SuggestOptions(
        VerifyOptions(
            workspace=options.workspace,
            interpreter=options.interpreter,
            min_speedup=options.min_speedup,
            budget_seconds=seconds,
            allow_reduced_isolation=options.allow_reduced_isolation,
        ),
        options.proposers,
        seconds,
    )


def _take(run: _Run, target: Target, search: Search) -> None:
    run.done += 1
    run.rejected.extend(search.rejections)
    if search.suggestion is not None:
        run.suggestions.append(search.suggestion)
    elif search.reason and not search.rejections:
        run.skipped.append(Skipped(target.path, target.qualname, search.reason))


def _gain(suggestion: Suggestion) -> float:
    speedup = suggestion.verdict.speedup
    return -speedup.ratio if speedup is not None else 0.0


def _isolation(run: _Run) -> str:
    verdicts = [each.verdict for each in run.suggestions] + [each.verdict for each in run.rejected]
    return "reduced" if any(v.isolation == "reduced" for v in verdicts) else "full"


def run_again(options: RunOptions, files: Sequence[Path]) -> RecordedCalls:
    """The user's tests once more, in the sandbox, after files were changed."""
    return record_calls(
        options.workspace,
        options.interpreter,
        options.tests,
        files,
        allow_reduced_isolation=options.allow_reduced_isolation,
        seconds_max=max(options.budget_seconds * RECORD_SHARE, 60.0),
    )
