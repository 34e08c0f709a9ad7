"""Rewrites that put a small function's expression in place of its call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from assist.analysis.rules.effects import (
    helper,
)
from assist.analysis.rules.pattern import (
    Change,
    build,
    fitted,
    parenthesized,
    replace,
    strip,
)
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.target import Target, descendants, names


def inline_helper(target: Target) -> Iterator[Rewrite]:
    """A call of a small function costs more than its expression."""
    changes: dict[cst.CSTNode, Change] = {}
    inlined: dict[str, int] = {}
    for node in target.nodes:
        if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Name):
            continue
        if node.func.value == target.function.name.value:
            continue
        function = helper(target, node.func.value)
        if function is None or function is target.function:
            continue
        if any(function is above for above in target.ancestors(node)):
            continue
        value = _inlined_call(target, function, node)
        if value is None or any(below in changes for below in descendants(node)):
            continue
        changes[node] = fitted(value, target.parent(node))
        inlined[node.func.value] = inlined.get(node.func.value, 0) + 1
    if not changes:
        return
    for name, count in inlined.items():
        function = helper(target, name)
        nested = function is not None and any(
            function is s for block in target.blocks for s in block
        )
        if function is not None and nested and len(target.uses(name)) == count + 1:
            changes[function] = None
    yield Rewrite(changes)


def _inlined_call(
    target: Target, function: cst.FunctionDef, call: cst.Call
) -> cst.BaseExpression | None:
    body = _expression_body(function.body)
    params = function.params
    if (
        body is None
        or params.kwonly_params
        or isinstance(params.star_arg, cst.Param)
        or params.star_kwarg
    ):
        return None
    parameters = [param.name.value for param in params.params]
    if len(call.args) != len(parameters) or any(a.keyword or a.star for a in call.args):
        return None
    if any(
        isinstance(
            n,
            (cst.Lambda, cst.ListComp, cst.GeneratorExp, cst.SetComp, cst.DictComp, cst.NamedExpr),
        )
        for n in descendants(body)
    ):
        return None
    free = names(body) - frozenset(parameters)
    if function.name.value in free:
        return None
    nested = any(function is s for block in target.blocks for s in block)
    if not nested and free & target.local_names:
        return None
    changes: dict[cst.CSTNode, Change] = {}
    for name, argument in zip(parameters, call.args, strict=True):
        uses = [
            n
            for n in descendants(body)
            if isinstance(n, cst.Name) and n.value == name and _is_value(body, n)
        ]
        simple = isinstance(argument.value, (cst.Name, cst.Integer, cst.SimpleString))
        if not simple and len(uses) != 1:
            return None
        for use in uses:
            changes[use] = parenthesized(argument.value)
    return replace(body, changes) if changes else body


def _is_value(root: cst.CSTNode, name: cst.Name) -> bool:
    """Whether a name is a variable and not an attribute or a keyword."""
    for node in descendants(root):
        if isinstance(node, cst.Attribute) and node.attr is name:
            return False
        if isinstance(node, cst.Arg) and node.keyword is name:
            return False
    return True


def _expression_body(body: cst.BaseSuite) -> cst.BaseExpression | None:
    """What a function of returns and conditions gives, as one expression."""
    statements = list(body.body)
    if statements and isinstance(statements[0], cst.SimpleStatementLine) and len(statements) > 1:
        first = statements[0].body[0]
        if isinstance(first, cst.Expr) and isinstance(
            first.value, (cst.SimpleString, cst.ConcatenatedString)
        ):
            statements = statements[1:]
    return _returned(statements)


def _returned(statements: Sequence[cst.CSTNode]) -> cst.BaseExpression | None:
    if not statements:
        return None
    first = statements[0]
    if isinstance(first, cst.SimpleStatementLine) and len(first.body) == 1 and len(statements) == 1:
        only = first.body[0]
        return (
            strip(only.value) if isinstance(only, cst.Return) and only.value is not None else None
        )
    if not isinstance(first, cst.If) or not isinstance(first.body, cst.IndentedBlock):
        return None
    then = _returned(first.body.body)
    if first.orelse is None:
        other = _returned(statements[1:])
    elif isinstance(first.orelse, cst.If):
        other = _returned([first.orelse, *statements[1:]])
    elif len(statements) > 1:
        return None
    else:
        other = _returned(first.orelse.body.body)
    if then is None or other is None:
        return None
    value = build("__t if __c else __o", t=then, c=strip(first.test), o=other)
    if isinstance(other, cst.IfExp) and isinstance(value, cst.IfExp):
        return value.with_changes(orelse=strip(value.orelse))
    return value


RULES = (
    Rule(
        "inline-helper",
        "Write the small function in place",
        "Calling a function costs more than its one expression.",
        inline_helper,
    ),
)
