"""Finds the functions worth trying, most expensive first, and says of the others why they are left out; it runs nothing."""

from __future__ import annotations

import ast
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assist.analysis.errors import TargetError
from assist.analysis.execution.functions import Function, find_function, functions_of, walk_own
from assist.analysis.execution.git import changed_files, text_at
from assist.analysis.execution.kinds import Kinds
from assist.analysis.execution.screen import reads_the_clock
from assist.analysis.execution.types import RecordedCalls, Skipped, Target, Targets

FILES_MAX = 5_000
FILE_BYTES_MAX = 2 << 20
NOT_READ = "not read: the time was used up"
LOOP_WEIGHT = 8
LOOP_DEPTH_MAX = 4
NOT_SEARCHED = frozenset(
    {".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox", "build", "dist", ".mypy_cache",
     ".eggs", "site-packages"}
)  # fmt: skip
UNDERSTOOD_DECORATORS = frozenset(
    {"staticmethod", "classmethod", "property", "cached_property", "functools.cached_property", "lru_cache", "cache",
     "functools.lru_cache", "functools.cache", "functools.wraps", "wraps", "override", "typing.override", "final",
     "typing.final", "no_type_check", "deprecated"}
)  # fmt: skip
LEFT_OUT_DECORATORS = {
    "abstractmethod": "abstract", "abc.abstractmethod": "abstract", "overload": "an overload, not code",
    "typing.overload": "an overload, not code", "contextmanager": "a context manager",
    "contextlib.contextmanager": "a context manager", "pytest.fixture": "a test fixture", "fixture": "a test fixture",
}  # fmt: skip
OUTSIDE_CALLS = frozenset(
    {"open", "input", "print_exc", "urlopen", "system", "popen", "Popen", "check_output"}
)
OUTSIDE_OWNERS = frozenset(
    {"subprocess", "socket", "requests", "shutil", "urllib", "httpx", "sqlite3", "threading", "multiprocessing",
     "asyncio", "tempfile", "logging", "os", "sys", "random", "secrets", "select", "signal"}
)  # fmt: skip
PURE_OF_OS = frozenset(
    {"join", "basename", "dirname", "splitext", "fspath", "sep", "normpath", "intern", "getsizeof"}
)


@dataclass(frozen=True)
class Request:
    """A file or folder, and perhaps one function of it."""

    path: Path
    qualname: str = ""


def parse_request(text: str) -> Request:
    """``"path"`` or ``"path::Class.method"``."""
    path, _, qualname = text.partition("::")
    return Request(Path(path), qualname)


def find_targets(
    paths: Sequence[str | Path | Request],
    *,
    workspace: Path,
    since: str | None = None,
    line: int | None = None,
    recorded: RecordedCalls | None = None,
    texts: Mapping[Path, str] | None = None,
    seconds_max: float = math.inf,
) -> Targets:
    """Functions named by ``paths`` (files, folders, ``"file::qualname"``), or changed since a git revision.

    ``line`` (1-based) keeps the function of a single file around it; ``texts`` are unsaved
    editor texts; files that are not reached in ``seconds_max`` are skipped. Raises TargetError for what was named and does not exist, GitError for
    ``since``. A file that does not parse is skipped.
    """
    requests = [each if isinstance(each, Request) else parse_request(str(each)) for each in paths]
    targets: list[Target] = []
    skipped: list[Skipped] = []
    deadline = time.monotonic() + seconds_max
    for request in _files(requests, workspace, since):
        if time.monotonic() > deadline:
            skipped.append(Skipped(request.path, request.qualname, NOT_READ))
            continue
        text = texts[request.path] if texts and request.path in texts else read_text(request.path)
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            detail = error.msg if isinstance(error, SyntaxError) else type(error).__name__
            skipped.append(Skipped(request.path, request.qualname, f"does not parse: {detail}"))
            continue
        functions = list(functions_of(tree))
        if request.qualname and request.qualname not in [each.qualname for each in functions]:
            raise TargetError(f"{request.path} has no function {request.qualname}")
        before = _functions_of(text_at(workspace, since, request.path)) if since else {}
        kinds = Kinds(tree)
        for function in {each.qualname: each for each in functions}.values():
            if request.qualname not in ("", function.qualname):
                continue
            if line is not None and line not in function.lines:
                continue
            if since is not None and not _changed(function, before.get(function.qualname)):
                continue
            key = (str(request.path.resolve()), function.qualname)
            profile = recorded.profiles.get(key) if recorded else None
            has_calls = bool(recorded and recorded.calls.get(key))
            reason = reason_to_skip(function, kinds, has_calls, request.path)
            if reason:
                skipped.append(Skipped(request.path, function.qualname, reason))
                continue
            cost = static_cost(function)
            if recorded and recorded.profiles:
                cost = (profile.own_seconds if profile else 0.0) * 1e9 + cost
            targets.append(
                Target(request.path, function.qualname, text, function.node.lineno, cost, profile)
            )
    targets.sort(key=lambda target: -target.cost)
    return Targets(tuple(targets), tuple(skipped))


