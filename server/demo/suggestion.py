"""The demo's verified suggestion: the bundled sample is searched in a scratch folder, in the sandbox; it prints nothing."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from assist.analysis.execution.targets import Request
from assist.server.reports.suggestions import SuggestReport
from assist.server.suggesting import RunOptions, run_suggest

MODULE = "orders.py"
FUNCTION = "returning_customers"
TESTS = "test_orders.py"
SECONDS_MAX = 90.0

Show = Callable[[SuggestReport], None]


def demo_suggestion(
    show: Show, *, progress: Callable[[str, float | None], None] | None = None
) -> bool:
    """Search the sample and hand the report to ``show`` while its files are there.

    Returns whether a suggestion was verified. Raises SandboxUnavailable where this machine
    cannot isolate code.
    """
    samples = files("assist.server.samples")
    with tempfile.TemporaryDirectory(prefix="assist-demo-") as directory:
        folder = Path(directory)
        for source, name in ((MODULE, MODULE), ("test_orders.txt", TESTS)):
            text = samples.joinpath(source).read_text(encoding="utf-8")
            (folder / name).write_text(text, encoding="utf-8")
        options = RunOptions(
            folder,
            Path(sys.executable),
            [Request(folder / MODULE, FUNCTION)],
            tests=[folder / TESTS],
            budget_seconds=SECONDS_MAX,
            seconds_per_function=SECONDS_MAX,
        )
        report = run_suggest(options, progress=progress)
        show(report)
        return bool(report.suggestions)
