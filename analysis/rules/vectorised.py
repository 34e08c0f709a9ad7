"""Writes an expression of one item as an expression of a whole array or column, where both compute item by item; it says nothing of anything else."""

from __future__ import annotations

import libcst as cst

from assist.analysis.rules.kinds import is_kind
from assist.analysis.rules.pattern import build, code, parenthesized, replace, strip
from assist.analysis.rules.target import Target, descendants

ARITHMETIC = (
    cst.Add, cst.Subtract, cst.Multiply, cst.Divide, cst.FloorDivide, cst.Modulo, cst.Power,
)  # fmt: skip
ORDERED = (
    cst.LessThan, cst.LessThanEqual, cst.GreaterThan, cst.GreaterThanEqual, cst.Equal, cst.NotEqual,
)  # fmt: skip
# Functions of numpy that work item by item; on arrays they may differ in the last places.
FUNCTIONS = frozenset(
    [
        "sqrt",
        "exp",
        "log",
        "log2",
        "log10",
        "sin",
        "cos",
        "tan",
        "tanh",
        "abs",
        "square",
        "sign",
        "floor",
        "ceil",
    ]
)


def vectorised(
    target: Target, node: cst.BaseExpression, items: dict[str, cst.BaseExpression], library: str
) -> cst.BaseExpression | None:
    """``node`` with each item replaced by its array; none where it is not plain arithmetic.

    ``items`` maps code of an item (``x``, ``row["a"]``) to the expression of all of them;
    ``library`` is the module's name of numpy, empty where its functions cannot be used.
    """
    node = strip(node)
    text = code(node).strip()
    if text in items:
        return items[text]
    if not any(code(part).strip() in items for part in descendants(node)):
        return node if _is_number(target, node) else None
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, (cst.Minus, cst.Plus)):
        inner = vectorised(target, node.expression, items, library)
        return node.with_changes(expression=parenthesized(inner)) if inner is not None else None
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, ARITHMETIC):
        left = vectorised(target, node.left, items, library)
        right = vectorised(target, node.right, items, library)
        if left is None or right is None:
            return None
        return replace(node, {node.left: left, node.right: right})
    if isinstance(node, cst.Call):
        return _function(target, node, items, library)
    return None


def condition(
    target: Target, node: cst.BaseExpression, items: dict[str, cst.BaseExpression], library: str
) -> cst.BaseExpression | None:
    """A comparison, or several joined by ``and`` and ``or``, as an array of truth values."""
    node = strip(node)
    if isinstance(node, cst.Comparison) and len(node.comparisons) == 1:
        [part] = node.comparisons
        left = vectorised(target, node.left, items, library)
        right = vectorised(target, part.comparator, items, library)
        if left is None or right is None or not isinstance(part.operator, ORDERED):
            return None
        return replace(node, {node.left: left, part.comparator: right})
    if isinstance(node, cst.BooleanOperation):
        one = condition(target, node.left, items, library)
        other = condition(target, node.right, items, library)
        if one is None or other is None:
            return None
        both = "__a & __b" if isinstance(node.operator, cst.And) else "__a | __b"
        return build(both, a=parenthesized(one), b=parenthesized(other))
    return None


def _function(
    target: Target, node: cst.Call, items: dict[str, cst.BaseExpression], library: str
) -> cst.BaseExpression | None:
    name = code(node.func)
    if name == "abs" and target.is_builtin("abs"):
        twin = "abs"
    elif library and name.startswith(f"{library}.") and name.split(".")[-1] in FUNCTIONS:
        twin = name
    else:
        return None
    if len(node.args) != 1 or node.args[0].keyword is not None or node.args[0].star:
        return None
    inner = vectorised(target, node.args[0].value, items, library)
    return build(f"{twin}(__x)", x=inner) if inner is not None else None


def _is_number(target: Target, node: cst.BaseExpression) -> bool:
    """Whether an expression is a literal number or a variable that holds one."""
    if isinstance(node, (cst.Integer, cst.Float)):
        return True
    return isinstance(node, cst.Name) and is_kind(target, node, "int", "float")
