"""Every rule against its golden cases: what it writes, where it keeps silent, what verification must refuse."""

from __future__ import annotations

import pytest

from assist.analysis.rules.catalog import RULES
from assist.analysis.rules.kinds import is_kind
from assist.analysis.rules.target import Facts, find_target
from support.golden import Case, all_cases, proposed

CASES = list(all_cases())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_golden(case: Case) -> None:
    check(case)


def check(case: Case) -> None:
    found = proposed(case)
    if case.kind == "silent":
        assert found == []
    else:
        assert case.after in found, "\n---\n".join(found) or "nothing proposed"


def test_every_rule_has_cases_of_each_kind() -> None:
    missing = [
        f"{rule.name} {kind}"
        for rule in RULES
        for kind in ("fires", "silent", "refused")
        if not any(case.rule == rule.name and case.kind == kind for case in CASES)
    ]
    assert not missing


def test_rules_have_their_own_names_and_words() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.title and rule.explanation.endswith(".") for rule in RULES)


@pytest.mark.parametrize(
    "source", ["", "def f(:\n", "x = 1\n", "def f(): ...\n", "def g():\n    def f(): pass\n"]
)
def test_broken_or_empty_code_gives_nothing(source: str) -> None:
    assert [p for rule in RULES for p in rule.apply(source, "f", Facts())] == []


def test_names_that_depend_on_each_other_are_given_up_soon() -> None:
    """Each of a dozen names is bound to all of them: following every way would take for ever."""
    names = [f"v{k}" for k in range(12)]
    lines = [f"    {name} = [{', '.join(names)}]" for name in names]
    text = "\n".join(["def f(items):", *lines, "    return [x for x in v0 if x in v1]", ""])
    target = find_target(text, "f", Facts())
    assert target is not None
    assert is_kind(target, target.uses("v0")[-1], "list")
    for rule in RULES:
        rule.apply(text, "f")
