from __future__ import annotations

import pytest

from assist.analysis.document import Document
from assist.analysis.facts import Parameter, Signature, Value
from assist.analysis.monitors.registry import MONITORS
from assist.analysis.monitors.session import session
from assist.analysis.monitors.verdict import Verdict
from assist.analysis.monitors.view import GivenFacts


def members(*names: str, **more: object) -> Value:
    return Value(members=frozenset(names), **more)  # type: ignore[arg-type]


def call(*parameters: Parameter) -> Value:
    return Value(signatures=(Signature(parameters),), kind="function")


PATH = members("exists", "name", "parent", "stem", signatures=(), kind="instance")
COLOR = members("RED", "GREEN")
SPLIT = call(Parameter("sep", "either", True), Parameter("maxsplit", "either", True))
OPEN_FILE = call(
    Parameter("file", "either"),
    Parameter("mode", "either", True, frozenset({"r", "w", "rb"})),
    Parameter("newline", "keyword", True),
)
ANYTHING = call(Parameter("args", "arguments"), Parameter("kwargs", "keywords"))

FACTS = GivenFacts(
    known_names=frozenset(
        [
            "path",
            "Color",
            "open_file",
            "anything",
            "len",
            "isinstance",
            "hasattr",
            "print",
            "unknown",
            "config",
            "mode",
            "os",
            "Error",
            "thing",
            "text",
            "self",
            "paths",
            "opened",
            "partial",
        ]
    ),
    values={
        "path": PATH,
        "path.parent": PATH,
        "Color": COLOR,
        "open_file": OPEN_FILE,
        "anything": ANYTHING,
        "text.split": SPLIT,
        "(path.parent)": PATH,
        "[_ for _ in paths][0]": PATH,
        "(opened).__enter__()": PATH,
        "config": Value(keys=frozenset({"host", "port"})),
        "mode": Value(strings=frozenset({"read", "write"})),
        "self": members("name", "run", "size"),
        "self.run": Value(kind="function"),
        "self.name": Value(kind="instance"),
        "Error": Value(exception=True),
        "thing": Value(exception=False, signatures=(), kind="instance"),
        "len": call(Parameter("obj", "positional")),
        "partial": members(
            "func", "args", "keywords", signatures=ANYTHING.signatures, kind="class"
        ),
        "opened": members("func", "args", "keywords", signatures=ANYTHING.signatures),
    },
    module_values={
        "pathlib": members("Path", "PurePath", submodules=frozenset()),
        "os": members("path", "sep", submodules=frozenset({"path"})),
        ".": members("sibling", submodules=frozenset({"sibling", "other"})),
    },
    known_modules=frozenset({"os", "pathlib", "sys"}),
)


def check(marked: str, candidate: str, facts: GivenFacts = FACTS, piece: int = 2) -> Verdict:
    """Last verdict about a candidate at ``$0``, which arrives in pieces."""
    document = Document("file:///a.py", marked.replace("$0", ""))
    state = session(document, marked.index("$0"), facts)
    assert state is not None
    for at in range(0, len(candidate), piece):
        state, verdict = state.advance(candidate[at : at + piece])
        if not verdict.accepted:
            return verdict
    return state.finish()


def said(marked: str, candidate: str, facts: GivenFacts, piece: int) -> str:
    """The monitor that finds fault with the candidate, whether it may forbid or only count."""
    document = Document("file:///a.py", marked.replace("$0", ""))
    state = session(document, marked.index("$0"), facts)
    assert state is not None
    for at in range(0, len(candidate), piece):
        state, verdict = state.advance(candidate[at : at + piece])
        if not verdict.accepted:
            break
    else:
        state.finish()
    return next((name for (name, _, _), fits in state.tally.cases.items() if not fits), "")


def by(marked: str, candidate: str, facts: GivenFacts = FACTS) -> str:
    """Name of the monitor that finds fault with the candidate; empty when none does."""
    found = {said(marked, candidate, facts, piece) for piece in (1, 2, 100)}
    assert len(found) == 1, "the split into pieces must not matter"
    return found.pop()


