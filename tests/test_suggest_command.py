"""`assist suggest` as a user runs it: a real process, a real sandbox, real tests of a project."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from assist.server.workspace import find_tests
from support.processes import processes_below

MODULE = '''"""Words."""


def common(left: list[str], right: list[str]) -> list[str]:
    """Words of the left list that the right list has, in order."""
    found = []
    for word in left:
        # each word once
        if word in right and word not in found:
            found.append(word)
    return found


def same(word: str) -> str:
    return word
'''
TESTS = """
from words import common

def test_common():
    assert common(["a", "b", "a"], ["b", "a"]) == ["a", "b"]
    many = [str(i) for i in range(60)]
    assert common(many, many[::2])[:2] == ["0", "2"]
"""
# Functions that no verifier can or may run; none of them may break the run.
STRANGE = """
import random, socket, threading, time

def forever(n: int) -> int:
    out = []
    while True:
        for x in range(n):
            out.append(x)

def dice(n: int) -> list[int]:
    out = []
    for _ in range(n):
        out.append(random.randint(1, 6))
    return out

def clock(n: int) -> list[float]:
    out = []
    for _ in range(n):
        out.append(time.time())
    return out

def asks(n: int) -> list[str]:
    out = []
    for _ in range(n):
        out.append(input())
    return out

def calls(n: int) -> list[int]:
    out = []
    for port in range(n):
        out.append(socket.create_connection(("127.0.0.1", port)).fileno())
    return out

def threads(n: int) -> list[int]:
    out = []
    for _ in range(n):
        t = threading.Thread(target=print)
        t.start()
        out.append(t.ident)
    return out

def reads(names: list[str]) -> list[str]:
    out = []
    for name in names:
        out.append(open(name).read())
    return out

def deep(n: int) -> int:
    total = 0
    for x in [n]:
        total += x
    return total + deep(n)

def huge(n: int) -> list[int]:
    out = []
    for x in range(3):
        out.append(len(bytearray(1 << 31)))
    return out

def fails(xs: list[int]) -> list[int]:
    out = []
    for x in xs:
        out.append(x)
    raise ValueError(out)

def makers(xs: list[int]) -> list:
    out = []
    for x in xs:
        out.append(lambda: x)
    return out

def lazy(xs: list[int]):
    for x in list(xs):
        yield x

async def waits(xs: list[int]) -> list[int]:
    return sorted(list(xs))
"""


class Project:
    """A folder with a module, its tests, and a git history."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pyproject.toml").write_text("[project]\nname = 'words'\n")
        self.write("words.py", MODULE)
        (folder / "tests").mkdir()
        (folder / "conftest.py").write_text(
            "import sys, pathlib\nsys.path.insert(0, str(pathlib.Path(__file__).parent))\n"
        )
        self.write("tests/test_words.py", TESTS)
        self.git("init", "-q")
        self.git("add", "-A")
        self.git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "one")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.folder, check=True)

    def command(self, *arguments: str) -> list[str]:
        start = [sys.executable, "-P", "-m", "assist.server.cli", "suggest"]
        return [*start, "--python", sys.executable, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"ASSIST_HOME": str(self.folder / ".home")}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run to the end; a traceback is never right."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return done


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def check(project: Project, arguments: list[str], code: int, said: str) -> None:
    """A wrong use: one clear line on standard error, and the code."""
    done = project.run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.py"], "does not exist"),
        (["words.py::missing"], "has no function missing"),
        (["--since", "nonsense"], "nonsense"),
        (["--proposers", "oracle"], "write rules, model, or rules,model"),
        (["--format", "xml"], "xml"),
        (["words.py", "--python", "/no/such/python"], "is not a Python interpreter"),
    ],
)
def test_wrong_use(project: Project, arguments: list[str], said: str) -> None:
    check(project, arguments, 2, said)


def test_found_remembered_and_applied(project: Project) -> None:
    first = project.run("words.py", "--format", "json")
    assert first.returncode == 1, first.stderr
    (suggestion,) = json.loads(first.stdout)["suggestions"]
    assert suggestion["function"] == "common" and suggestion["speedup"]["low"] > 1
    assert suggestion["evidence"]["sources"]["recorded"] >= 2

    started = time.monotonic()
    patch = project.run("words.py", "--format", "patch")
    assert patch.returncode == 1 and time.monotonic() - started < 60
    applied = subprocess.run(
        ["git", "apply", "--check", "-"],
        cwd=project.folder,
        input=patch.stdout,
        text=True,
        check=False,
    )
    assert applied.returncode == 0

    project.write("words.py", MODULE + "\n\ndef more() -> int:\n    return 1\n")
    third = project.run("words.py::common", "--apply")
    assert third.returncode == 1 and "1 tests pass" in third.stderr
    text = (project.folder / "words.py").read_text()
    assert "set(right)" in text and "def more()" in text and "# each word once" in text


def test_tests_inside_a_package_are_found(tmp_path: Path) -> None:
    (tmp_path / "words" / "tests").mkdir(parents=True)
    (tmp_path / "notes" / "tests").mkdir(parents=True)
    (tmp_path / "words" / "__init__.py").write_text("")
    assert find_tests(tmp_path) == [tmp_path / "words" / "tests"]
    (tmp_path / "tests").mkdir()
    assert find_tests(tmp_path) == [tmp_path / "tests"]


def test_nothing_changed_since_a_revision(project: Project) -> None:
    done = project.run("--since", "HEAD", "--format", "json")
    assert done.returncode == 0
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["suggestions"] == report["rejected"] == []


def test_strange_code_is_skipped_with_reasons(project: Project) -> None:
    project.write("strange.py", STRANGE)
    project.write("broken.py", "def f(:\n")
    project.write("tests/test_fails.py", "def test_fails():\n    assert False\n")
    done = project.run("strange.py", "broken.py", "--format", "json", "--budget", "150")
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert {each["function"] for each in report["suggestions"]} <= {"makers", "lazy"}
    left_out = {each["function"]: each["reason"] for each in report["skipped"]}
    assert left_out["dice"].startswith("reaches outside: random")
    assert left_out["clock"].startswith("uses time")
    assert left_out["asks"] == "reaches outside: input()"
    assert left_out["calls"].startswith("reaches outside: socket")
    assert left_out["threads"].startswith("reaches outside: threading")
    assert left_out["reads"] == "reaches outside: open()"
    assert left_out["waits"] == "a coroutine"
    assert left_out[""].startswith("does not parse")
    assert "1 tests failed before any change." in report["notes"]


def test_an_interrupt_leaves_nothing_behind(project: Project) -> None:
    process = subprocess.Popen(
        project.command("words.py", "--apply"),
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while len(processes_below(process.pid)) < 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    below = processes_below(process.pid)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and "Traceback" not in errors
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in below) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in below if Path(f"/proc/{pid}").exists()]
    assert (project.folder / "words.py").read_text() == MODULE
    assert sorted(each.name for each in project.folder.glob("*.py")) == ["conftest.py", "words.py"]
