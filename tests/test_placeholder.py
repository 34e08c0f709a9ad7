from __future__ import annotations

import textwrap

import pytest

from assist.analysis.document import Document
from assist.analysis.lexer import StatementIndex
from assist.analysis.placeholder import place


def check(marked: str, expected: str) -> None:
    """What the document becomes when its statement at ``$0`` is replaced."""
    marked, expected = textwrap.dedent(marked), textwrap.dedent(expected)
    document = Document("file:///a.py", marked.replace("$0", ""))
    placed = place(document, marked.index("$0"), StatementIndex())
    assert placed.document.text == expected
    at = placed.document.offset_at(placed.position)
    assert placed.document.text[at:].startswith("___")


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("a = 1\nb = $0\nc = 3\n", "a = 1\n___\nc = 3\n"),
        ("f(\n    a,\n    $0b,\n)\nc = 3\n", "___\nc = 3\n"),
        ("f(a, $0\n    [b],\n)\nc = 3\n", "___\nc = 3\n"),
        ("b = $0 + \\\n    a\nc = 3\n", "___\nc = 3\n"),
        ('f($0""")\n""")\nc = (3)\n', "___\nc = (3)\n"),
        ("def f():\n    g($0\n    return 1\n", "def f():\n    ___\n    return 1\n"),
    ],
)
def test_the_statement_is_replaced(marked: str, expected: str) -> None:
    check(marked, expected)


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("f(a.$0\nc = 3\nd = [4]\n", "___\nc = 3\nd = [4]\n"),
        ("f(a.$0\nc = 3\nd = [4]\ndel d\n", "___\nc = 3\nd = [4]\ndel d\n"),
        ("f(a, [$0\nc = (\n    3)\ndel c\n", "___\nc = (\n    3)\ndel c\n"),
        ("f($0\n# :)\nc = ')'\ndel c\n", "___\n# :)\nc = ')'\ndel c\n"),
    ],
)
def test_a_bracket_that_nothing_closes_ends_with_its_line(marked: str, expected: str) -> None:
    check(marked, expected)