@pytest.mark.parametrize(
    ("marked", "candidate", "monitor"),
    [
        ("x = path.$0", "exists()", ""),
        ("x = path.$0", "exist()", "attribute"),
        ("x = path.ex$0", "ists()", ""),
        ("x = path.ex$0", "it()", "attribute"),
        ("x = $0", "path.exits()", "attribute"),
        ("x = $0", "path.parent.stem", ""),
        ("x = $0", "path.parent.stam", "attribute"),
        ("x = $0", "unknown.anything", ""),
        ("$0", "path.exits()", "attribute"),
        ("$0", "path.brand_new = 1", ""),
        ("$0", "path.brand_new += 1", "attribute"),
        ("$0", "path.brand_new = 1\nprint(path.brand_new)", ""),
        ("$0", "print(path.exists, path.nam)", "attribute"),
        ("x = f'{$0}'", "path.name", ""),
        ("x = f'{$0}'", "path.nme", "attribute"),
        ("x = '$0'", "path.nme", ""),
        ("$0", "p = path.parent\nq = p.stam", "attribute"),
        ("$0", "p = path.parent\nq = p.stem", ""),
        ("$0", "path = unknown()\nq = path.stam", ""),
        ("$0", "for p in paths:\n    p.stam", "attribute"),
        ("$0", "for p in paths:\n    p.stem", ""),
        ("x = $0", "[p for p in paths if p.stam]", "attribute"),
        ("x = $0", "[p for p in paths if p.stem]", ""),
        ("x = $0", "[path for path in unknown if path.stam]", ""),
        ("x = $0", "[path for path in unknown] + path.stam", "attribute"),
        ("$0", "with opened as p:\n    p.stam", "attribute"),
        ("x = Color.$0", "RED", ""),
        ("x = Color.$0", "BLUE", "attribute"),
        ("x = $0", "isinstance(path, unknown) and path.stam", ""),
        ("x = $0", "isinstance(unknown, len) and path.stam", "attribute"),
        ("x = hasattr(path, 'stam') and path.$0", "stam", ""),
        ("x = isinstance($0", "path.stam, unknown)", "attribute"),
        ("x = isinstance(paths, unknown) and $0", "path.stam", "attribute"),
    ],
)
def test_attributes(marked: str, candidate: str, monitor: str) -> None:
    assert by(marked, candidate) == monitor


def test_the_members_are_offered_instead() -> None:
    verdict = check("x = path.$0", "exits()")
    assert verdict.legal == frozenset({"exists", "name", "parent", "stem"})
    assert verdict.span.start == 0
    verdict = check("x = path.ex$0", "its()")
    assert verdict.span.start == -2


@pytest.mark.parametrize(
    ("marked", "candidate", "monitor"),
    [
        ("def f(self):\n    $0", "self.new = 1", ""),
        ("def f(self):\n    $0", "self.name = 1", ""),
        ("def f(self):\n    $0", "self.run = 1", "self store"),
        ("def f(self):\n    $0", "print(self.new)", "attribute"),
        ("def f(self):\n    $0", "self.new = 1\n    print(self.new)", ""),
    ],
)
def test_self(marked: str, candidate: str, monitor: str) -> None:
    assert by(marked, candidate) == monitor


@pytest.mark.parametrize(
    ("marked", "candidate", "monitor"),
    [
        ("x = $0", "path", ""),
        ("x = $0", "pth", "names"),
        ("$0", "one, two = unknown()", ""),
        ("$0", "(one, two), three = unknown()", ""),
        ("x = $0", "not path", ""),
        ("x = $0", "lambda a, b=1: a + b", ""),
        ("x = $0", "lambda a: c", "names"),
        ("$0", "new = path\nx = new", ""),
        ("$0", "missing(path)", "names"),
        ("$0", "for a in path:\n    print(a)", ""),
        ("$0", "for a in pth:\n    print(a)", "names"),
        ("x = $0", "[a.b for a in path]", ""),
        ("x = $0", "[a.b for c in path]", "names"),
        ("x = $0", "{k: v for k, v in path}", ""),
        ("x = $0", "print(a for a in path)", ""),
        ("$0", "with path as q:\n    print(q)", ""),
        ("$0", "import numpy.linalg as la\nla", "modules"),
        ("$0", "import os as la\nprint(la)", ""),
        ("$0", "def f(a, *b, c=path, **d):\n    return a, b, c, d", ""),
        ("$0", "def f(a):\n    return b", "names"),
        ("$0", "try:\n    print(path)\nexcept Error as e:\n    print(e)", ""),
        ("$0", "if (n := len(path)):\n    print(n)", ""),
        ("$0", "x: unknown = path", ""),
        ("$0", "alpha = beta = path\nprint(beta)", ""),
        ("$0", "alpha = beta + path", "names"),
        ("$0", "print('a', missing)", "names"),
        ("print($0)", "f'{missing}'", "names"),
    ],
)
def test_names(marked: str, candidate: str, monitor: str) -> None:
    assert by(marked, candidate) == monitor


