"""Reads from the text of a new version what it must not newly reach, and what makes a function differ from run to run; the sandbox does not rely on it.

The sandbox holds whatever runs in it. This screen protects the *verdict*: code that looks
into the interpreter that compares it could make itself look like something else.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from assist.analysis.execution.functions import FunctionNode

HARMLESS_IMPORTS = frozenset(
    {"__future__", "abc", "array", "base64", "binascii", "bisect", "calendar", "cmath", "collections", "contextlib",
     "copy", "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq",
     "html", "ipaddress", "itertools", "json", "keyword", "math", "numbers", "numpy", "operator", "pandas", "queue",
     "random", "re", "scipy", "statistics", "string", "struct", "textwrap", "types", "typing", "typing_extensions",
     "unicodedata", "uuid", "warnings", "weakref", "zlib", "zoneinfo"}
)  # fmt: skip
FORBIDDEN_NAMES = frozenset(
    {"eval", "exec", "compile", "open", "__import__", "globals", "locals", "vars", "input", "breakpoint", "dir",
     "setattr", "delattr", "memoryview", "__builtins__", "__loader__", "__spec__", "get_type_hints"}
)  # fmt: skip
HARMLESS_DUNDERS = frozenset(
    {"__init__", "__name__", "__doc__", "__len__", "__contains__", "__getitem__", "__setitem__", "__iter__", "__next__",
     "__eq__", "__hash__", "__lt__", "__le__", "__gt__", "__ge__", "__add__", "__mul__", "__sub__", "__call__",
     "__slots__", "__all__", "__version__", "__enter__", "__exit__", "__missing__", "__post_init__", "__str__",
     "__repr__", "__new__", "__delitem__", "__bool__", "__int__", "__float__", "__index__", "__annotations__"}
)  # fmt: skip
FORBIDDEN_ATTRIBUTES = frozenset(
    {"f_back", "f_locals", "f_globals", "gi_frame", "tb_frame", "cr_frame", "gi_code", "_getframe", "modules",
     "get_objects", "get_referrers", "get_type_hints", "ctypeslib", "attrgetter", "methodcaller", "meta_path"}
)  # fmt: skip
CLOCKS = frozenset(
    {"time", "time_ns", "monotonic", "perf_counter", "process_time", "now", "utcnow", "today", "uuid4", "uuid1",
     "urandom", "token_hex", "token_bytes", "token_urlsafe", "getpid", "getrandbits", "gettempdir", "mktime",
     "localtime", "gmtime", "ctime"}
)  # fmt: skip
CLOCK_OWNERS = frozenset(
    {"time", "datetime", "date", "uuid", "os", "secrets", "dt", "tempfile", "timezone", "random"}
)


def newly_reached(before: ast.Module, after: ast.Module) -> tuple[str, ...]:
    """Ways to look at or change the interpreter that only the new version uses; such a version is not run."""
    return tuple(sorted(set(_reaches(after)) - set(_reaches(before))))


def _reaches(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] not in HARMLESS_IMPORTS:
                    yield f"import {alias.name}"
        elif isinstance(node, ast.ImportFrom):
            if not node.level and (node.module or "").split(".")[0] not in HARMLESS_IMPORTS:
                yield f"import {node.module}"
            for alias in node.names:
                plain = alias.name == "attrgetter" and not alias.asname and _gets_plain_names(tree)
                if _is_forbidden(alias.name) and not plain:
                    yield alias.name
        elif isinstance(node, ast.Name):
            if node.id in FORBIDDEN_NAMES:
                yield node.id
        elif isinstance(node, ast.Attribute):
            is_regex = ast.unparse(node) == "re.compile"
            if _is_forbidden(node.attr) and not is_regex:
                yield f".{node.attr}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if _is_dunder(node.value) or "__globals__" in node.value or "__class__" in node.value:
                yield f"the text {node.value[:40]!r}"
        elif isinstance(node, ast.Call) and _gets_computed_attribute(node):
            yield "getattr with a computed name"


def _gets_plain_names(tree: ast.Module) -> bool:
    """Whether ``attrgetter`` is only called, with names that are written out and not private."""
    uses = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == "attrgetter"]
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and n.func in uses]
    names = [argument for call in calls for argument in call.args]
    return len(calls) == len(uses) and all(
        isinstance(name, ast.Constant)
        and isinstance(name.value, str)
        and all(part.isidentifier() and part[0] != "_" for part in name.value.split("."))
        for name in names
    )


def _gets_computed_attribute(node: ast.Call) -> bool:
    if not isinstance(node.func, ast.Name) or node.func.id != "getattr":
        return False
    return len(node.args) < 2 or not isinstance(node.args[1], ast.Constant)


def _is_forbidden(name: str) -> bool:
    return name in FORBIDDEN_ATTRIBUTES or name in FORBIDDEN_NAMES or _is_dunder(name)


def _is_dunder(name: str) -> bool:
    return (
        name.startswith("__")
        and name.endswith("__")
        and len(name) > 4
        and name not in HARMLESS_DUNDERS
    )


def reads_the_clock(node: FunctionNode) -> str | None:
    """A call in the function whose answer differs from run to run, as far as its name tells."""
    for each in ast.walk(node):
        if not (isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)):
            continue
        owner = each.func.value
        name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
        if each.func.attr in CLOCKS and name in CLOCK_OWNERS:
            return f"{name}.{each.func.attr}()"
    return None
