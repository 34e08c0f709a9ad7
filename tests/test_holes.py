"""Which places of a Python file can be missing."""

from __future__ import annotations

from assist.analysis.document import Document
from assist.analysis.holes import find_holes
from assist.analysis.syntax import parse


def check(source: str, kind: str, *expected: str) -> None:
    holes = find_holes(parse(Document("file:///a.py", source)))
    spans = [hole.span for hole in holes.spans if hole.kind == kind]
    assert [source[span.start : span.end] for span in spans] == list(expected)


def test_arguments_stand_between_the_brackets() -> None:
    check("print(a, b=1)\nlist()\n", "arguments", "a, b=1")


def test_offsets_are_code_points() -> None:
    check("x = 'ä𝒳'; f('é')\n", "arguments", "'é'")


def test_a_body_starts_below_the_docstring() -> None:
    check('def f(a):\n    """Say it."""\n    b = a\n    return b\n', "body", "b = a\n    return b")


def test_statements_of_a_block() -> None:
    check("if a:\n    b()\n    c = 1\nd()\n", "statement", "b()", "c = 1")


def test_broken_parts_give_no_holes_and_whole_ones_do() -> None:
    check("def f(:\n\ndef g():\n    return h(1)\n", "arguments", "1")


def test_decorators_belong_to_a_function() -> None:
    source = "@cache\ndef f():\n    pass\n"
    (function,) = find_holes(parse(Document("", source))).functions
    assert (function.name, function.span.start, function.documented) == ("f", 0, False)
