"""What a function's text says about numpy and pandas: the module's name for them, and which expressions are arrays, frames or columns; it guesses nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from assist.analysis.rules.pattern import code, literal
from assist.analysis.rules.target import Target, stores

ARRAY_MAKERS = frozenset(
    [
        "array",
        "asarray",
        "zeros",
        "ones",
        "empty",
        "full",
        "arange",
        "linspace",
        "zeros_like",
        "ones_like",
        "sort",
        "where",
    ]
)
ANNOTATIONS = {
    "ndarray": re.compile(r"^(?:\w+\.)*(?:ndarray|NDArray)\b"),
    "DataFrame": re.compile(r"^(?:\w+\.)*DataFrame$"),
    "Series": re.compile(r"^(?:\w+\.)*Series\b"),
}


@dataclass(frozen=True)
class Each:
    """``value for name in source if condition`` over one plain name."""

    value: cst.BaseExpression
    name: str
    source: cst.BaseExpression
    condition: cst.BaseExpression | None


def alias_of(target: Target, library: str) -> str:
    """``np`` of ``import numpy as np`` at the top of the module; empty where it is not imported so."""
    for line in target.module.body:
        for node in line.body if isinstance(line, cst.SimpleStatementLine) else ():
            if not isinstance(node, cst.Import):
                continue
            for alias in node.names:
                if code(alias.name) == library:
                    name = code(alias.asname.name) if alias.asname is not None else library
                    return "" if name in target.local_names else name
    return ""


def is_array(target: Target, node: cst.CSTNode | None) -> bool:
    """Whether an expression is a numpy array, by what was seen, annotated or assigned."""
    return _is(target, node, "ndarray") or _is_made(target, node, "numpy", ARRAY_MAKERS)


def is_frame(target: Target, node: cst.CSTNode | None) -> bool:
    """Whether an expression is a pandas frame."""
    return _is(target, node, "DataFrame") or _is_made(target, node, "pandas", {"DataFrame"})


def is_column(target: Target, node: cst.CSTNode | None) -> bool:
    """Whether an expression is a pandas series: a parameter, or a column taken by its name."""
    if isinstance(node, cst.Subscript):
        return column_name(node) is not None and is_frame(target, node.value)
    return _is(target, node, "Series") or _is_made(target, node, "pandas", {"Series"})


def column_name(node: cst.CSTNode | None) -> str | None:
    """``"a"`` of ``frame["a"]``."""
    if not isinstance(node, cst.Subscript) or len(node.slice) != 1:
        return None
    index = node.slice[0].slice
    value = literal(index.value) if isinstance(index, cst.Index) else None
    return value if isinstance(value, str) else None


def each_of(node: cst.CSTNode | None) -> Each | None:
    """The parts of a comprehension or generator with one loop, one plain name and at most one condition."""
    if not isinstance(node, (cst.ListComp, cst.GeneratorExp)):
        return None
    loop = node.for_in
    plain = isinstance(loop.target, cst.Name) and loop.inner_for_in is None
    if not plain or loop.asynchronous is not None or len(loop.ifs) > 1:
        return None
    assert isinstance(loop.target, cst.Name)
    condition = loop.ifs[0].test if loop.ifs else None
    return Each(node.elt, loop.target.value, loop.iter, condition)


def called(node: cst.CSTNode, *texts: str) -> list[cst.BaseExpression] | None:
    """Positional arguments of a call of one of ``texts``; none where it is another call or has other arguments."""
    if not isinstance(node, cst.Call) or code(node.func) not in texts:
        return None
    if any(argument.keyword is not None or argument.star for argument in node.args):
        return None
    return [argument.value for argument in node.args]


def calls_of(target: Target) -> Iterator[cst.Call]:
    """Every call in the function, in source order."""
    return (node for node in target.nodes if isinstance(node, cst.Call))


def _is(target: Target, node: cst.CSTNode | None, kind: str) -> bool:
    if not isinstance(node, cst.Name) or node.value not in target.parameters:
        return False
    if node.value in stores(target.function.body):
        return False
    observed = target.facts.observed.get(node.value, "")
    if observed:
        return observed.split(".")[-1].partition("[")[0] == kind
    annotation = target.parameters[node.value].annotation
    text = code(annotation.annotation).strip("'\"") if annotation is not None else ""
    return ANNOTATIONS[kind].match(text) is not None


def _is_made(
    target: Target, node: cst.CSTNode | None, library: str, makers: set[str] | frozenset[str]
) -> bool:
    """Whether a name is bound once in the function, to a call of one of the library's makers."""
    if not isinstance(node, cst.Name):
        return False
    if stores(target.function.body).count(node.value) != 1 or node.value in target.parameters:
        return False
    alias = alias_of(target, library)
    for each in target.nodes:
        if isinstance(each, cst.Assign) and len(each.targets) == 1:
            bound = each.targets[0].target
            if isinstance(bound, cst.Name) and bound.value == node.value:
                function = each.value.func if isinstance(each.value, cst.Call) else None
                head, _, name = code(function).rpartition(".") if function else ("", "", "")
                return bool(alias) and head == alias and name in makers
    return False
