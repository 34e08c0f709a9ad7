"""Reads the strings that an annotation like ``Literal["r", "w"]`` lists, also behind an alias; it infers nothing else."""

from __future__ import annotations

import ast
from typing import Any

from parso.parser import ParserSyntaxError

ALIASES_MAX = 3


def literal_strings(
    context: Any, annotation: Any, depth: int = ALIASES_MAX
) -> frozenset[str] | None:
    """Every string that the annotation allows; none if it allows anything else but ``None``."""
    if annotation is None or depth <= 0:
        return None
    kind = annotation.type
    if kind == "keyword":
        return frozenset() if annotation.value == "None" else None
    if kind == "string":
        text = _text(annotation)
        return None if text is None else _quoted(context, annotation, text, depth)
    if kind == "name":
        return _alias(context, annotation, depth)
    if kind in ("expr", "atom_expr"):
        return (
            _union(context, annotation, depth)
            if kind == "expr"
            else _subscript(context, annotation, depth)
        )
    return None


def annotated_strings(name: Any) -> frozenset[str] | None:
    """Strings that the annotation of a parameter or variable allows."""
    tree_name = getattr(name, "tree_name", None)
    definition = tree_name.get_definition() if tree_name is not None else None
    if definition is None:
        return None
    if definition.type == "param":
        annotation = definition.annotation
    elif definition.type == "expr_stmt" and definition.children[1].type == "annassign":
        annotation = definition.children[1].children[1]
    else:
        return None
    found = literal_strings(name.parent_context, annotation)
    return found or None


def _union(context: Any, node: Any, depth: int) -> frozenset[str] | None:
    strings: frozenset[str] = frozenset()
    for child in node.children:
        if child.type == "operator":
            continue
        part = literal_strings(context, child, depth)
        if part is None:
            return None
        strings |= part
    return strings


def _subscript(context: Any, node: Any, depth: int) -> frozenset[str] | None:
    trailer = node.children[-1]
    if trailer.type != "trailer" or trailer.children[0].value != "[":
        return None
    inner = trailer.children[1]
    items = inner.children[::2] if inner.type == "subscriptlist" else [inner]
    head = trailer.get_previous_leaf().value
    if head == "Literal":
        strings = set()
        for item in items:
            text = _text(item)
            if text is None:
                if item.type == "keyword" and item.value == "None":
                    continue
                return None
            strings.add(text)
        return frozenset(strings)
    if head in ("Optional", "Union", "Annotated"):
        parts = [
            literal_strings(context, item, depth)
            for item in items[: 1 if head == "Annotated" else None]
        ]
        known = [part for part in parts if part is not None]
        return frozenset().union(*known) if len(known) == len(parts) else None
    return None


def _alias(context: Any, name: Any, depth: int) -> frozenset[str] | None:
    targets = list(context.goto(name, position=None))
    if len(targets) != 1:
        return None
    target = targets[0]
    for _ in range(ALIASES_MAX):
        if not target.is_import():
            break
        found = list(target.goto())
        if len(found) != 1 or found[0] is target:
            return None
        target = found[0]
    tree_name = getattr(target, "tree_name", None)
    definition = tree_name.get_definition() if tree_name is not None else None
    if definition is None or definition.type != "expr_stmt":
        return None
    return literal_strings(target.parent_context, definition.get_rhs(), depth - 1)


def _quoted(context: Any, leaf: Any, text: str, depth: int) -> frozenset[str] | None:
    """An annotation that is written in quotes."""
    grammar = context.inference_state.grammar
    try:
        tree = grammar.parse(text, start_symbol="eval_input", error_recovery=False)
    except ParserSyntaxError:
        return None
    node = tree.children[0]
    node.parent = leaf.parent
    return literal_strings(context, node, depth - 1)


def _text(node: Any) -> str | None:
    if node.type != "string":
        return None
    try:
        value = ast.literal_eval(node.value)
    except (ValueError, SyntaxError):
        return None
    return value if isinstance(value, str) else None
