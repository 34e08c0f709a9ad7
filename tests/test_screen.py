"""What a new version may not newly reach, by its text."""

from __future__ import annotations

import ast

import pytest

from assist.analysis.execution.screen import newly_reached


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("import re\nPATTERN = re.compile('a+')\n", ()),
        ("from operator import attrgetter\nkey = attrgetter('price.amount')\n", ()),
        ("from operator import attrgetter\nkey = attrgetter('__class__')\n", ("attrgetter", "the text '__class__'")),
        ("from operator import attrgetter\nkey = attrgetter(name)\n", ("attrgetter",)),
        ("from operator import attrgetter\nkey = map(attrgetter, names)\n", ("attrgetter",)),
        ("from operator import attrgetter as get\nkey = get('price')\n", ("attrgetter",)),
        ("code = compile('1', '', 'eval')\n", ("compile",)),
        ("import builtins as re\nx = re.compile('1', '', 'eval')\n", ("import builtins",)),
        ("import os\n", ("import os",)),
        ("x = getattr(y, name)\n", ("getattr with a computed name",)),
    ],
)  # fmt: skip
def test_newly_reached(after: str, expected: tuple[str, ...]) -> None:
    check(after, expected)


def check(after: str, expected: tuple[str, ...]) -> None:
    assert newly_reached(ast.parse("x = 1\n"), ast.parse(after)) == expected
    assert newly_reached(ast.parse(after), ast.parse(after)) == ()
