"""A workspace of shapes with every kind of certainty, and the facts about a place in a file of it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from assist.analysis.document import Document
from assist.analysis.document_facts import DocumentFacts, FactsSource
from assist.analysis.scope import Scope

PATIENCE_SECONDS = 60.0

SHAPES = """
import sys, threading
from typing import Any, Dict, List, Literal, Protocol, Self, TypedDict
from dataclasses import dataclass
from enum import Enum

class Color(Enum):
    RED = 1
    GREEN = 2

class Size(TypedDict):
    width: int
    height: int

@dataclass
class Point:
    x: int
    y: int = 0
    def moved(self, by: int, /, *, times: int = 1) -> Self: ...

class Circle(Point):
    def __init__(self, radius):
        self.radius = radius
        self.center = Point(1, 2)
        self.maybe = None
    def area(self) -> float: ...
    def both(self, a, b=1, *args, c, **more): ...

class Loose:
    def __getattr__(self, name): return 1

class Unknown(missing.Base): pass

class NeedsMore:
    def run(self): return self.comes_from_elsewhere

def make(kind: Literal["round", "flat"], size: Size) -> Circle: ...
def guess(value): return value
def either(flag):
    if flag:
        return Point(1)
    return missing()

class Maker:
    @classmethod
    def named(cls, name, *, size=1): ...
    @staticmethod
    async def plain(name, size=1): ...
    @missing
    def hidden(self, name): ...

class Made:
    def __new__(cls, kind): ...

class Versioned:
    if sys.version_info >= (3, 99):
        def __new__(cls): ...
    else:
        def __init__(self, kind): ...

class Slotted:
    __slots__ = ("first", "second")

class Built:
    @classmethod
    def build(cls):
        made = cls.__new__(cls)
        made.late = 1
        return made

class Runner(threading.Thread): ...

try:
    from missing import Box
except ImportError:
    Box = object

class Boxed(Box): ...

class Takes(Protocol):
    def __call__(self, kind): ...

def points() -> list[Point]: ...
def by_name() -> Dict[str, Point]: ...
def pair() -> tuple[Point, Color]: ...
def mixed() -> list[Point | missing]: ...
def loose() -> dict[str, Any]: ...
def half() -> List[Point | Any]: ...
"""


def shapes_source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FactsSource]:
    """Body of a fixture: the source, closed when the test is over."""
    workspace = tmp_path_factory.mktemp("workspace")
    (workspace / "shapes.py").write_text(SHAPES)
    (workspace / "named.py").write_text("def f(globals=None):\n    return f(globals=globals)\n")
    (workspace / "filled.py").write_text("globals()['x'] = 1\n")
    (workspace / "described.py").write_text("class Field:\n    def __init__(self, alias): ...\n")
    (workspace / "described.pyi").write_text("class Field:\n    alias: str\n")
    (workspace / "package").mkdir()
    (workspace / "package" / "__init__.py").write_text(
        "from .inner import deep\n__version__ = '1'\n"
    )
    (workspace / "package" / "inner.py").write_text("deep = 1\n_hidden = 2\n")
    scope = Scope(workspace, tmp_path_factory.mktemp("cache"))
    yield FactsSource(scope, PATIENCE_SECONDS, PATIENCE_SECONDS)
    scope.close()


def facts_at(source: FactsSource, marked: str, folder: str = "") -> DocumentFacts:
    """Facts at ``$0`` in a file next to the shapes."""
    marked = textwrap.dedent(marked)
    command = source.scope._command
    workspace = Path(command[command.index("--workspace") + 1])
    document = Document((workspace / folder / "main.py").as_uri(), marked.replace("$0", ""))
    return source.at(document, marked.index("$0"))


def members(source: FactsSource, before: str, expression: str) -> set[str] | None:
    """Public members of an expression after some lines; none where it stays open."""
    found = facts_at(source, f"import shapes, os\nfrom shapes import *\n{before}\n$0")
    names = found.value(expression).members
    return None if names is None else {name for name in names if not name.startswith("_")}
