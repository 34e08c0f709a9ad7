from __future__ import annotations

from pathlib import Path

import pytest

from assist.server.bench.monitor_effects import PROBE, EffectCase, judge, summarize_effects
from assist.server.bench.monitor_jedi import JediCase, measure_jedi, summarize_jedi
from assist.server.bench.monitor_positions import KINDS, MonitorPosition, mine
from assist.server.bench.static_check import find_missing, is_available

SHAPES = "import os\nclass Circle:\n    radius: float = 1.0\ncircle = Circle()\n"


def check(tmp_path: Path, line: str, expected: set[tuple[str, str]]) -> None:
    """``expected`` are the (what, name) that do not exist in a file that ends with this line."""
    found = find_missing({"shapes/round.py": f"{SHAPES}{line}\n"}, tmp_path)["shapes/round.py"]
    assert {(missing.what, missing.name) for missing in found} == expected
    assert all(missing.line == 5 for missing in found)


@pytest.mark.skipif(not is_available(), reason="the independent check is mypy")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("print(circle.radius)", set()),
        (f"print(circle.{PROBE})", {("attribute", PROBE)}),
        ("print(os.rounded)", {("attribute", "rounded")}),
        ("print(missing)", {("name", "missing")}),
        ("Circle(size=1)", {("keyword", "size")}),
        ("import click\nprint(click.missing)", set()),
    ],
)
def test_what_does_not_exist_is_found(
    tmp_path: Path, line: str, expected: set[tuple[str, str]]
) -> None:
    check(tmp_path, line, expected)


def effect(variant: str, **changes: object) -> EffectCase:
    fields = dict.fromkeys(("checked", "rejected", "masked", "open", "late"), 0)
    times = dict.fromkeys(("legal_mass", "monitors_ms", "waited_ms", "decode_ms"), 0.0)
    flags = dict.fromkeys(
        ("next_match", "all_match", "was_parsable", "resolvable", "closed"), False
    )
    given = {**fields, **times, **flags, "parsable": True, "answer": "x", **changes}
    return EffectCase(position="p", kind="attribute", model="m", variant=variant, **given)  # type: ignore[arg-type]


def test_figures_compare_the_variants() -> None:
    cases = [
        effect("without", next_match=False, missing="attribute y", receiver_known=True),
        effect("with", next_match=True, missing="", receiver_known=True, monitors_ms=2.0),
        effect("with", resolvable=True, closed=True, answer="", late=1),
    ]
    figures = summarize_effects(cases)
    assert figures["next identifier, without"]["share"] == 0.0
    assert figures["next identifier, with"]["share"] == 0.5
    assert figures["missing attribute, receiver known, without"]["hits"] == 1
    assert figures["missing attribute, receiver known, with"]["hits"] == 0
    assert figures["attribute closed where jedi resolves"]["share"] == 1.0
    assert figures["monitors ms p95"] == 2.0 and figures["facts that came late"] == 1


def test_answers_in_files_that_are_gone_are_not_judged() -> None:
    position = MonitorPosition("name", "test", "click", "0", "click/gone.py", 0, 1, "0")
    assert judge([effect("with")], [position]) == [effect("with")]


@pytest.mark.deep
def test_mining_draws_the_same_holes_again() -> None:
    assert mine(7, 0.01) == mine(7, 0.01)
    assert {position.kind for position in mine(7, 0.01)} <= set(KINDS)


def test_tests_of_jedi_score_the_sets(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(
        "import os\n#? ['getcwd']\nos.getcw\n#? 3 ['no_such_name']\nos.path\n#? []\nos.zz\n#? int()\n1\n"
    )
    cases = list(measure_jedi(tmp_path))
    assert cases == [
        JediCase("one.py", 3, names=1, closed=1, wrong=0),
        JediCase("one.py", 5, names=1, closed=1, wrong=1),
    ]
    assert summarize_jedi(cases)["names in it"]["share"] == 0.5
