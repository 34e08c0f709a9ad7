"""A candidate that attacks the verdict instead of the machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from assist.analysis.execution import verdict as verifier
from assist.analysis.execution.verdict import Subject, Verdict, VerifyOptions, verify

BEFORE = """
def total(values: list[int]) -> int:
    result = 0
    for value in values:
        result += value
    return result
"""
WRONG = "def total(values: list[int]) -> int:\n    return sum(values) + (len(values) == 5)\n"


def check(folder: Path, monkeypatch: pytest.MonkeyPatch, after: str) -> Verdict:
    """Verify without the screen of the text, so that only the sandbox stands in the way."""
    monkeypatch.setattr(verifier, "newly_reached", lambda before, after: ())
    path = folder / "module.py"
    options = VerifyOptions(workspace=folder, interpreter=Path(sys.executable))
    verdict = verify(Subject(path, "total", BEFORE), Subject(path, "total", after), options)
    assert verdict.verdict != "verified", verdict
    return verdict


def test_frames_written_to_every_descriptor_prove_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = """
import json, os, struct
def shout():
    for kind in (b"C", b"D"):
        for text in ({"end": "ended", "signal": 0}, {"loaded": True}, {"done": 1}, {"ready": True, "layers": []}):
            payload = kind + json.dumps(text).encode()
            for descriptor in range(3, 64):
                try:
                    os.write(descriptor, struct.pack(">I", len(payload)) + payload)
                except OSError:
                    pass
shout()
"""
    verdict = check(tmp_path, monkeypatch, forged + WRONG)
    assert verdict.verdict in ("not_equivalent", "error")
    inside = WRONG.replace("    return", "    shout()\n    return")
    assert check(tmp_path, monkeypatch, forged + inside).verdict in ("not_equivalent", "error")


def test_the_worker_cannot_be_found_and_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hunt in (
        "import __main__\n__main__.Observer.observe = lambda self, specification: {}\n",
        "import gc\nfor o in gc.get_objects():\n    if type(o).__name__ == 'Channel':\n        o.send = lambda *a: None\n",
        "import sys\nf = sys._getframe()\nwhile f:\n    f.f_locals.get('outcomes', []).clear() if isinstance(f.f_locals.get('outcomes'), list) else 0\n    f = f.f_back\n",
        "import json\njson.dumps = lambda value, **k: '{}'\n",
    ):
        assert check(tmp_path, monkeypatch, hunt + WRONG).verdict in ("not_equivalent", "error")


def test_clocks_that_lie_and_work_elsewhere_do_not_make_it_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = BEFORE.replace(
        "    result = 0", "    for _ in range(3):\n        sorted(values)\n    result = 0"
    )
    lie = "import time\ntime.process_time = time.perf_counter = time.time = lambda: 0.0\n"
    verdict = check(tmp_path, monkeypatch, lie + slow)
    assert verdict.speedup is None or verdict.speedup.ratio < 1
    table = "TABLE = [k * k for k in range(2_000_000)]\n"
    verdict = check(
        tmp_path, monkeypatch, table + BEFORE.replace("result += value", "result = result + value")
    )
    assert (
        "imported" in verdict.reason or "memory" in verdict.reason or "not faster" in verdict.reason
    )


def test_a_memo_does_not_win_by_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memo = """
_SEEN = {}
def total(values: list[int]) -> int:
    key = tuple(values)
    if key not in _SEEN:
        result = 0
        for value in values:
            result += value
        _SEEN[key] = result
    return _SEEN[key]
"""
    verdict = check(tmp_path, monkeypatch, memo)
    assert verdict.verdict == "equivalent"


def test_the_screen_names_what_is_newly_reached(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    options = VerifyOptions(workspace=tmp_path, interpreter=Path(sys.executable))
    for after, named in (
        ("import gc\n" + WRONG, "import gc"),
        (WRONG.replace("sum(values)", "total.__globals__['x']"), ".__globals__"),
        (WRONG.replace("sum(values)", "eval('1')"), "eval"),
        (WRONG.replace("sum(values)", "getattr(values, 'a' + 'b')"), "getattr"),
        (
            "from operator import attrgetter\nget = attrgetter('a.__class__')\n" + WRONG,
            "attrgetter",
        ),
        ("from operator import attrgetter\nget = attrgetter\n" + WRONG, "attrgetter"),
    ):
        verdict = verify(Subject(path, "total", BEFORE), Subject(path, "total", after), options)
        assert verdict.verdict == "unsafe" and named in verdict.reason
