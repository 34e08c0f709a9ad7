"""The worker under every Python on this machine, from 3.9: the user's interpreter is not ours."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from assist.analysis.errors import SandboxUnavailable
from assist.analysis.execution.bundle import VERSION_MIN, describe
from assist.analysis.execution.verdict import Subject, VerdictName, VerifyOptions, verify

BEFORE = """
def index(words: list[str], n: int) -> dict[str, list[int]]:
    result = {}
    for position in range(len(words)):
        if words[position] not in result:
            result[words[position]] = []
        result[words[position]].append(position + n)
    return result
"""
AFTER = """
def index(words: list[str], n: int) -> dict[str, list[int]]:
    result = {}
    for position, word in enumerate(words, n):
        result.setdefault(word, []).append(position)
    return result
"""


def interpreters() -> list[Path]:
    beside = sorted(Path(sys.base_prefix).parent.glob("3.*/bin/python3"))
    system = shutil.which("python3", path="/usr/bin")
    return [*beside, *([Path(system)] if system else [])]


def check(folder: Path, interpreter: Path, after: str, expected: tuple[VerdictName, ...]) -> None:
    path = folder / "module.py"
    options = VerifyOptions(workspace=folder, interpreter=interpreter)
    verdict = verify(Subject(path, "index", BEFORE), Subject(path, "index", after), options)
    assert verdict.verdict in expected, verdict


@pytest.mark.deep
@pytest.mark.parametrize("interpreter", interpreters(), ids=lambda path: path.parent.parent.name)
def test_good_is_accepted_and_wrong_refused(tmp_path: Path, interpreter: Path) -> None:
    try:
        describe(interpreter)
    except SandboxUnavailable as error:
        version = ".".join(map(str, VERSION_MIN))
        assert f"{version} or later is needed" in str(error)
        return
    check(tmp_path, interpreter, AFTER, ("verified", "equivalent"))
    wrong = AFTER.replace("enumerate(words, n)", "enumerate(sorted(words), n)")
    check(tmp_path, interpreter, wrong, ("not_equivalent",))
