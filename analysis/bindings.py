"""Names that can be read at a place of a Python file, from its statements alone; tolerant of broken code, it follows no import."""

from __future__ import annotations

import builtins
import re
from collections import OrderedDict
from dataclasses import dataclass, field

from assist.analysis.lexer import StatementIndex
from assist.analysis.monitors.blocks import width_of
from assist.analysis.monitors.follow import feed
from assist.analysis.monitors.place import Place
from assist.analysis.placeholder import Placed

STATEMENTS_CACHED_MAX = 20_000
STATEMENT_CODE_POINTS_MAX = 4_000

BUILTINS = frozenset(dir(builtins)) | {
    "WindowsError",
    "__file__",
    "__name__",
    "__doc__",
    "__path__",
    "__package__",
    "__spec__",
    "__loader__",
    "__builtins__",
    "__annotations__",
    "__dict__",
    "__class__",
    "__module__",
    "__qualname__",
    "__debug__",
    "reveal_type",
    "_",
}
# With these, names come to be that no statement binds.
_DYNAMIC = re.compile(r"\bglobals\(\)|\bexec\(|\blocals\(\)\.update|\bvars\(\)")
_STAR = re.compile(r"from\s+([.\w]+)\s+import\s+\*")
_HEADER = re.compile(r"(?:(async)[ \t]+)?([a-z]+)\b[ \t]*([^\W\d]\w*)?")
# in a package, importing from a submodule makes the submodule a name
_SUBMODULE = re.compile(r"^\s*from\s+\.(\w+)[.\w]*\s+import\b", re.MULTILINE)
_GLOBAL = re.compile(r"(?:global|nonlocal)\b")
# Statements of every day that need no closer look.
_BINDS_NOTHING = re.compile(
    r"(?:return|raise|assert|if|elif|else|while|yield|await|pass|break|continue|try|finally|del)\b"
    r"|['\"@]|[^\W\d]\w*(?:\.\w+)*\(|[^\W\d]\w*(?:\.\w+)+\s*=(?!=)"
)
_SIMPLE_ASSIGNMENT = re.compile(r"([^\W\d]\w*)\s*=(?!=)(?!\s*[^\W\d]\w*\s*=(?!=))")


@dataclass(frozen=True)
class Names:
    """Names visible at a place, and all that are ``bound`` anywhere in the file; ``stars`` are
    modules whose every name is visible too, and ``is_closed`` is false where names may exist that
    no statement shows."""

    visible: frozenset[str]
    bound: frozenset[str] = frozenset()
    stars: tuple[str, ...] = ()
    is_closed: bool = True


@dataclass(frozen=True)
class _Bound:
    """Names that one statement binds: in the scope it stands in, and in the one it opens."""

    here: frozenset[str]
    inside: frozenset[str] = frozenset()
    star: str = ""
    opens: str = ""
    is_global: bool = False


@dataclass
class BindingCache:
    """What statements bind, by their text, so that only edited ones are read again."""

    known: OrderedDict[str, _Bound] = field(default_factory=OrderedDict)

    def bound_by(self, statement: str) -> _Bound:
        found = self.known.get(statement)
        if found is None:
            found = self.known[statement] = _bound_by(statement)
            if len(self.known) > STATEMENTS_CACHED_MAX:
                self.known.popitem(last=False)
        return found


@dataclass
class _Scope:
    indent: int
    is_class: bool
    names: set[str]


def names_at(placed: Placed, index: StatementIndex, cache: BindingCache) -> Names:
    """Names that the statement of a placeholder can read, wherever in their scope they are bound."""
    text = placed.document.text
    here = placed.document.offset_at(placed.position)
    index.start_before(text)
    module = _Scope(-1, False, set())
    stack = [module]
    chain = [module]
    stars: list[str] = []
    everything: set[str] = set()
    starts = index.starts
    for position, start in enumerate(starts):
        end = starts[position + 1] if position + 1 < len(starts) else len(text)
        statement = text[start:end]
        code = statement.lstrip()
        if not code or code.startswith("#"):
            continue
        indent = width_of(statement[: len(statement) - len(code)].rpartition("\n")[2])
        while stack[-1].indent >= indent:
            stack.pop()
        if start <= here < end:
            chain = list(stack)
            continue
        bound = cache.bound_by(code)
        stack[-1].names |= bound.here
        everything |= bound.here | bound.inside
        if bound.star:
            stars.append(bound.star)
        if bound.is_global:
            module.names |= bound.here
        if bound.opens:
            stack.append(_Scope(indent, bound.opens == "class", set(bound.inside)))
    visible = set(BUILTINS)
    if placed.document.uri.endswith("__init__.py"):
        visible.update(_SUBMODULE.findall(text))
    for scope in chain:
        if not scope.is_class or scope is chain[-1]:
            visible |= scope.names
    is_closed = _DYNAMIC.search(text) is None
    return Names(frozenset(visible), frozenset(everything), tuple(stars), is_closed)


def _bound_by(statement: str) -> _Bound:
    if ":=" not in statement and _BINDS_NOTHING.match(statement):
        return _Bound(frozenset())
    simple = _SIMPLE_ASSIGNMENT.match(statement)
    if simple is not None and ":=" not in statement:
        return _Bound(frozenset({simple[1]}))
    statement = statement[:STATEMENT_CODE_POINTS_MAX]
    star = _STAR.match(statement)
    header = _HEADER.match(statement)
    if header is not None and header[2] == "def":
        # a parameter may have the function's own name
        parameters = _bound_names(f"def _{statement[header.end() :]}") - {"_"}
        return _Bound(frozenset({header[3]} - {None}), parameters, opens="def")
    opens = "class" if header is not None and header[2] == "class" else ""
    return _Bound(
        _bound_names(statement),
        star=star[1] if star else "",
        opens=opens,
        is_global=bool(_GLOBAL.match(statement)),
    )


def _bound_names(statement: str) -> frozenset[str]:
    place = Place()
    feed(place, statement, last=True)
    return frozenset(place.bound)
