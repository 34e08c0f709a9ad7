from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from assist.analysis.errors import GitError, TargetError
from assist.analysis.execution.targets import find_targets
from assist.analysis.execution.types import Targets

SOURCE = """
import os, subprocess, time, contextlib
from abc import abstractmethod

def cheap(x):
    return x + 1

def dear(xs):
    return [y for x in xs for y in xs if x < y]

async def waits(x):
    return x

def reads(path):
    return open(path).read()

def runs():
    return subprocess.run(["ls"])

def stamps(x):
    return x + time.time()

@contextlib.contextmanager
def manager():
    yield 1

@magic
def odd(x):
    return x * 2

class Thing:
    def __init__(self, secret):
        self.secret = secret

    def method(self, n):
        return n * 2

    @abstractmethod
    def todo(self): ...

    @staticmethod
    def free(n):
        return n * 2
"""


def check(folder: Path, source: str, targets: list[str], **options: object) -> Targets:
    (folder / "m.py").write_text(source)
    found = find_targets([folder / "m.py"], workspace=folder, **options)  # type: ignore[arg-type]
    assert [each.qualname for each in found.targets] == targets
    return found


def test_the_most_expensive_comes_first_and_skips_say_why(tmp_path: Path) -> None:
    found = check(tmp_path, SOURCE, ["dear", "cheap", "Thing.free"])
    reasons = {each.qualname: each.reason for each in found.skipped}
    assert reasons["waits"] == "a coroutine"
    assert reasons["reads"] == "reaches outside: open()"
    assert reasons["runs"] == "reaches outside: subprocess.run()"
    assert reasons["stamps"] == "uses time.time()"
    assert "@magic" in reasons["odd"]
    assert "its class cannot be made" in reasons["Thing.method"]
    assert set(reasons) >= {"manager", "Thing.todo", "Thing.__init__"}


def test_one_line_selects_one_function(tmp_path: Path) -> None:
    check(tmp_path, SOURCE, ["dear"], line=9)


def test_a_file_that_does_not_parse_is_skipped(tmp_path: Path) -> None:
    found = check(tmp_path, "def f(:\n", [])
    assert found.skipped[0].reason.startswith("does not parse")


def test_names_that_do_not_exist_are_errors(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("x = 1\n")
    with pytest.raises(TargetError, match="no function"):
        find_targets([f"{tmp_path}/m.py::f"], workspace=tmp_path)
    with pytest.raises(TargetError, match="does not exist"):
        find_targets([tmp_path / "n.py"], workspace=tmp_path)
    with pytest.raises(GitError):
        find_targets([], workspace=tmp_path, since="HEAD")


def test_changes_since_a_revision(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True
        )

    git("init", "-q")
    (tmp_path / "m.py").write_text(SOURCE)
    git("add", ".")
    git("commit", "-qm", "x")
    changed = SOURCE.replace("return x + 1", "return x + 2  # more")
    found = check(tmp_path, changed, ["cheap"], since="HEAD")
    assert not found.skipped
    check(tmp_path, SOURCE.replace("return x + 1", "return x + 1  # more"), [], since="HEAD")
    with pytest.raises(GitError, match="not a revision"):
        find_targets([], workspace=tmp_path, since="nonsense")
    with pytest.raises(GitError):
        find_targets([], workspace=tmp_path, since="--output=/tmp/x")
