"""Reads whether a new version could keep something from one call for the next that the old one does not; when in doubt it could."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

BUILTINS = frozenset(dir(builtins))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
READS = frozenset(
    [
        "get",
        "index",
        "count",
        "items",
        "keys",
        "values",
        "match",
        "search",
        "fullmatch",
        "sub",
        "subn",
        "split",
        "findall",
        "finditer",
        "__getitem__",
        "startswith",
        "endswith",
        "join",
        "format",
        "translate",
    ]
)


def may_remember(before: ast.Module, after: ast.Module) -> bool:
    """Whether the new version has a way to remember calls that the old one has not.

    Ways are decorators, defaults that are no constants, ``global``, and any use of module data
    beyond reading it.
    """
    return bool(set(_ways(after)) - set(_ways(before)))


def _ways(tree: ast.Module) -> Iterator[str]:
    data = {name for statement in tree.body for name in _data(statement)}
    for node in tree.body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        for member in members:
            if isinstance(member, FUNCTIONS):
                yield from _ways_of(member, data)
            elif isinstance(node, ast.ClassDef):
                yield ast.dump(member)


def _data(statement: ast.stmt) -> Iterator[str]:
    """Names of the module that are neither functions, classes nor imports."""
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef, ast.Import, ast.ImportFrom)):
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _ways_of(function: ast.FunctionDef | ast.AsyncFunctionDef, data: set[str]) -> Iterator[str]:
    for decorator in function.decorator_list:
        yield f"{function.name} @{ast.unparse(decorator)}"
    arguments = function.args
    for default in [*arguments.defaults, *arguments.kw_defaults]:
        if default is not None and not isinstance(default, ast.Constant):
            yield f"{function.name} = {ast.unparse(default)}"
    local = {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    } | {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    parents = {
        id(child): node for node in ast.walk(function) for child in ast.iter_child_nodes(node)
    }
    for node in ast.walk(function):
        if isinstance(node, ast.Global):
            yield f"{function.name} global {node.names}"
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            yield f"{function.name} {ast.unparse(node)}"
        elif isinstance(node, ast.Name) and node.id not in local and node.id in data:
            if not _only_reads(node, parents):
                yield f"{function.name} uses {node.id} in {ast.unparse(parents[id(node)])}"
        elif isinstance(node, ast.Name) and node.id not in local | data | BUILTINS:
            above = parents[id(node)]
            is_called = isinstance(above, ast.Call) and above.func is node
            is_module = isinstance(above, ast.Attribute) and isinstance(above.ctx, ast.Load)
            if not is_called and not is_module:
                yield f"{function.name} hands on {node.id}"


def _only_reads(node: ast.Name, parents: dict[int, ast.AST]) -> bool:
    """Whether a use of module data cannot change it: a lookup, a search, a walk, a reading method."""
    above = parents[id(node)]
    if isinstance(above, ast.Subscript):
        return above.value is node and isinstance(above.ctx, ast.Load)
    if isinstance(above, ast.Attribute):
        return above.attr in READS
    if isinstance(above, ast.Compare):
        return True
    if isinstance(above, ast.For | ast.comprehension):
        return above.iter is node
    return isinstance(above, ast.BinOp | ast.UnaryOp | ast.FormattedValue)
