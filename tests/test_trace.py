from __future__ import annotations

import sys
from pathlib import Path

from assist.analysis.execution.trace import record_calls
from assist.analysis.execution.types import RecordedCalls
from assist.analysis.execution.verdict import Subject, VerifyOptions, verify

MODULE = """
RATES = {}

class Cart:
    def __init__(self, items):
        self.items = items

    def total(self, factor=1):
        result = 0
        for name, price in self.items:
            result = result + price * RATES.get(name, 1) * factor
        return result
"""
TESTS = """
from shop import RATES, Cart

def test_total():
    RATES["b"] = 3
    for size in range(40):
        assert Cart([("a", n) for n in range(size)] + [("b", 2)]).total(2) > 0

def test_writes_into_a_copy():
    open("left_behind.txt", "w").write("x")
"""


def check(folder: Path, module: str, tests: str) -> RecordedCalls:
    (folder / "shop.py").write_text(module)
    (folder / "test_shop.py").write_text(tests)
    return record_calls(
        folder, Path(sys.executable), [folder / "test_shop.py"], [folder / "shop.py"]
    )


def test_calls_and_times_come_back_and_nothing_is_left_behind(tmp_path: Path) -> None:
    recorded = check(tmp_path, MODULE, TESTS)
    key = (str(tmp_path / "shop.py"), "Cart.total")
    assert recorded.reason == "" and recorded.tests_passed == 2
    assert {call.shape for call in recorded.calls[key]} == {"int"}
    assert recorded.profiles[key].calls == 40
    assert not (tmp_path / "left_behind.txt").exists()


def test_methods_are_verified_on_recorded_receivers(tmp_path: Path) -> None:
    recorded = check(tmp_path, MODULE, TESTS)
    path = tmp_path / "shop.py"
    old = "        for name, price in self.items:\n            result = result + price * RATES.get(name, 1) * factor\n        return result\n"
    new = "        rate = RATES.get\n        return sum([price * rate(name, 1) for name, price in self.items]) * factor\n"
    wrong = new.replace("rate(name, 1)", "1")
    options = VerifyOptions(workspace=tmp_path, interpreter=Path(sys.executable))
    assert old in MODULE
    before = Subject(path, "Cart.total", MODULE)
    good = verify(
        before, Subject(path, "Cart.total", MODULE.replace(old, new)), options, recorded=recorded
    )
    assert good.verdict in ("verified", "equivalent"), good
    assert good.evidence.sources.recorded > 5
    bad = verify(
        before, Subject(path, "Cart.total", MODULE.replace(old, wrong)), options, recorded=recorded
    )
    assert bad.verdict == "not_equivalent", bad


def test_a_reason_is_given_when_nothing_could_be_recorded(tmp_path: Path) -> None:
    assert check(tmp_path, MODULE, "x = 1\n").reason == "no tests were collected"
    recorded = check(
        tmp_path, MODULE, "import shop\n\ndef test_a():\n    assert shop.Cart([]).total() == 1\n"
    )
    assert recorded.tests_failed == 1 and len(recorded.calls) == 2
    nothing = record_calls(tmp_path, Path(sys.executable), [tmp_path / "none.py"], [])
    assert "does not exist" in nothing.reason


def test_settings_that_this_interpreter_does_not_understand_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = --no-such-option\nfilterwarnings = error\n"
    )
    recorded = check(tmp_path, MODULE, TESTS)
    assert (recorded.reason, recorded.tests_passed) == ("", 2)
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error::no.such.Warning\n")
    recorded = check(tmp_path, MODULE, TESTS)
    assert (recorded.reason, recorded.tests_passed) == ("", 2)
