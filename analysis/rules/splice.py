"""Puts a new version of one function, with the imports and constants it brought, into a module's text; it changes nothing else."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from assist.analysis.document import Position

LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class LineEdit:
    """Replace the text from ``start`` to ``end`` (0-based positions) by ``text``."""

    start: Position
    end: Position
    text: str


@dataclass(frozen=True)
class Change:
    """What an edit did to a module: the function's new source, and statements new at the top level."""

    function: str
    imports: tuple[str, ...]
    constants: tuple[str, ...]


def change_between(before: str, after: str, qualname: str) -> Change | None:
    """The change of one function; none where something else of the module changed too."""
    old, new = parse_module(before), parse_module(after)
    if old is None or new is None:
        return None
    old_function, new_function = find(old, qualname), find(new, qualname)
    if old_function is None or new_function is None:
        return None
    top = qualname.split(".")[0]
    known = {ast.dump(node) for node in old.body}
    added = [
        node
        for node in new.body
        if ast.dump(node) not in known and getattr(node, "name", None) != top
    ]
    kept = {ast.dump(node) for node in new.body}
    if any(ast.dump(node) not in kept and getattr(node, "name", None) != top for node in old.body):
        return None
    lines = split_lines(after)
    imports = [node for node in added if isinstance(node, ast.Import | ast.ImportFrom)]
    constants = [node for node in added if node not in imports]
    return Change(
        _source(lines, new_function),
        tuple(_source(lines, node).rstrip("\n") for node in imports),
        tuple(_source(lines, node).rstrip("\n") for node in constants),
    )


def with_change(text: str, qualname: str, change: Change) -> str | None:
    """The module with the function replaced; none where it is missing or the result does not parse."""
    tree = parse_module(text)
    function = find(tree, qualname) if tree is not None else None
    if tree is None or function is None:
        return None
    lines = split_lines(text)
    newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    first, last = _first_line(function), function.end_lineno or function.lineno
    source = change.function.replace("\r\n", "\n").replace("\n", newline)
    if not source.endswith(newline) and lines[last - 1].endswith(("\n", "\r")):
        source += newline
    lines[first - 1 : last] = [source]
    known = {ast.dump(node) for node in tree.body}
    constants = [c for c in change.constants if not _is_known(c, known)]
    if constants:
        top = next(n for n in tree.body if getattr(n, "name", None) == qualname.split(".")[0])
        index = _first_line(top) - 1
        lines[index:index] = [newline.join(constants) + newline * 3]
    imports = [line for line in change.imports if not _is_known(line, known)]
    if imports:
        index = _after_imports(tree)
        gap = "" if index else newline * 2
        lines[index:index] = [newline.join(imports) + newline + gap]
    result = "".join(lines)
    return result if parse_module(result) is not None else None


def line_edits(before: str, after: str) -> list[LineEdit]:
    """The difference of two texts as replacements of whole lines, in order."""
    old, new = split_lines(before), split_lines(after)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    edits = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            end = Position(i2, 0) if i2 < len(old) or not old else _end_of(old, i2)
            start = Position(i1, 0) if i1 < len(old) or not old else _end_of(old, i1)
            edits.append(LineEdit(start, end, "".join(new[j1:j2])))
    return edits


def _end_of(lines: Sequence[str], index: int) -> Position:
    last = lines[index - 1]
    if last.endswith(("\n", "\r")):
        return Position(index, 0)
    return Position(index - 1, len(last))


def find(tree: ast.Module, qualname: str) -> FunctionNode | None:
    """The last function of that name at the top level or in nested classes."""
    body: Sequence[ast.stmt] = tree.body
    *classes, name = qualname.split(".")
    for part in classes:
        owners = [node for node in body if isinstance(node, ast.ClassDef) and node.name == part]
        if not owners:
            return None
        body = owners[-1].body
    found = [
        node
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
    ]
    return found[-1] if found else None


def function_source(text: str, qualname: str) -> str | None:
    """Lines of a function with its decorators, as they stand in the module."""
    tree = parse_module(text)
    function = find(tree, qualname) if tree is not None else None
    return _source(split_lines(text), function) if function is not None else None


def split_lines(text: str) -> list[str]:
    """Lines with their ends, as Python and editors count them: form feeds and the like end no line."""
    return LINE.findall(text)


def parse_module(text: str) -> ast.Module | None:
    """Syntax tree of a module, none where it does not parse."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def _source(lines: Sequence[str], node: ast.stmt) -> str:
    return "".join(lines[_first_line(node) - 1 : node.end_lineno])


def _is_known(source: str, known: set[str]) -> bool:
    tree = parse_module(source)
    return tree is not None and all(ast.dump(node) in known for node in tree.body)


def _after_imports(tree: ast.Module) -> int:
    """Index of the line after the docstring and the first run of imports."""
    index = 0
    for position, node in enumerate(tree.body):
        is_docstring = (
            position == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        )
        if not is_docstring and not isinstance(node, ast.Import | ast.ImportFrom):
            break
        index = node.end_lineno or node.lineno
    return index
