from __future__ import annotations

import ast
import dataclasses
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assist.analysis.document import Document
from assist.analysis.monitors.follow import feed
from assist.analysis.monitors.place import Place
from assist.analysis.monitors.session import session
from assist.analysis.monitors.slot import Role
from assist.analysis.monitors.verdict import Verdict

EXPRESSION_WORDS = {"not", "lambda", "None", "True", "False", "await", "yield"}


def check(marked: str, candidate: str, piece: int = 3) -> Verdict:
    """Last verdict about a candidate at ``$0``, which arrives in pieces."""
    marked = textwrap.dedent(marked)
    document = Document("file:///a.py", marked.replace("$0", ""))
    state = session(document, marked.index("$0"))
    assert state is not None
    for at in range(0, len(candidate), piece):
        state, verdict = state.advance(candidate[at : at + piece])
        if not verdict.accepted:
            return verdict
    verdict = state.finish()
    # monitors that may not forbid yet only count
    faults = [name for (name, _, _), fits in state.tally.cases.items() if not fits]
    return Verdict(False, monitor=faults[0]) if verdict.accepted and faults else verdict


def accepted(marked: str, candidate: str) -> bool:
    results = {check(marked, candidate, piece).accepted for piece in (1, 3, 100)}
    assert len(results) == 1, "the split into pieces must not matter"
    return results.pop()


@pytest.mark.parametrize(
    ("marked", "candidate", "expected"),
    [
        ("f($0)", "a", True),
        ("f($0)", "a)", False),
        ("f($0)", "g(a)", True),
        ("f($0", "a)", True),
        ("f($0\nx = 1\n", "a)", True),
        ("f(g($0)\n", "a)", True),
        ("f(g($0)\n", "a))", False),
        ("f([$0", "a)", False),
        ("x = $0", "(1", False),
        ("x = $0", "[1]]", False),
        ("x = f'{$0}'", "a[0]", True),
        ("x = f'{$0}'", "f(a", False),
        ("x = {$0\n    'b': 2,\n}", "'a': 1,", True),
        ("x[$0\n    'b': 2,\n}", "'a'] = {", True),
        ("f(f'{$0\ny = (\n    1\n)", "a}')", True),
    ],
)
def test_brackets(marked: str, candidate: str, expected: bool) -> None:
    assert accepted(marked, candidate) is expected


def test_the_bracket_that_fits_is_named() -> None:
    verdict = check("f([$0", "a)")
    assert verdict.legal == frozenset({"]"})
    assert (verdict.span.start, verdict.span.end) == (1, 2)
    assert verdict.monitor == "brackets"


@pytest.mark.parametrize(
    ("marked", "candidate", "expected"),
    [
        ("def f():\n    $0", "return 1", True),
        ("$0", "return 1", False),
        ("class A:\n    $0", "return 1", False),
        ("class A:\n    def f(self):\n        $0", "yield 1", True),
        ("class A:\n    def f(self):\n        pass\n    $0", "yield 1", False),
        ("def f():\n    $0", "await g()", False),
        ("async def f():\n    $0", "await g()", True),
        ("async def f():\n    def g():\n        $0", "await g()", False),
        ("async def f():\n    x = $0", "await g()", True),
        ("for a in b:\n    if c:\n        $0", "break", True),
        ("if c:\n    $0", "break", False),
        ("for a in b:\n    def f():\n        $0", "continue", False),
        ("if a:\n    b\n$0", "else:", True),
        ("if a:\n    b\n$0", "elif c:", True),
        ("a = 1\n$0", "else:", False),
        ("try:\n    a\n$0", "except E:", True),
        ("try:\n    a\n$0", "finally:", True),
        ("for a in b:\n    c\n$0", "else:", True),
        ("for a in b:\n    c\n$0", "except E:", False),
        ("if a: b\n$0", "else: c", True),
        ("x = $0", "foo bar", False),
        ("x = $0", "foo if bar else baz", True),
        ("x = $0", "a not in b", True),
        ("x = $0", "a is not b", True),
        ("$0", "and b", False),
        ("x = $0", "[a async for a in b]", True),
        ("def f():\n    $0", "raise A from b", True),
        ("def f():\n    $0", "yield from b", True),
        ("$0", "from a import b as c, d", True),
        ("$0", "match a:", True),
        ("match a:\n    $0", "case [b, *c]:", True),
        ("$0", "match = 1", True),
        ("def f():\n    $0", "for a in b:\n        if a:\n            return a", True),
        ("$0", "def g():\n    return 1\nreturn 2", False),
    ],
)
def test_words_stand_where_they_may(marked: str, candidate: str, expected: bool) -> None:
    assert accepted(marked, candidate) is expected


