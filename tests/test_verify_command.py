from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

OLD = "def total(values: list[int]) -> int:\n    result = 0\n    for value in values:\n        result += value\n    return result\n"
FAST = "def total(values: list[int]) -> int:\n    return sum(values)\n"
WRONG = "def total(values: list[int]) -> int:\n    return sum(values[1:])\n"


def check(folder: Path, arguments: list[str], code: int) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "assist.server.cli", "verify", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    return done


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)


def test_two_files(tmp_path: Path) -> None:
    write(tmp_path, old=OLD, fast=FAST, wrong=WRONG)
    report = json.loads(check(tmp_path, ["old.py::total", "fast.py", "--json"], 0).stdout)
    assert report["verdict"] in ("verified", "equivalent") and report["function"] == "total"
    assert report["evidence"]["inputs"] > 50
    assert set(report["evidence"]["sources"]) == {"recorded", "generated", "mutated", "adversarial"}
    done = check(tmp_path, ["old.py::total", "wrong.py::total"], 1)
    assert "behaves differently" in done.stdout and "total([" in done.stdout


def test_tests_are_recorded(tmp_path: Path) -> None:
    write(tmp_path, old=OLD.replace(": list[int]", ""), fast=FAST.replace(": list[int]", ""))
    write(
        tmp_path,
        test_old="from old import total\n\ndef test_it():\n    for n in range(30):\n        assert total(list(range(n))) == n * (n - 1) // 2\n",
    )
    arguments = ["old.py::total", "fast.py", "--tests", "test_old.py", "--json"]
    report = json.loads(check(tmp_path, arguments, 0).stdout)
    assert report["evidence"]["sources"]["recorded"] > 3


def test_since_a_revision(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True
        )

    git("init", "-q")
    other = "\n\ndef other(n: int) -> int:\n    return n + 1\n"
    write(tmp_path, module=OLD + other)
    git("add", ".")
    git("commit", "-qm", "x")
    assert json.loads(check(tmp_path, ["--since", "HEAD", "--json"], 0).stdout)["results"] == []
    write(
        tmp_path, module=WRONG + other.replace("n + 1", "1 + n") + "\n\ndef new(n):\n    return n\n"
    )
    report = json.loads(check(tmp_path, ["--since", "HEAD", "--json"], 1).stdout)
    verdicts = {each["function"]: each["verdict"] for each in report["results"]}
    assert verdicts["total"] == "not_equivalent"
    assert verdicts["other"] in ("equivalent", "verified")
    assert [each["function"] for each in report["skipped"]] == ["new"]


def test_bad_usage_is_one_line(tmp_path: Path) -> None:
    write(tmp_path, old=OLD)
    for arguments in (
        [], ["old.py"], ["old.py", "old.py"], ["none.py::f", "old.py"], ["old.py::total", "none.py"],
        ["old.py::total", "."], ["--since", "HEAD"], ["old.py::total", "old.py", "--python", "/bin/false"],
        ["old.py::total", "old.py", "--python", "/nowhere/python"],
    ):  # fmt: skip
        done = check(tmp_path, arguments, 2)
        assert done.stderr.startswith("assist: ") and done.stderr.count("\n") == 1, done.stderr


def test_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    endless = OLD.replace(
        "    result = 0", "    result = 0\n    while len(values) > 3:\n        pass"
    )
    write(tmp_path, old=endless, new=endless)
    process = subprocess.Popen(
        [sys.executable, "-m", "assist.server.cli", "verify", "old.py::total", "new.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (130, 1) and "Traceback" not in errors
    deadline = time.monotonic() + 10
    while (left := children_of(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left


def children_of(pid: int) -> list[str]:
    """Processes that are or were started by ``pid``: they are in its session or name it as parent."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(folder.name)
    return found


def test_the_terminal_is_not_steered(tmp_path: Path) -> None:
    write(
        tmp_path,
        old="def f(n: int) -> str:\n    return 'a' * (n % 3)\n",
        new="def f(n: int) -> str:\n    return '\\x1b[2J' * (n % 3)\n",
    )
    done = check(tmp_path, ["old.py::f", "new.py"], 1)
    assert "\x1b[2J" not in done.stdout and os.linesep in done.stdout
