"""Functions that cannot be compared, or hardly: each ends in a verdict with a reason, never in an error of ours."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from assist.analysis.execution.verdict import Subject, VerdictName, VerifyOptions, verify

# text, with the function named f, → verdict and a part of its reason
HOPELESS: dict[str, tuple[str, VerdictName, str]] = {
    "never ends": ("def f(n: int) -> int:\n    while True:\n        n += 1\n", "not_enough_evidence", "in time"),
    "sleeps": ("import time\ndef f(n: int) -> int:\n    time.sleep(60)\n    return n\n", "not_enough_evidence", "in time"),
    "random": ("import random\ndef f(n: int) -> float:\n    return n + random.random()\n", "nondeterministic", "random"),
    "seldom random": (
        "import random\ndef f(n: int) -> int:\n    return n if random.random() < 2 else 0\n", "nondeterministic", "random",
    ),
    "own generator": ("import random\ndef f(n: int) -> int:\n    return n + random.Random().randrange(10**9)\n", "nondeterministic", "differs"),
    "clock": ("import time\ndef f(n: int) -> float:\n    return n + time.time()\n", "nondeterministic", "time.time()"),
    "hidden clock": (
        "import time\nnow = time.time\ndef f(n: int) -> float:\n    return n + now()\n", "nondeterministic", "differs from itself",
    ),
    "addresses": ("def f(n: int) -> int:\n    return id([n])\n", "nondeterministic", "differs from itself"),
    "hash seed": ("def f(words: list[str]) -> list[str]:\n    return list(set(words))\n", "nondeterministic", "differs from itself"),
    "network": (
        "import socket\ndef f(n: int) -> int:\n    try:\n        socket.create_connection(('127.0.0.1', 80))\n"
        "    except OSError:\n        pass\n    return n\n", "unsafe", "socket",
    ),
    "threads": (
        "import threading\ndef f(n: int) -> int:\n    try:\n        threading.Thread(target=print).start()\n"
        "    except RuntimeError:\n        pass\n    return n\n", "unsafe", "thread",
    ),
    "writes files": (
        "def f(n: int) -> int:\n    try:\n        open('/tmp/x', 'w')\n    except OSError:\n        pass\n    return n\n", "unsafe", "open",
    ),
    "reads files": (
        "def f(n: int) -> int:\n    try:\n        open('/etc/passwd')\n    except OSError:\n        pass\n    return n\n", "unsafe", "open",
    ),
    "processes": (
        "import subprocess\ndef f(n: int) -> int:\n    try:\n        subprocess.run(['ls'])\n    except OSError:\n        pass\n"
        "    return n\n", "unsafe", "subprocess",
    ),
    "input": ("def f(n: int) -> int:\n    try:\n        input()\n    except EOFError:\n        pass\n    return n\n", "unsafe", "input"),
    "exits": ("import os\ndef f(n: int) -> int:\n    os._exit(0)\n", "not_enough_evidence", "without an answer"),
    "crashes": ("import ctypes\ndef f(n: int) -> int:\n    return ctypes.string_at(8)\n", "not_enough_evidence", "signal 11"),
    "lock as a result": ("import _thread\ndef f(n: int):\n    return _thread.allocate_lock()\n", "not_enough_evidence", "cannot be looked into"),
    "generator in a list": ("def f(n: int):\n    return [(k for k in range(n))]\n", "not_enough_evidence", "cannot be looked into"),
    "coroutine": ("async def f(n: int) -> int:\n    return n\n", "not_enough_evidence", "coroutines"),
    "import fails": ("import no_such_module\ndef f(n: int) -> int:\n    return n\n", "error", "no_such_module"),
    "import never ends": ("while True:\n    pass\ndef f(n: int) -> int:\n    return n\n", "error", ""),
    "import exits": ("raise SystemExit(3)\ndef f(n: int) -> int:\n    return n\n", "error", "SystemExit"),
    "null byte": ("def f(n: int) -> int:\n    return n\0\n", "error", "does not parse"),
    "deep nesting": ("def f(n: int) -> int:\n    return " + "(" * 300 + "n" + ")" * 300 + "\n", "error", "does not parse"),
    "large allocations": ("def f(n: int) -> int:\n    return n + len(bytearray(1 << 30))\n", "not_enough_evidence", "returned on"),
    "closure never called": (
        "def f(n: int):\n    def inner(k):\n        return n + k\n    return inner\n", "not_enough_evidence", "never entered",
    ),
    "no inputs": ("def f(thing):\n    return thing.no_such_attribute_anywhere.x\n", "not_enough_evidence", "returned on 0 inputs"),
}  # fmt: skip
COMPARABLE: dict[str, str] = {
    "recursion to the limit": "def f(n: int) -> int:\n    return 0 if n <= 0 else 1 + f(n - 1)\n",
    "exceptions are results": "def f(n: int) -> int:\n    if n < 5:\n        raise ValueError(n)\n    return n\n",
    "lazy": "def f(values: list[int]):\n    for value in values:\n        yield value + 1\n",
    "prints": "def f(n: int) -> int:\n    print(n)\n    return n\n",
    "changes its argument": "def f(values: list[int]) -> None:\n    values.append(1)\n",
    "exits as a result": "def f(n: int) -> int:\n    if n == 3:\n        raise SystemExit(n)\n    return n\n",
    "state between calls": "SEEN = []\ndef f(n: int) -> int:\n    SEEN.append(n)\n    return len(SEEN)\n",
    "no parameters": "def f() -> int:\n    return sum(range(10))\n",
    "seeded random": "import random\ndef f(n: int) -> int:\n    return random.Random(n).randrange(100)\n",
}  # fmt: skip


def check(folder: Path, text: str, expected: VerdictName, reason: str) -> None:
    path = folder / "module.py"
    options = VerifyOptions(workspace=folder, interpreter=Path(sys.executable), budget_seconds=40)
    verdict = verify(Subject(path, "f", text), Subject(path, "f", text + "# edited\n"), options)
    assert verdict.verdict == expected and reason in verdict.reason, verdict
    assert "\n" not in verdict.reason


@pytest.mark.parametrize("name", HOPELESS)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, name: str) -> None:
    check(tmp_path, *HOPELESS[name])


@pytest.mark.parametrize("name", COMPARABLE)
def test_what_can_be_compared_is_equal_to_itself(tmp_path: Path, name: str) -> None:
    check(tmp_path, COMPARABLE[name], "equivalent", "same behaviour")