@pytest.mark.parametrize(
    ("marked", "candidate", "monitor"),
    [
        ("$0", "import os", ""),
        ("$0", "import oss", "modules"),
        ("$0", "import os.path, sys", ""),
        ("$0", "import os.pth", "modules"),
        ("$0", "from os import path, sep as s", ""),
        ("$0", "from os import pth", "imported names"),
        ("$0", "from pathlib import (\n    Path,\n    PurePth", "imported names"),
        ("$0", "from . import sibling, other", ""),
        ("$0", "from . import cousin", "imported names"),
        ("$0", "from .other import thing", ""),
        ("$0", "from .missing import thing", "modules"),
        ("from os import $0", "path", ""),
        ("from os import pa$0", "the", "imported names"),
    ],
)
def test_imports(marked: str, candidate: str, monitor: str) -> None:
    assert by(marked, candidate) == monitor


@pytest.mark.parametrize(
    ("marked", "candidate", "monitor"),
    [
        ("$0", "open_file(path, mode='r')", ""),
        ("$0", "open_file(path, mod='r')", "keywords"),
        ("$0", "open_file(path, mode='r', mode='w')", "keywords"),
        ("$0", "open_file(path, 'r', mode='w')", "keywords"),
        ("$0", "open_file(*path, mode='w')", ""),
        ("$0", "anything(path, whatever=1)", ""),
        ("$0", "open_file(mod='r')", "keywords"),
        ("x = $0", "len(open_file(file=path, mod='r'))", "keywords"),
        ("x = $0", "unknown(whatever=1)", ""),
        ("$0", "open_file(path, 'r', 1)", "arity"),
        ("$0", "open_file()", "arity"),
        ("match path:\n    case $0", "open_file(mode='r'):", ""),
        ("$0", "open_file(mode='r')", "arity"),
        ("$0", "open_file(file=path)", ""),
        ("$0", "open_file(*path)", ""),
        ("$0", "open_file(**path)", ""),
        ("$0", "open_file(path, **path)", ""),
        ("open_file(path, $0)", "newline=''", ""),
        ("open_file(path, lines=$0)", "''", ""),
        ("x = $0", "partial(open_file, mode='r')", ""),
        ("x = $0", "partial(open_file, path, 'r', newline='')", ""),
        ("x = $0", "partial(open_file, file=path)", ""),
        ("x = $0", "partial(open_file, path, 'r', mode='w')", "keywords"),
        ("x = $0", "partial(open_file, path=1)", "keywords"),
        ("x = partial(open_file, mode='r', $0)", "path=1)", "keywords"),
        ("x = $0", "partial(anything, lines=1)", ""),
        ("x = $0", "opened(open_file, lines=1)", ""),
        ("x = $0", "anything(open_file, lines=1)", ""),
        ("open_file(path, lines$0)", "=''", "keywords"),
        ("$0", "open_file(path, lambda a, b, c: 1)", ""),
        ("x = $0", "path(1)", "calls"),
        ("x = $0", "unknown(1)", ""),
        ("x = $0", "text.split(',', 1)", ""),
        ("x = $0", "text.split(',', 1, 2)", "arity"),
        ("x = $0", "len(a for a in path)", ""),
        ("class A($0)", "path, metaclass=path", ""),
    ],
)
def test_calls(marked: str, candidate: str, monitor: str) -> None:
    assert by(marked, candidate) == monitor


@pytest.mark.parametrize(
    ("marked", "candidate", "monitor"),
    [
        ("x = config[$0]", "'host'", ""),
        ("x = config['$0']", "hots", "keys"),
        ('x = config["$0"]', "port", ""),
        ("x = config[$0", "'hosts']", "keys"),
        ("x = unknown['$0']", "hots", ""),
        ("x = open_file(path, $0)", "'rb'", ""),
        ("x = open_file(path, $0)", "'rx'", "literals"),
        ("x = open_file(path, mode=$0)", "'x'", "literals"),
        ("x = open_file($0)", "'rx'", ""),
        ("if mode == $0:", "'read'", ""),
        ("if mode == $0:", "'raed'", "literals"),
        ("if unknown == $0:", "'raed'", ""),
        ("__all__ = [$0]", "'path', 'Color'", ""),
        ("__all__ = [$0]", "'pth'", "exports"),
        ("__all__ += [$0]", "'pth'", "exports"),
        ("x = f'{path!$0}'", "r", ""),
        ("x = f'{path!$0}'", "x", "fields"),
        ("x = 'abc$0' + path", "d'", "quotes"),
        ("x = 'abc$0' + path", "d", ""),
        ("x = 'abc$0", "d'", ""),
    ],
)
def test_strings(marked: str, candidate: str, monitor: str) -> None:
    assert by(marked, candidate) == monitor


