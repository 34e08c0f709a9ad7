"""`assist bench suggest --packages`: a rule on a package that was unpacked, run on the calls of its tests."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from assist.server.bench.report import read_cases
from assist.server.bench.suggest_packages import PackageCase, run_packages

MODULE = '''
def common(left, right):
    """Words of both.

    >>> common(["a"], ["a"])
    ["a"]
    """
    found = []
    for word in left:
        if word in right and word not in found:
            found.append(word)
    return found


def untested(items):
    found = []
    for item in items:
        if item not in found:
            found.append(item)
    return found
'''
TESTS = """
from words import common

def test_common():
    for size in range(3, 30, 3):
        many = [str(i) for i in range(size)]
        assert common(many, many[::2]) == many[::2]
    assert common(["a", "b", "a"], ["b", "a"]) == ["a", "b"]
"""


def check(folder: Path, **options: int) -> list[PackageCase]:
    """Cases of one run over a small package."""
    (folder / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: words\nVersion: 1.2\n")
    (folder / "words.py").write_text(MODULE)
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "test_words.py").write_text(TESTS)
    (folder / "conftest.py").write_text(
        "import sys, pathlib\nsys.path.insert(0, str(pathlib.Path(__file__).parent))\n"
    )
    path = folder / "cases.csv"
    run_packages([folder], 60.0, options.get("limit"), path, lambda _step, _share: None)
    return read_cases(path, PackageCase)


def test_rules_run_on_recorded_calls_and_once(tmp_path: Path) -> None:
    first = check(tmp_path, limit=1)
    assert len(first) == 1
    cases = check(tmp_path)
    assert {case.function for case in cases} == {"common"}
    assert {(case.package, case.version, case.path) for case in cases} == {
        ("words", "1.2", "words.py")
    }
    assert {"list-membership", "remembered-set"} <= {case.rule for case in cases}
    assert all(case.recorded >= 3 for case in cases if case.verdict == "verified")
    assert len({(case.rule, case.digest) for case in cases}) == len(cases)
    assert check(tmp_path) == cases


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="PKG-INFO"):
        run_packages([tmp_path], 1.0, None, None, lambda _step, _share: None)
