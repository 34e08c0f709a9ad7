"""Matching and building of syntax by example, with names such as `__x` as holes; it never decides whether a rewrite is right."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TypeVar, cast

import libcst as cst

# What takes a node's place: a node, several statements, or nothing.
Change = cst.CSTNode | Sequence[cst.CSTNode] | None
Node = TypeVar("Node", bound=cst.CSTNode)

_EMPTY = cst.Module([])
_LAYOUT_WORDS = (
    "whitespace", "lpar", "rpar", "comma", "semicolon", "lines", "header", "footer", "newline",
    "indent", "bracket", "brace", "colon", "equal", "dot",
)  # fmt: skip
# Nodes that can stand anywhere without parentheses.
_ATOMS = (
    cst.Name, cst.Attribute, cst.Subscript, cst.Call, cst.Integer, cst.Float, cst.SimpleString,
    cst.FormattedString, cst.List, cst.Set, cst.Dict, cst.ListComp, cst.SetComp, cst.DictComp,
)  # fmt: skip
# Nodes around which a hole needs no parentheses: the hole is a whole element of them.
_ROOMY = (
    cst.Arg, cst.Assign, cst.AnnAssign, cst.AugAssign, cst.Return, cst.Expr, cst.Index, cst.Element,
    cst.For, cst.If, cst.While, cst.Slice,
)  # fmt: skip


class Captures(dict[str, cst.CSTNode]):
    """What the holes of a pattern stand for; true also where there are no holes."""

    def __bool__(self) -> bool:
        return True


def match(pattern: str, node: cst.CSTNode | None) -> Captures | None:
    """Captures of `node` against a piece of Python in which `__x` stands for any expression.

    The same hole twice must stand for the same code; a block of the single line `__BODY` stands
    for any block. Layout, parentheses and comments are ignored. Returns none where it differs.
    """
    if node is None:
        return None
    example, kind, is_hole = _example(pattern)
    if type(node) is cst.SimpleStatementLine and kind is not cst.SimpleStatementLine:
        node = _expression_of(node)
    if not is_hole and type(node) is not kind:
        return None
    captures = Captures()
    return captures if _matches(example, node, captures) else None


def match_any(patterns: Sequence[str], node: cst.CSTNode | None) -> Captures | None:
    """Captures of the first of `patterns` that matches."""
    for pattern in patterns:
        captures = match(pattern, node)
        if captures is not None:
            return captures
    return None


def same(left: cst.CSTNode | None, right: cst.CSTNode | None) -> bool:
    """Whether two nodes are the same code apart from layout."""
    if left is None or right is None:
        return left is right
    return _matches(left, right, None)


def build(pattern: str, **holes: cst.CSTNode | str) -> cst.BaseExpression:
    """An expression written as Python, its `__x` replaced by `x=` (a node, or a name as text)."""
    filled = _fill(parsed(pattern), holes)
    return cast(cst.BaseExpression, filled)


def build_statement(pattern: str, **holes: cst.CSTNode | str) -> cst.BaseStatement:
    """One statement written as Python; a block hole `__BODY` takes `BODY=` (an indented block)."""
    filled = _fill(parsed(pattern), holes)
    if isinstance(filled, cst.BaseExpression):
        return cst.SimpleStatementLine([cst.Expr(filled)])
    return cast(cst.BaseStatement, filled)


def build_block(pattern: str, **holes: cst.CSTNode | str) -> list[cst.BaseStatement]:
    """Several statements written as Python."""
    template = parsed("if __always:\n" + _indented(pattern))
    filled = cast(cst.If, _fill(template, {"always": "True", **holes}))
    return list(cast(cst.IndentedBlock, filled.body).body)


def code(node: cst.CSTNode) -> str:
    """Source text of a node."""
    return _EMPTY.code_for_node(node)


def literal(node: cst.CSTNode | None) -> object:
    """Value of a literal (constants, and displays of constants), or :data:`UNKNOWN`."""
    if node is None or not isinstance(node, cst.BaseExpression):
        return UNKNOWN
    if isinstance(node, cst.GeneratorExp):
        return UNKNOWN
    try:
        value: object = ast.literal_eval(code(node).strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return UNKNOWN
    return value


class _Unknown:
    """The value of what is not a literal; equal to nothing else."""


UNKNOWN = _Unknown()


def strip(node: Node) -> Node:
    """The node without parentheses around it."""
    if isinstance(node, (cst.Tuple, cst.GeneratorExp, cst.Yield, cst.NamedExpr)):
        return node
    if getattr(node, "lpar", None):
        return node.with_changes(lpar=(), rpar=())
    return node


def parenthesized(node: cst.BaseExpression) -> cst.BaseExpression:
    """The node, in parentheses unless it can stand anywhere without."""
    if isinstance(node, _ATOMS) or node.lpar:
        return node
    return node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def sole(block: cst.CSTNode | None) -> cst.BaseStatement | None:
    """The only statement of an indented block, docstrings and `pass` not counted as such."""
    if not isinstance(block, cst.IndentedBlock) or len(block.body) != 1:
        return None
    return block.body[0]


def _expression_of(node: cst.CSTNode) -> cst.CSTNode:
    body: Sequence[cst.CSTNode] = getattr(node, "body", ())
    only = body[0] if len(body) == 1 else None
    return only.value if type(only) is cst.Expr else node


def _walk(node: cst.CSTNode) -> list[cst.CSTNode]:
    found = [node]
    for child in node.children:
        found.extend(_walk(child))
    return found


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" if line else "\n" for line in text.strip("\n").split("\n"))


@cache
def _example(pattern: str) -> tuple[cst.CSTNode, type[cst.CSTNode], bool]:
    """The syntax of a pattern, its class, and whether it is a hole as a whole."""
    example = parsed(pattern)
    return example, type(example), _is_hole(example)


@cache
def parsed(pattern: str) -> cst.CSTNode:
    """The syntax of a pattern; an expression where it is one."""
    try:
        return cst.parse_expression(pattern)
    except cst.ParserSyntaxError:
        statement = cst.parse_statement(pattern)
    if isinstance(statement, cst.SimpleStatementLine) and isinstance(statement.body[0], cst.Expr):
        return statement.body[0].value
    return statement


def _is_hole(node: cst.CSTNode) -> bool:
    return (
        isinstance(node, cst.Name) and node.value.startswith("__") and not node.value.endswith("__")
    )


@cache
def _fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    """Names of the fields of a node class that carry meaning."""
    fields = getattr(kind, "__dataclass_fields__", {})
    return tuple(
        name
        for name in fields
        if name != "__slots__" and not any(word in name for word in _LAYOUT_WORDS)
    )


def _matches(pattern: cst.CSTNode, node: cst.CSTNode, captures: Captures | None) -> bool:
    if captures is not None and type(pattern) is cst.Name and _is_hole(pattern):
        known = captures.get(pattern.value[2:])
        if known is None:
            captures[pattern.value[2:]] = node
            return True
        return same(known, node)
    if type(pattern) is cst.IndentedBlock and captures is not None and _is_block_hole(pattern):
        captures[_block_hole(pattern)] = node
        return isinstance(node, cst.BaseSuite)
    if type(pattern) is not type(node):
        return False
    if type(pattern) is cst.SimpleString:
        return pattern.evaluated_value == cast(cst.SimpleString, node).evaluated_value
    return all(
        _values_match(getattr(pattern, field), getattr(node, field), captures)
        for field in _fields(type(pattern))
    )


def _values_match(pattern: object, value: object, captures: Captures | None) -> bool:
    if isinstance(pattern, cst.CSTNode):
        return isinstance(value, cst.CSTNode) and _matches(pattern, value, captures)
    if isinstance(pattern, (list, tuple)):
        return (
            isinstance(value, (list, tuple))
            and len(pattern) == len(value)
            and all(_values_match(p, v, captures) for p, v in zip(pattern, value, strict=True))
        )
    if isinstance(pattern, cst.MaybeSentinel) or isinstance(value, cst.MaybeSentinel):
        return True
    return pattern == value


def _is_block_hole(node: cst.CSTNode) -> bool:
    return bool(_block_hole(node))


def _block_hole(node: cst.CSTNode) -> str:
    if not isinstance(node, cst.IndentedBlock) or len(node.body) != 1:
        return ""
    line = node.body[0]
    if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        return ""
    only = line.body[0]
    if isinstance(only, cst.Expr) and isinstance(only.value, cst.Name) and _is_hole(only.value):
        name = only.value.value[2:]
        return name if name.isupper() else ""
    return ""


def _fill(pattern: cst.CSTNode, holes: Mapping[str, cst.CSTNode | str]) -> cst.CSTNode:
    nodes = {
        name: cst.parse_expression(hole) if isinstance(hole, str) else hole
        for name, hole in holes.items()
    }
    return cast(cst.CSTNode, pattern.deep_clone().visit(_Filler(nodes)))


class _Filler(cst.CSTTransformer):
    """Puts nodes into the holes, with parentheses where the surroundings ask for them."""

    def __init__(self, nodes: Mapping[str, cst.CSTNode]) -> None:
        super().__init__()
        self._nodes = nodes
        self._parents: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        self._parents.append(node)
        return True

    def on_leave(  # type: ignore[override]
        self, original_node: cst.CSTNode, updated_node: cst.CSTNode
    ) -> cst.CSTNode:
        self._parents.pop()
        if block := _block_hole(original_node):
            return self._nodes[block].deep_clone()
        if not isinstance(original_node, cst.Name) or not _is_hole(original_node):
            return updated_node
        name = original_node.value[2:]
        if name.isupper() and self._parents and isinstance(self._parents[-1], cst.Expr):
            return updated_node
        filling = self._nodes[name].deep_clone()
        parent = self._parents[-1] if self._parents else None
        if not isinstance(filling, cst.BaseExpression):
            return filling
        return fitted(filling, parent)


def fitted(node: cst.BaseExpression, parent: cst.CSTNode | None) -> cst.BaseExpression:
    """The node as it can stand below `parent`: in parentheses where it binds less tightly."""
    if isinstance(node, cst.GeneratorExp):
        return cast(cst.BaseExpression, _parenthesize_generator(node, parent))
    return node if _level(node) >= _level_needed(parent) else parenthesized(node)


def _level(node: cst.BaseExpression) -> float:
    """How tightly an expression binds: 0 the walrus, 10 what never needs parentheses."""
    if node.lpar or isinstance(node, _ATOMS):
        return 10
    if isinstance(node, cst.BooleanOperation):
        return 4 if isinstance(node.operator, cst.And) else 3
    if isinstance(node, cst.UnaryOperation):
        return 5 if isinstance(node.operator, cst.Not) else 8
    if isinstance(node, cst.BinaryOperation):
        return _operator_level(node.operator)
    levels = {cst.NamedExpr: 0, cst.Lambda: 1, cst.IfExp: 2, cst.Comparison: 6}
    return levels.get(type(node), 0)


def _operator_level(operator: cst.BaseBinaryOp) -> float:
    for level, operators in (
        (7.1, (cst.BitOr,)),
        (7.2, (cst.BitXor,)),
        (7.3, (cst.BitAnd,)),
        (7.4, (cst.LeftShift, cst.RightShift)),
        (7.5, (cst.Add, cst.Subtract)),
        (7.6, (cst.Multiply, cst.Divide, cst.FloorDivide, cst.Modulo, cst.MatrixMultiply)),
    ):
        if isinstance(operator, operators):
            return level
    return 9


def _level_needed(parent: cst.CSTNode | None) -> float:
    """How tightly what stands below `parent` must bind, on whichever side of it."""
    if parent is None or isinstance(parent, _ROOMY):
        return 0
    if isinstance(parent, cst.BooleanOperation):
        return 5 if isinstance(parent.operator, cst.And) else 4
    if isinstance(parent, cst.BinaryOperation):
        return min(_operator_level(parent.operator) + 0.05, 10)
    if isinstance(parent, cst.UnaryOperation) and isinstance(parent.operator, cst.Not):
        return 5
    if isinstance(parent, (cst.Comparison, cst.ComparisonTarget)):
        return 7
    if isinstance(parent, (cst.IfExp, cst.CompFor, cst.CompIf)):
        return 3
    element_of = (cst.NamedExpr, cst.ListComp, cst.SetComp, cst.GeneratorExp, cst.DictComp)
    return 1 if isinstance(parent, element_of) else 10


def _parenthesize_generator(node: cst.GeneratorExp, parent: cst.CSTNode | None) -> cst.CSTNode:
    if node.lpar or isinstance(parent, cst.Arg):
        return node
    return node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def replace(root: Node, changes: Mapping[cst.CSTNode, Change]) -> Node:
    """The tree with nodes (by identity) replaced by a node, a list of statements, or none to remove.

    Comments of removed statements move above what replaces them.
    """
    return cast(Node, root.visit(_Replacer(changes)))


class _Replacer(cst.CSTTransformer):
    """Replaces nodes by identity and carries comments of removed statements to the next one."""

    def __init__(self, changes: Mapping[cst.CSTNode, Change]) -> None:
        super().__init__()
        self._changes = {id(node): change for node, change in changes.items()}
        self._alive = list(changes)  # an id stays valid while its node lives
        self._removed: list[cst.EmptyLine] = []
        self._above: dict[int, list[cst.EmptyLine]] = {}

    def on_visit(self, node: cst.CSTNode) -> bool:
        change: Change | _Replacer = self._changes.get(id(node), self)
        if change is None and _is_statement(node):
            self._removed.extend(_comment_lines(node, ()))
        elif self._removed and _is_statement(node):
            self._above[id(node)], self._removed = self._removed, []
        return isinstance(change, _Replacer)

    def on_leave(  # type: ignore[override]
        self, original_node: cst.CSTNode, updated_node: cst.CSTNode
    ) -> object:
        change: Change | _Replacer = self._changes.get(id(original_node), self)
        if not _is_statement(original_node):
            return updated_node if isinstance(change, _Replacer) else change
        above = self._above.pop(id(original_node), [])
        if change is None:
            return cst.RemoveFromParent()
        if isinstance(change, _Replacer):
            return (
                _with_lines(updated_node, [*above, *_lines(updated_node)])
                if above
                else updated_node
            )
        if isinstance(change, cst.BaseExpression):
            change = cst.SimpleStatementLine([cst.Expr(change)])
        statements = [change] if isinstance(change, cst.CSTNode) else list(change)
        if (
            isinstance(original_node, cst.SimpleStatementLine)
            and original_node.trailing_whitespace.comment is not None
            and isinstance(statements[-1], cst.SimpleStatementLine)
        ):
            end = original_node.trailing_whitespace
            statements[-1] = statements[-1].with_changes(trailing_whitespace=end)
        lines = _without_repeated_blanks([*above, *_comment_lines(original_node, statements)])
        return cst.FlattenSentinel([_with_lines(statements[0], lines), *statements[1:]])


def _without_repeated_blanks(lines: Sequence[cst.EmptyLine]) -> list[cst.EmptyLine]:
    kept: list[cst.EmptyLine] = []
    for line in lines:
        if line.comment is not None or not kept or kept[-1].comment is not None:
            kept.append(line)
    return kept


def _is_statement(node: cst.CSTNode) -> bool:
    return isinstance(node, (cst.SimpleStatementLine, cst.BaseCompoundStatement))


def _lines(node: cst.CSTNode) -> list[cst.EmptyLine]:
    return list(getattr(node, "leading_lines", ()))


def _with_lines(node: cst.CSTNode, lines: list[cst.EmptyLine]) -> cst.CSTNode:
    return node.with_changes(leading_lines=lines)


def _comment_lines(old: cst.CSTNode, kept: Sequence[cst.CSTNode]) -> list[cst.EmptyLine]:
    """Leading lines of a statement, followed by the comments inside that `kept` no longer has."""
    lines = _lines(old)
    first = {id(node) for line in lines for node in _walk(line)}
    still = {
        node.value
        for statement in kept
        for node in _walk(statement)
        if isinstance(node, cst.Comment)
    }
    for node in _walk(old):
        if isinstance(node, cst.Comment) and id(node) not in first and node.value not in still:
            lines.append(cst.EmptyLine(comment=node))
    return lines