@pytest.mark.parametrize(
    ("marked", "candidate", "monitor"),
    [
        ("try:\n    path\n$0", "except Error:", ""),
        ("try:\n    path\n$0", "except thing:", "exceptions"),
        ("try:\n    path\n$0", "except (Error, thing):", "exceptions"),
        ("try:\n    path\n$0", "except thing.name:", ""),
        ("$0", "raise Error('x')", ""),
        ("$0", "raise thing", "exceptions"),
        ("$0", "@thing\ndef f(): pass", "decorators"),
        ("$0", "@anything\ndef f(): pass", ""),
        ("$0", "@thing.name\ndef f(): pass", ""),
        ("class A:\n    $0", "def __init__(self):", ""),
        ("class A:\n    $0", "def __int_(self):", ""),
        ("match path:\n    $0", "case Color(RED=1):", ""),
        ("match path:\n    $0", "case Color(BLUE=1):", "patterns"),
    ],
)
def test_classes_and_exceptions(marked: str, candidate: str, monitor: str) -> None:
    assert by(marked, candidate) == monitor


def test_a_keyword_is_rejected_while_it_is_written() -> None:
    assert check("open_file(path, $0)", "newlx", piece=1).monitor == "names"
    assert said("open_file(path, $0)", "newlines=''", FACTS, 100) == "keywords"


@pytest.mark.parametrize("piece", [1, 2, 100])
def test_what_may_stand_instead_of_a_keyword_is_offered(piece: int) -> None:
    """The argument may be another keyword, or one without keyword as long as there was none."""
    verdict = check("x = $0", "open_file(path=path, mode='r')", piece=piece)
    assert verdict.monitor == "keywords" and verdict.span.start == len("open_file(")
    assert verdict.legal is not None
    assert {"file", "mode", "newline", "text"} <= verdict.legal and "path" not in verdict.legal
    later = check("x = $0", "open_file(file=path, path=1)", piece=piece)
    assert later.monitor == "keywords" and later.legal == frozenset({"mode", "newline"})


@pytest.mark.parametrize("before", ["path, 'r', ", "file=path, mode='r', "])
def test_where_only_a_keyword_can_stand_keywords_are_offered(before: str) -> None:
    verdict = check(f"x = open_file({before}$0", "path)")
    assert verdict.monitor in ("names", "keywords")
    assert verdict.legal == frozenset({"newline"})


WANTED = GivenFacts(
    known_names=frozenset({"len"}),
    module_values={"typing": members("Any", "Final", "List", "Literal", "TypeVar")},
    unbound_names=frozenset({"Any", "Literal", "missing"}),
)


@pytest.mark.parametrize(
    ("marked", "candidate", "legal"),
    [
        ("from typing import $0", "List", {"Any", "Literal"}),
        ("from typing import $0", "Optional", {"Any", "Literal"}),
        ("from typing import $0", "Any, List", {"Literal"}),
        ("from typing import Any, $0", "Any", {"Literal"}),
        ("from typing import (\n    Any,\n    $0\n)", "List", {"Literal"}),
        ("from typing import (\n    $0\n    Any,\n)", "List", {"Literal"}),
        ("from typing import L$0", "ist", {"Literal"}),
        ("from typing import $0, Any, Literal", "List", None),
        ("from typing import Li$0", "st", {"Literal"}),
        ("from typing import Fi$0", "nal", None),
        ("from unknown import $0", "List", None),
    ],
)
def test_imports_that_the_file_waits_for_are_preferred(
    marked: str, candidate: str, legal: set[str] | None
) -> None:
    verdict = check(marked, candidate, WANTED)
    assert (verdict.legal if verdict.is_bias else None) == legal


def test_nothing_more_is_imported_than_the_file_waits_for() -> None:
    verdict = check("from typing import $0", "Any, Literal, List", WANTED)
    assert verdict.is_bias and verdict.legal is None and verdict.span.start == len("Any, Literal, ")
    assert check("from typing import $0", "Any, Literal", WANTED).accepted


def test_without_facts_everything_is_open() -> None:
    nothing = GivenFacts()
    for candidate in ("missing.thing(a=1)['b']", "import nothing", "raise nothing"):
        assert by("$0", candidate, nothing) == ""


def test_monitors_have_names_of_their_own() -> None:
    names = [monitor.name for monitor in MONITORS]
    assert len(set(names)) == len(names)


def test_what_was_done_is_counted() -> None:
    state = session(Document("a", "x = "), 4, FACTS)
    assert state is not None
    state, _ = state.advance("path.name + unknown.name")
    state.finish()
    tally = state.tally
    assert tally.checked >= 4 and tally.open >= 1 and tally.rejected == 0