@pytest.mark.parametrize(
    ("marked", "candidate", "expected"),
    [
        ("def f():\n$0", "    a", True),
        ("def f():\n$0", "a", False),
        ("def f():  # c\n    '''d'''\n$0", "    a", True),
        ("def f():\n    a\n$0", "b", True),
        ("def f():\n    a\n$0", "    b", True),
        ("def f():\n    a\n$0", "  b", False),
        ("def f():\n    a\n$0", "      b", False),
        ("def f():\n    a = 1$0", "\n    if a:\n        b", True),
        ("def f():\n    a = 1$0", "\n    if a:\n    b", False),
        ("def f():\n    a = (1,$0)", "\n  2", True),
        ("if a:\n\tb\n$0", "\tc", True),
        ("if a: b\n$0", "    c", False),
        ("if a[':#']:\n$0", "    c", True),
        ("class A:\n    def f(self):\n        a\n\n$0", "    def g(self):", True),
    ],
)
def test_indentation(marked: str, candidate: str, expected: bool) -> None:
    assert accepted(marked, candidate) is expected


def test_nothing_is_watched_in_comments_and_other_languages() -> None:
    assert session(Document("a", "# a b"), 5) is None
    assert session(Document("a", "x y", language="rust"), 3) is None
    assert accepted("x = '$0'", "it is ) not code")
    assert accepted('"""$0"""', "return ) 1\nelse: (")


def test_states_are_values() -> None:
    document = Document("a", "f(")
    state = session(document, 2)
    assert state is not None
    before = state.place.copy()
    state.advance("a)")
    state.advance("b, c]")
    after = state.place
    assert [getattr(after, f.name) for f in dataclasses.fields(Place) if f.name != "slots"] == [
        getattr(before, f.name) for f in dataclasses.fields(Place) if f.name != "slots"
    ]


LIBRARY = [Path(module.__file__ or "") for module in (ast, dataclasses, textwrap)]


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.name)
def test_names_that_are_read_are_those_of_the_parser(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    line_starts = [0]
    for line in source.splitlines(keepends=True):
        line_starts.append(line_starts[-1] + len(line))
    nodes = list(ast.walk(ast.parse(source)))
    formatted = {
        id(inner) for node in nodes if isinstance(node, ast.JoinedStr) for inner in ast.walk(node)
    }
    formatted_names = {n.id for n in nodes if id(n) in formatted and isinstance(n, ast.Name)}
    augmented = {id(node.target) for node in nodes if isinstance(node, ast.AugAssign)}
    names = {
        (node.id, line_starts[node.lineno - 1] + node.col_offset)
        for node in nodes
        if isinstance(node, ast.Name)
        and id(node) not in formatted
        and (not isinstance(node.ctx, ast.Store) or id(node) in augmented)
    }
    place = Place()
    slots = []
    for at in range(0, len(source), 13):
        slots += feed(place, source[at : at + 13])
        place = place.copy()
    found = {
        (slot.text, slot.start)
        for slot in slots
        if slot.role is Role.NAME and slot.text not in EXPRESSION_WORDS
    }
    assert names <= found
    assert {name for name, _ in found - names} <= formatted_names
    keywords = sum(slot.role is Role.KEYWORD_ARGUMENT for slot in slots)
    assert keywords == sum(isinstance(node, ast.keyword) and node.arg is not None for node in nodes)


PIECES = st.sampled_from(
    ["a", "b.c", "(", ")", "[", "]", "{", "}", "'", '"', "f'", ":", "\n", "    ", "=", ",", "def ",
     "for ", " in ", "lambda ", "import ", "from ", "return", "match ", "case ", "#", "@", "é", "\\"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(PIECES, max_size=12), st.lists(PIECES, max_size=12), st.lists(PIECES, max_size=6))
def test_no_text_raises(before: list[str], candidate: list[str], after: list[str]) -> None:
    prefix = "".join(before)
    state = session(Document("a", prefix + "".join(after)), len(prefix))
    if state is None:
        return
    for piece in candidate:
        state, verdict = state.advance(piece)
        assert verdict.span.start <= verdict.span.end
    state.finish()
