"""Digests of what a function depends on: its text, the helpers it names, the modules of the workspace they import; it runs and resolves nothing."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

MODULES_MAX = 60
FILES_MAX = 5_000
FILE_BYTES_MAX = 2 << 20
NOT_SEARCHED = frozenset({".git", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox"})


def function_digest(module_text: str, qualname: str, path: Path, workspace: Path) -> str:
    """Digest of a function, of everything at its module's top level that it names, directly or not,
    and of the workspace's modules that these import.
    """
    try:
        tree = ast.parse(module_text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _hash([module_text])
    needed = _needed(tree, qualname.split(".")[0])
    texts = [qualname, *(ast.dump(node) for node in needed)]
    for name, level in _imports(needed):
        texts.extend(_file_digest(file) for file in _modules(name, level, path, workspace))
    return _hash(texts)


def workspace_digest(workspace: Path, extra: Iterable[Path] = ()) -> str:
    """Digest of all Python files of a workspace, by name, size and time of change."""
    rows: list[str] = []
    for root, names, files in os.walk(workspace):
        names[:] = sorted(name for name in names if name not in NOT_SEARCHED)
        for name in sorted(files):
            if name.endswith((".py", ".toml", ".cfg", ".ini")) and len(rows) < FILES_MAX:
                rows.append(_stamp(Path(root) / name))
    return _hash([*rows, *(_stamp(path) for path in extra)])


@cache
def program_digest(packages: tuple[Path, ...]) -> str:
    """Digest of the sources of parts of this program, so that a new version forgets old results."""
    files = sorted(file for package in packages for file in package.glob("**/*.py"))
    return _hash(file.read_text(encoding="utf-8") for file in files)


def _needed(tree: ast.Module, name: str) -> list[ast.stmt]:
    """Top-level statements that bind a name or a name that they use, in the module's order."""
    binds = [(statement, _bound(statement)) for statement in tree.body]
    wanted, waiting = {name}, [name]
    chosen: set[int] = set()
    while waiting:
        current = waiting.pop()
        for index, (statement, bound) in enumerate(binds):
            if index in chosen or (current not in bound and "*" not in bound):
                continue
            chosen.add(index)
            used = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
            waiting.extend(used - wanted)
            wanted |= used
    return [statement for index, (statement, _) in enumerate(binds) if index in chosen]


def _bound(statement: ast.stmt) -> set[str]:
    bound: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
    return bound


def _imports(statements: Sequence[ast.stmt]) -> Iterator[tuple[str, int]]:
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                yield from ((alias.name, 0) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module or "", node.level
                yield from (
                    (f"{node.module}.{alias.name}" if node.module else alias.name, node.level)
                    for alias in node.names
                )


def _modules(name: str, level: int, path: Path, workspace: Path) -> list[Path]:
    """Files of the workspace that an import may mean, and those that they import in turn."""
    found: dict[Path, None] = {}
    waiting = [(name, level, path)]
    while waiting and len(found) < MODULES_MAX:
        module, up, source = waiting.pop()
        for file in _files_of(module, up, source, workspace):
            if file in found:
                continue
            found[file] = None
            waiting.extend((n, u, file) for n, u in _imports_of(file))
    return list(found)


def _files_of(module: str, level: int, source: Path, workspace: Path) -> Iterator[Path]:
    parts = Path(*module.split(".")) if module else Path()
    if level:
        roots = [source.parents[min(level, len(source.parents)) - 1]]
    else:
        roots = [source.parent, workspace, workspace / "src"]
    for root in roots:
        for file in (root / parts).with_suffix(".py"), root / parts / "__init__.py":
            if module and file.is_file():
                yield file.resolve()


@cache
def _imports_of(path: Path) -> tuple[tuple[str, int], ...]:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            return ()
        return tuple(_imports(ast.parse(path.read_bytes()).body))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ()


def _file_digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _stamp(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return str(path)
    return f"{path} {found.st_size} {found.st_mtime_ns}"


def _hash(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
