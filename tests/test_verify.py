from __future__ import annotations

import sys
from pathlib import Path

from assist.analysis.execution.verdict import Subject, Verdict, VerdictName, VerifyOptions, verify

DEDUPE = """
def dedupe(items: list[int]) -> list[int]:
    seen = []
    for item in items:
        if item not in seen:
            seen.append(item)
    return seen
"""


def check(
    folder: Path, before: str, after: str, expected: VerdictName, qualname: str = "dedupe"
) -> Verdict:
    path = folder / "module.py"
    verdict = verify(
        Subject(path, qualname, before),
        Subject(path, qualname, after),
        VerifyOptions(workspace=folder, interpreter=Path(sys.executable)),
    )
    assert verdict.verdict == expected, verdict
    return verdict


def test_a_faster_version_is_verified(tmp_path: Path) -> None:
    after = "def dedupe(items: list[int]) -> list[int]:\n    return list(dict.fromkeys(items))\n"
    verdict = check(tmp_path, DEDUPE, after, "verified")
    assert verdict.speedup is not None and verdict.speedup.ratio > 1.1
    assert verdict.evidence.branches == 1.0


def test_another_order_is_refused_with_the_smallest_input(tmp_path: Path) -> None:
    after = "def dedupe(items: list[int]) -> list[int]:\n    return sorted(set(items))\n"
    verdict = check(tmp_path, DEDUPE, after, "not_equivalent")
    assert verdict.counterexample is not None
    call, _, rest = verdict.counterexample.partition(" returned ")
    assert call.startswith("dedupe([") and "; the new version returned [" in rest


def test_what_the_old_version_accepts_must_be_accepted(tmp_path: Path) -> None:
    before = DEDUPE.replace(": list[int]", "").replace(" -> list[int]", "")
    after = "def dedupe(items):\n    return list(dict.fromkeys(items))\n"
    verdict = check(tmp_path, before, after, "not_equivalent")
    assert "unhashable" in (verdict.counterexample or "")


def test_broken_text_is_an_error_with_its_line(tmp_path: Path) -> None:
    verdict = check(tmp_path, DEDUPE, "def dedupe(items):\n    return (\n", "error")
    assert verdict.reason.startswith("the new version does not parse")
    check(tmp_path, DEDUPE, "def other(items):\n    return items\n", "error")


def test_an_inner_loop_over_the_same_list_needs_no_empty_run(tmp_path: Path) -> None:
    before = (
        "def close(numbers: list[int], limit: int) -> bool:\n"
        "    for i, a in enumerate(numbers):\n"
        "        for j, b in enumerate(numbers):\n"
        "            if i != j and abs(a - b) < limit:\n"
        "                return True\n"
        "    return False\n"
    )
    after = (
        "def close(numbers: list[int], limit: int) -> bool:\n"
        "    numbers = sorted(numbers)\n"
        "    for a, b in zip(numbers, numbers[1:]):\n"
        "        if b - a < limit:\n"
        "            return True\n"
        "    return False\n"
    )
    path = tmp_path / "module.py"
    verdict = verify(
        Subject(path, "close", before),
        Subject(path, "close", after),
        VerifyOptions(workspace=tmp_path, interpreter=Path(sys.executable)),
    )
    assert verdict.verdict in ("verified", "equivalent"), verdict
    assert verdict.evidence.branches == 1.0
