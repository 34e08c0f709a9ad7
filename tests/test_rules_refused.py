"""Wrong uses of the rules, each refused by the verifier: nothing of this may ever be shown."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from assist.analysis.execution.verdict import Subject, VerifyOptions, verify
from support.golden import Case, all_cases

pytestmark = pytest.mark.deep

CASES = [case for case in all_cases() if case.kind == "refused"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_refused(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


def check(case: Case, folder: Path) -> None:
    path = folder / "module.py"
    verdict = verify(
        Subject(path, "f", case.before),
        Subject(path, "f", case.after),
        VerifyOptions(workspace=folder, interpreter=Path(sys.executable), adversarial=case.calls),
    )
    expected = ("not_equivalent",) if case.calls else ("not_enough_evidence",)
    allowed = {*expected, "unsafe", "error", "not_enough_evidence", "nondeterministic"}
    assert verdict.verdict in allowed, verdict
