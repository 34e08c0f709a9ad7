"""Places in a Python file that could be missing and filled in; it never chooses among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter

from assist.analysis.document import Span
from assist.analysis.languages import KINDS, Kind
from assist.analysis.syntax import Syntax


@dataclass(frozen=True)
class Function:
    """A definition: ``span`` with its decorators, ``body`` without its docstring."""

    name: str
    span: Span
    body: Span
    documented: bool


@dataclass(frozen=True)
class Hole:
    """A span that syntax singles out: ``arguments``, ``expression``, ``statement`` or ``body``."""

    kind: str
    span: Span


@dataclass(frozen=True)
class Holes:
    functions: tuple[Function, ...]
    spans: tuple[Hole, ...]


def find_holes(syntax: Syntax) -> Holes:
    """Functions and spans in the order of their start; parts with syntax errors give none."""
    functions: list[Function] = []
    spans: list[Hole] = []
    for node in _walk(syntax.tree.root_node) if syntax.tree is not None else ():
        span = Span(node.start_byte, node.end_byte)
        if node.has_error or not node.is_named:
            continue
        if node.type == "function_definition":
            function = _function(syntax.document.text, node)
            if function is not None:
                functions.append(function)
                spans.append(Hole("body", function.body))
        elif node.type == "argument_list" and node.named_child_count:
            spans.append(Hole("arguments", Span(span.start + 1, span.end - 1)))
        elif KINDS.get(node.type) is Kind.EXPRESSION or node.type == "attribute":
            spans.append(Hole("expression", span))
        elif node.parent is not None and node.parent.type == "block":
            spans.append(Hole("statement", span))
    return Holes(tuple(functions), tuple(spans))


def _function(text: str, node: tree_sitter.Node) -> Function | None:
    name, block = node.child_by_field_name("name"), node.child_by_field_name("body")
    if name is None or block is None or not block.named_children:
        return None
    outer = node
    if node.parent is not None and node.parent.type == "decorated_definition":
        outer = node.parent
    first, *others = block.named_children
    documented = first.type == "expression_statement" and [
        child.type for child in first.named_children
    ] == ["string"]
    start = others[0] if documented and others else first
    return Function(
        text[name.start_byte : name.end_byte],
        Span(outer.start_byte, outer.end_byte),
        Span(start.start_byte, block.end_byte),
        documented,
    )


def _walk(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))