def _files(requests: Sequence[Request], workspace: Path, since: str | None) -> Iterator[Request]:
    if since is not None:
        changed = changed_files(workspace, since)
        chosen = [request.path.resolve() for request in requests]
        for path in changed:
            if not chosen or any(path.resolve().is_relative_to(each) for each in chosen):
                yield Request(path)
        return
    for request in requests or [Request(workspace)]:
        if request.path.is_dir():
            if request.qualname:
                raise TargetError(
                    f"{request.path} is a folder; name the file of {request.qualname}"
                )
            yield from (Request(path) for path in _python_files(request.path))
        elif request.path.is_file():
            yield request
        else:
            raise TargetError(f"{request.path} does not exist")


def _python_files(folder: Path) -> Iterator[Path]:
    found = 0
    for root, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if name not in NOT_SEARCHED)
        for name in sorted(files):
            if name.endswith(".py"):
                found += 1
                if found > FILES_MAX:
                    return
                yield Path(root) / name


def read_text(path: Path) -> str:
    """Text of a Python file; bytes that are no UTF-8 survive as surrogates. Raises TargetError."""
    try:
        if path.is_dir():
            raise TargetError(f"{path} is a folder; name a file")
        if path.stat().st_size > FILE_BYTES_MAX:
            raise TargetError(f"{path} is larger than {FILE_BYTES_MAX >> 20} MB")
        return path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise TargetError(f"{path} cannot be read: {error.strerror}") from error


def defines(text: str, qualname: str) -> bool:
    """Whether a module text defines a function of that name; also true if it does not parse."""
    try:
        return find_function(ast.parse(text), qualname) is not None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True


def _functions_of(text: str | None) -> dict[str, Function]:
    """Functions of an old text by name; none where there was no file, or it does not parse."""
    try:
        return {each.qualname: each for each in functions_of(ast.parse(text or ""))}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def _changed(function: Function, before: Function | None) -> bool:
    return before is None or ast.dump(before.node) != ast.dump(function.node)


def reason_to_skip(function: Function, kinds: Kinds, has_calls: bool, path: Path) -> str:
    """Why a function cannot or need not be tried; empty if it can."""
    node = function.node
    if isinstance(node, ast.AsyncFunctionDef):
        return "a coroutine"
    if path.name.startswith("test_") or path.name == "conftest.py" or node.name.startswith("test_"):
        return "a test"
    for decorator in function.decorators:
        if decorator in LEFT_OUT_DECORATORS:
            return LEFT_OUT_DECORATORS[decorator]
        if decorator not in UNDERSTOOD_DECORATORS and not decorator.endswith(
            (".setter", ".getter")
        ):
            return f"decorated with @{decorator}, which is not understood"
    if _is_stub(node):
        return "has no code"
    clock = reads_the_clock(node)
    if clock:
        return f"uses {clock}"
    outside = _reaches_outside(node)
    if outside:
        return f"reaches outside: {outside}"
    if (
        function.holder is not None
        and function.receiver
        and not has_calls
        and not kinds.can_construct(function)
    ):
        return "no recorded call, and its class cannot be made from annotations"
    return ""


def _is_stub(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return all(
        isinstance(each, ast.Pass | ast.Raise)
        or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in node.body
    )


def _reaches_outside(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    for each in walk_own(node):
        if not isinstance(each, ast.Call):
            continue
        function = each.func
        if isinstance(function, ast.Name) and function.id in OUTSIDE_CALLS:
            return f"{function.id}()"
        if isinstance(function, ast.Attribute):
            owner = function.value
            while isinstance(owner, ast.Attribute):
                owner = owner.value
            if (
                isinstance(owner, ast.Name)
                and owner.id in OUTSIDE_OWNERS
                and function.attr not in PURE_OF_OS
            ):
                return f"{ast.unparse(function)}()"
    return ""


def static_cost(function: Function) -> float:
    """Work per call as far as the text tells: operations, each worth more the deeper it lies in loops."""
    return float(
        sum(LOOP_WEIGHT ** min(depth, LOOP_DEPTH_MAX) for depth in _depths(function.node.body, 0))
    )


def _depths(nodes: Iterable[ast.AST], depth: int) -> Iterator[int]:
    for node in nodes:
        loops = isinstance(
            node, ast.For | ast.While | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
        )
        if isinstance(node, ast.Call | ast.BinOp | ast.Compare | ast.Subscript):
            yield depth
        yield from _depths(ast.iter_child_nodes(node), depth + loops)
