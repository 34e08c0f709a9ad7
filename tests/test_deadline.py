"""Every stage of a verification ends when its time is over, and so does a whole run."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from assist.analysis.execution import deadline
from assist.analysis.execution.ground import Ground
from assist.analysis.execution.targets import NOT_READ, find_targets
from assist.analysis.execution.trace import record_calls
from assist.analysis.execution.verdict import Subject, Verdict, VerdictName, VerifyOptions, verify
from assist.analysis.rules.compose import compose
from assist.analysis.rules.target import Facts
from assist.server.suggesting import NOT_TRIED, RunOptions, run_suggest

BEFORE = """
def unique(items: list[int]) -> list[int]:
    seen = []
    for item in items:
        if item not in seen:
            seen.append(item)
    return seen
"""
AFTER = "def unique(items: list[int]) -> list[int]:\n    return list(dict.fromkeys(items))\n"


def check(
    folder: Path, monkeypatch: pytest.MonkeyPatch, stage: str, ground: Ground | None = None
) -> Verdict:
    """Verify, with a clock that says that the time is over as soon as ``stage`` begins."""

    path = folder / "module.py"
    with monkeypatch.context() as patched:

        def progress(text: str) -> None:
            if text.startswith(stage):
                patched.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: math.inf))

        return verify(
            Subject(path, "unique", BEFORE),
            Subject(path, "unique", AFTER),
            VerifyOptions(workspace=folder, interpreter=Path(sys.executable)),
            progress=progress,
            ground=ground,
        )


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("collecting", "not_enough_evidence"),
        ("comparing", "not_enough_evidence"),
        ("breaking", "not_enough_evidence"),
        ("measuring", "equivalent"),
    ],
)
def test_no_stage_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, expected: VerdictName
) -> None:
    verdict = check(tmp_path, monkeypatch, stage)
    assert verdict.verdict == expected and "the time was used up" in verdict.reason, verdict


def test_what_was_stopped_does_not_answer_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ground() as ground:
        assert "used up" in check(tmp_path, monkeypatch, "comparing", ground).reason
        assert check(tmp_path, monkeypatch, "never", ground).verdict == "verified"


def test_reading_and_rewriting_stop(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(BEFORE)
    found = find_targets([], workspace=tmp_path, seconds_max=-1.0)
    assert not found.targets and [each.reason for each in found.skipped] == [NOT_READ]
    assert not compose(BEFORE, "unique", Facts(), may_go_on=lambda: False).steps


def test_a_run_without_time_says_what_it_did_not_try(tmp_path: Path) -> None:
    names = [f"unique_{k}" for k in range(3)]
    text = "".join(BEFORE.replace("unique", name) for name in names)
    (tmp_path / "module.py").write_text(text)
    report = run_suggest(RunOptions(tmp_path, Path(sys.executable), budget_seconds=1e-9))
    assert not report.suggestions
    assert {each.reason for each in report.skipped} <= {NOT_READ, NOT_TRIED}


def test_tests_that_take_longer_are_a_reason(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(BEFORE)
    (tmp_path / "test_it.py").write_text(
        "import module, time\n\n\ndef test_it():\n    module.unique([1])\n    time.sleep(600)\n"
    )
    recorded = record_calls(
        tmp_path,
        Path(sys.executable),
        [tmp_path / "test_it.py"],
        [tmp_path / "module.py"],
        seconds_max=3.0,
    )
    assert recorded.reason and not recorded.tests_passed
