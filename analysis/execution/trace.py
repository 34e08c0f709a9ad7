"""Runs the user's tests once in the *record* sandbox and brings back calls and times of chosen functions; the pickles stay closed here."""

from __future__ import annotations

import ast
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from assist.analysis.execution.bundle import describe
from assist.analysis.execution.deadline import OVERRUN_SECONDS, OutOfTime, stop_after
from assist.analysis.execution.functions import functions_of
from assist.analysis.execution.layers import sandbox_layers
from assist.analysis.execution.profiles import make_plan, record_start
from assist.analysis.execution.sandbox import Sandbox
from assist.analysis.execution.types import Profile, RecordedCall, RecordedCalls

RECORD_SECONDS_MAX = 300.0
SILENCE_SECONDS_MAX = 70.0
CALLS_MAX = 20_000
FILE_BYTES_MAX = 2 << 20


def record_calls(
    workspace: Path,
    interpreter: Path,
    tests: Iterable[Path],
    files: Iterable[Path],
    *,
    allow_reduced_isolation: bool = False,
    seconds_max: float = RECORD_SECONDS_MAX,
    progress: Callable[[str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> RecordedCalls:
    """Run ``tests`` with pytest and record calls of every function defined in ``files``.

    What was recorded when the time or the tests end is kept. Raises SandboxUnavailable or
    Cancelled; tests that fail, hang or do not exist are a reason in the result.
    """
    workspace = workspace.resolve()
    layers = sandbox_layers()
    if layers.record != "full" and not allow_reduced_isolation:
        return RecordedCalls(reason="tests are not run here: no namespaces (see `assist doctor`)")
    paths = [path.resolve() for path in tests]
    missing = [path for path in paths if not path.exists()]
    if missing or not paths:
        return RecordedCalls(
            reason=f"no tests: {missing[0]} does not exist" if missing else "no tests were given"
        )
    lines = {str(path): found for path in files if (found := _function_lines(path.resolve()))}
    wanted = {str(Path(name).resolve()): functions for name, functions in lines.items()}
    plan = make_plan(describe(interpreter), workspace, [], [], allow_reduced_isolation)
    with tempfile.TemporaryDirectory(prefix="assist-record-") as scratch:
        start = record_start(plan, workspace, Path(scratch), [str(path) for path in paths], wanted)
        deadline = time.monotonic() + seconds_max
        collector = _Collector(wanted, progress)
        try:
            with Sandbox(start, stop_after(deadline + OVERRUN_SECONDS, cancelled)) as sandbox:
                return collector.collect(sandbox, deadline)
        except OutOfTime:
            return RecordedCalls(reason="the sandbox for the tests did not start in time")


def _function_lines(path: Path) -> dict[str, int]:
    """First line (decorators included) of each function of a file, by qualified name."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            return {}
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    return {function.qualname: function.lines[0] for function in functions_of(tree)}


class _Collector:
    """Takes the frames of one recording run, believing nothing about them but their form."""

    def __init__(
        self, files: dict[str, dict[str, int]], progress: Callable[[str], None] | None
    ) -> None:
        self._files = files
        self._progress = progress or (lambda _text: None)
        self._calls: dict[tuple[str, str], list[RecordedCall]] = {}
        self._modules: dict[str, str] = {}
        self._count = 0

    def collect(self, sandbox: Sandbox, deadline: float) -> RecordedCalls:
        summary: dict[str, Any] = {}
        reason = ""
        while True:
            frame = sandbox.receive(min(SILENCE_SECONDS_MAX, max(deadline - time.monotonic(), 0.0)))
            if frame is None:
                reason = reason or (
                    "the tests took too long"
                    if time.monotonic() >= deadline
                    else "the test run ended early"
                )
                break
            message = frame.json()
            if not isinstance(message, dict):
                continue
            if frame.kind == "control":
                end = message.get("end")
                if not summary and not reason:
                    reason = (
                        f"the test run ended early ({end})" if end != "silent" else "the tests hang"
                    )
                break
            reason = str(message.get("problem", "")) or reason
            if "finished" in message:
                summary = message
            elif "call" in message:
                self._take_call(message)
            elif "tests" in message:
                self._progress(f"running the tests: {message['tests']}")
        return self._result(summary, reason)

    def _take_call(self, message: dict[str, Any]) -> None:
        path, _, qualname = str(message["call"]).partition("::")
        data, shape, module = message.get("pickle"), message.get("shape"), message.get("module")
        if self._count >= CALLS_MAX or qualname not in self._files.get(path, {}):
            return
        if not isinstance(data, str) or not data.isascii() or not isinstance(shape, str):
            return
        self._count += 1
        self._modules[path] = str(module)
        self._calls.setdefault((path, qualname), []).append(
            RecordedCall(data.encode("ascii"), shape)
        )

    def _result(self, summary: dict[str, Any], reason: str) -> RecordedCalls:
        result = RecordedCalls(
            calls={key: tuple(calls) for key, calls in self._calls.items()},
            profiles=self._profiles(summary.get("profile")),
            module_names=self._modules,
            reason=reason,
        )
        passed, failed = summary.get("passed"), summary.get("failed")
        paths = summary.get("sys_path")
        if not reason and isinstance(passed, int) and isinstance(failed, int):
            reason = "" if passed + failed else "no tests were collected"
        return replace(
            result,
            tests_passed=passed if isinstance(passed, int) else 0,
            tests_failed=failed if isinstance(failed, int) else 0,
            sys_path=tuple(p for p in paths if isinstance(p, str))
            if isinstance(paths, list)
            else (),
            reason=reason,
        )

    def _profiles(self, rows: Any) -> dict[tuple[str, str], Profile]:
        by_line = {
            (path, line): qualname
            for path, functions in self._files.items()
            for qualname, line in functions.items()
        }
        found: dict[tuple[str, str], Profile] = {}
        for row in rows if isinstance(rows, list) else []:
            try:
                path, line, calls, seconds = row
                qualname = by_line.get((path, line))
                if qualname is not None:
                    found[path, qualname] = Profile(int(calls), float(seconds))
            except (TypeError, ValueError):
                continue
        return found
