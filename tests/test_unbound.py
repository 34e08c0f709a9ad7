from __future__ import annotations

from collections.abc import Iterator

import pytest

from assist.analysis.bindings import BindingCache, names_at
from assist.analysis.document import Document
from assist.analysis.document_facts import FactsSource
from assist.analysis.lexer import StatementIndex
from assist.analysis.placeholder import place
from assist.analysis.unbound import NAMES_MAX, unbound_names
from tests.support.facts import PATIENCE_SECONDS, facts_at, shapes_source


def check(marked: str, *names: str) -> None:
    document = Document("file:///a.py", marked.replace("$0", ""))
    placed = place(document, marked.index("$0"), StatementIndex())
    bound = names_at(placed, StatementIndex(), BindingCache()).bound
    assert unbound_names(placed.document.text, bound) == frozenset(names)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("x = Path('a')", ["Path"]),
        ("import os\nos.getcwd()", []),
        ("def f(a: Any, *b) -> Final:\n    return a + b + c", ["Any", "Final", "c"]),
        (
            "class A(Base):\n    size = field(default=1)\n    def f(self): self.size",
            ["Base", "field"],
        ),
        ("print(len('x'), a.b.c, key=value)", ["a", "value"]),
        ("'name'  # comment\n'''doc\nstring'''", []),
        ("x = f'{a}' + r'\\'' + b''", []),
        ("[x for x in y if (z := x)]", ["y"]),
        ("sorted(items, key=lambda item: item.size)", ["items"]),
        ("try:\n    pass\nexcept Missing as error:\n    raise error", ["Missing"]),
        ("from a.b import c as d\nfrom e import (\n    f,\n    g,\n)\nc, d", ["c"]),
        ("__all__ = ['first', \"second\"]\nfirst = 1", ["second"]),
        ("match x:\n    case Point(a): print(a)", ["Point", "x"]),
        ("if x == y: z == 1", ["x", "y", "z"]),
        ("x = (", []),
        ("'''never closed\nname", ["closed", "name", "never"]),
        ("", []),
    ],
)
def test_what_is_read_and_nothing_binds(code: str, names: list[str]) -> None:
    check(f"from typing import $0\n{code}", *names)


def test_no_more_than_so_many_names() -> None:
    text = " ".join(f"n{number}" for number in range(NAMES_MAX * 2))
    assert len(unbound_names(text, frozenset())) == NAMES_MAX


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FactsSource]:
    yield from shapes_source(tmp_path_factory)


def test_names_of_star_imports_are_bound(source: FactsSource) -> None:
    code = "Circle()\nOther()\n$0"
    assert facts_at(source, f"from shapes import *\n{code}").unbound() == {"Other"}
    assert facts_at(source, f"from gone import *\n{code}").unbound() == frozenset()
    assert facts_at(source, f"globals()\n{code}").unbound() == frozenset()
    assert facts_at(source, code).unbound() == {"Circle", "Other"}


@pytest.mark.parametrize("code", ["from shapes $0", "from shapes import (\n    Circle,\n    $0"])
def test_the_module_is_known_when_its_names_are_written(source: FactsSource, code: str) -> None:
    found = facts_at(source, code)
    found.wait(PATIENCE_SECONDS)
    found.seconds_left = 0.0
    assert {"Circle", "Point"} <= (found.module("shapes").members or set())
