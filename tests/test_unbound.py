from __future__ import annotations

import pytest

from assist.analysis.bindings import BindingCache, names_at
from assist.analysis.document import Document
from assist.analysis.lexer import StatementIndex
from assist.analysis.placeholder import place
from assist.analysis.unbound import NAMES_MAX, unbound_names


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
