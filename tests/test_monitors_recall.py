"""A monitor may forbid only where the committed bench shows that it hardly ever forbids what people write."""

from __future__ import annotations

import csv
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from assist.analysis.monitors.registry import MONITORS

FIGURES = Path(__file__).parent / "eval" / "monitors_reference.csv"
CASES_MIN = 600
RECALL_MIN = 0.995


@cache
def figures() -> tuple[Counter[str], Counter[str]]:
    """How often each monitor could say something on held-out packages, and how often wrongly."""
    said: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    with FIGURES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] == "test":
                for counter, pairs in ((said, row["said"]), (wrong, row["wrong"])):
                    for pair in filter(None, pairs.split("; ")):
                        name, _, count = pair.rpartition("=")
                        counter[name] += int(count)
    return said, wrong


def may_forbid(name: str) -> bool:
    said, wrong = figures()
    return said[name] >= CASES_MIN and 1 - wrong[name] / said[name] >= RECALL_MIN


@pytest.mark.parametrize("monitor", MONITORS, ids=lambda monitor: monitor.name)
def test_only_measured_monitors_forbid(monitor: object) -> None:
    name, hard = monitor.name, monitor.hard  # type: ignore[attr-defined]
    assert not hard or may_forbid(name)
