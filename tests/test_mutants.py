"""Deliberate errors: which ones can be made on chosen lines, and that each is really another program."""

from __future__ import annotations

import ast

import pytest

from assist.analysis.execution.worker_probe import Coverage, possible_mutants, transformed_tree

HEAD = "def f(xs, n):\n    "


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("return xs[n + 1]", ["1 to 2", "Add to Sub", "returns None"]),
        ("ys = set(xs)", ["call left out"]),
        ("ys = n.copy()", ["call left out"]),
        ("for y in reversed(list(xs)): pass", ["call left out", "call left out"]),
        ("total = sum(xs) - 1", ["1 to 2", "Sub to Add"]),
        ("ys = xs", []),
    ],
)
def test_mutants(line: str, expected: list[str]) -> None:
    check(HEAD + line + "\n", expected)


def check(text: str, expected: list[str]) -> None:
    found = possible_mutants(text, [2])
    assert sorted(description for _, description in found) == expected
    original = ast.unparse(ast.parse(text))
    made = {
        ast.unparse(transformed_tree(ast.parse(text), {"mutant": number, "lines": [2]}, Coverage()))
        for number in range(len(found))
    }
    assert original not in made and len(made) == len(found)
