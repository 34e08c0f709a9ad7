"""Rewrites of functions that call themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from assist.analysis.rules.effects import (
    is_pure,
    is_pure_function,
)
from assist.analysis.rules.inputs import about, calls
from assist.analysis.rules.kinds import (
    may_be,
)
from assist.analysis.rules.loops import (
    negated,
)
from assist.analysis.rules.pattern import (
    UNKNOWN,
    Captures,
    Change,
    build_statement,
    code,
    literal,
    replace,
    sole,
    strip,
)
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.scopes import (
    is_named,
)
from assist.analysis.rules.target import Target, descendants

WINDOW_MAX = 8


def linear_recurrence(target: Target) -> Iterator[Rewrite]:
    """``f(n) = g(f(n - 1), f(n - 2), …)``: count up from the base cases."""
    function = target.function
    parameters = list(target.parameters)
    if (
        len(parameters) != 1
        or "." in target.qualname
        or not isinstance(function.body, cst.IndentedBlock)
    ):
        return
    name, parameter = function.name.value, parameters[0]
    body = list(function.body.body)
    docstring = body[:1] if _is_docstring(body[0]) else []
    bases = _base_cases(target, body[len(docstring) : -1], parameter)
    last = target.match("return __v", body[-1])
    if last is None and isinstance(body[-1], cst.If):
        bases, last = _with_last_branch(target, body[len(docstring) :], parameter)
    if not bases or last is None or sorted(bases) != list(range(len(bases))):
        return
    value = last["v"]
    calls_found = [
        (node, found)
        for node in descendants(value)
        if (found := target.match(f"{name}({parameter} - __k)", node))
    ]
    offsets = [literal(found["k"]) for _, found in calls_found]
    if len(calls_found) < 2 or not all(
        isinstance(k, int) and 1 <= k <= len(bases) for k in offsets
    ):
        return
    if sum(isinstance(n, cst.Name) and n.value == name for n in descendants(value)) != len(
        calls_found
    ):
        return
    window = max(k for k in offsets if isinstance(k, int))
    if window > WINDOW_MAX or not is_pure(
        target, replace(value, {n: cst.Integer("0") for n, _ in calls_found})
    ):
        return
    cells = [target.fresh(f"term_{number}") for number in range(window)]
    index = target.fresh("i", "step")
    changes: dict[cst.CSTNode, Change] = {
        node: cst.Name(cells[window - k])
        for (node, _), k in zip(calls_found, offsets, strict=True)
        if isinstance(k, int)
    }
    for node in descendants(value):
        inside_call = any(node in descendants(call) for call, _ in calls_found)
        if isinstance(node, cst.Name) and node.value == parameter and not inside_call:
            changes[node] = cst.Name(index)
    step = replace(value, changes)
    assert isinstance(step, cst.BaseExpression)
    first = ", ".join(cells)
    starts = ", ".join(code(bases[number]) for number in range(len(bases) - window, len(bases)))
    moved = ", ".join(cells[1:])
    used = (
        index
        if any(isinstance(c, cst.Name) and c.value == index for c in changes.values())
        else "_"
    )
    guard = build_statement(
        f"if type({parameter}) is int and {parameter} >= {len(bases)}:\n"
        f"    {first} = {starts}\n"
        f"    for {used} in range({len(bases)}, {parameter} + 1):\n"
        f"        {first} = {moved}, __v\n"
        f"    return {cells[-1]}\n",
        v=strip(step),
    )
    rest = body[len(docstring) :]
    opened = function.body.with_changes(body=[*docstring, guard, *rest])
    adversarial = calls(target, {parameter: ["0", "1", "2", "-1", "20", "True", "3.0"]})
    yield Rewrite({function.body: opened}, adversarial=adversarial)


def _is_docstring(statement: cst.CSTNode) -> bool:
    return (
        isinstance(statement, cst.SimpleStatementLine)
        and isinstance(statement.body[0], cst.Expr)
        and isinstance(statement.body[0].value, (cst.SimpleString, cst.ConcatenatedString))
    )


def _base_cases(
    target: Target, statements: Sequence[cst.CSTNode], parameter: str
) -> dict[int, cst.BaseExpression]:
    """{n: value} of ``if n == 0: return …`` and ``if n < 2: return n``."""
    bases: dict[int, cst.BaseExpression] = {}
    for statement in statements:
        current: cst.CSTNode | None = statement
        while isinstance(current, cst.If):
            value = target.match("return __v", sole(current.body))
            numbers = _numbers(target, current.test, parameter)
            if not value or numbers is None:
                return {}
            for number in numbers:
                result = value["v"]
                if is_named(result, parameter):
                    result = cst.Integer(str(number))
                if literal(result) is UNKNOWN or not isinstance(result, cst.BaseExpression):
                    return {}
                bases.setdefault(number, result)
            current = current.orelse
        if current is not None:
            return {}
    return bases


def _with_last_branch(
    target: Target, statements: Sequence[cst.CSTNode], parameter: str
) -> tuple[dict[int, cst.BaseExpression], Captures | None]:
    """Base cases and result where the last branch of an if statement holds the recursion."""
    if len(statements) != 1 or not isinstance(statements[0], cst.If):
        return {}, None
    chain: list[cst.If] = [statements[0]]
    while isinstance(chain[-1].orelse, cst.If):
        chain.append(chain[-1].orelse)
    last = chain[-1].orelse
    if not isinstance(last, cst.Else):
        return {}, None
    bases: dict[int, cst.BaseExpression] = {}
    for branch in chain:
        for number, value in _base_cases(
            target, [branch.with_changes(orelse=None)], parameter
        ).items():
            bases.setdefault(number, value)
    return bases, target.match("return __v", sole(last.body))


def _numbers(target: Target, test: cst.BaseExpression, parameter: str) -> list[int] | None:
    """Which small numbers a condition on the parameter accepts."""
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.Or):
        left, right = (
            _numbers(target, test.left, parameter),
            _numbers(target, test.right, parameter),
        )
        return None if left is None or right is None else left + right
    for example, offset in (("__n == __k", None), ("__n < __k", 0), ("__n <= __k", 1)):
        found = target.match(example, test)
        limit = literal(found["k"]) if found and is_named(found["n"], parameter) else None
        if isinstance(limit, int) and not isinstance(limit, bool) and 0 <= limit <= WINDOW_MAX:
            return [limit] if offset is None else list(range(limit + offset))
    found = target.match("__n in __ks", test)
    values = literal(found["ks"]) if found and is_named(found["n"], parameter) else None
    if isinstance(values, (tuple, list, set)) and all(isinstance(v, int) for v in values):
        return list(values)
    return None


def remembered_recursion(target: Target) -> Iterator[Rewrite]:
    """A function that calls itself more than once with pure arguments: remember within one call."""
    function = target.function
    name = function.name.value
    if (
        "." in target.qualname
        or not isinstance(function.body, cst.IndentedBlock)
        or not target.parameters
    ):
        return
    own = [n for n in target.nodes if isinstance(n, cst.Call) and is_named(n.func, name)]
    if len(own) < 2 or not is_pure_function(target, name) or function.decorators:
        return
    if any(param.default is not None for param in target.parameters.values()):
        return
    if (
        function.params.kwonly_params
        or isinstance(function.params.star_arg, cst.Param)
        or function.params.star_kwarg
    ):
        return
    if not all(
        may_be(target, cst.Name(p), "int", "str", "tuple", "bool", "float")
        for p in target.parameters
    ):
        return
    inner = target.fresh("solve", f"{name}_once")
    cache = target.local("functools.cache")
    body = list(function.body.body)
    docstring = body[:1] if _is_docstring(body[0]) else []
    renamed = replace(
        function.body.with_changes(body=body[len(docstring) :]),
        {call.func: cst.Name(inner) for call in own},
    )
    arguments = ", ".join(target.parameters)
    nested = build_statement(f"@{cache}\ndef {inner}({arguments}):\n    __BODY\n", BODY=renamed)
    result = build_statement(f"return {inner}({arguments})")
    whole = function.body.with_changes(body=[*docstring, nested, result])
    yield Rewrite(
        {function.body: whole},
        imports=target.needs("functools.cache"),
        adversarial=about(target, *(cst.Name(p) for p in target.parameters)),
    )


def tail_call(target: Target) -> Iterator[Rewrite]:
    """A call of itself as the last thing a function does: a loop."""
    for function in target.nodes:
        if not isinstance(function, cst.FunctionDef) or not isinstance(
            function.body, cst.IndentedBlock
        ):
            continue
        params = function.params
        if (
            params.kwonly_params
            or isinstance(params.star_arg, cst.Param)
            or params.star_kwarg
            or function.decorators
        ):
            continue
        if function is target.function and "." in target.qualname:
            continue
        parameters = [param.name.value for param in params.params]
        body = list(function.body.body)
        docstring = body[:1] if _is_docstring(body[0]) else []
        loop_body = _looped(target, body[len(docstring) :], function.name.value, parameters)
        if loop_body is None or not parameters:
            continue
        if any(
            isinstance(n, (cst.For, cst.While, cst.FunctionDef, cst.Lambda, cst.With, cst.Try))
            for s in body
            for n in descendants(s)
        ):
            continue
        if function.name.value in {
            n.value for s in loop_body for n in descendants(s) if isinstance(n, cst.Name)
        }:
            continue
        block = function.body.with_changes(body=loop_body)
        loop = build_statement("while True:\n    __BODY\n", BODY=block)
        whole = function.body.with_changes(body=[*docstring, loop])
        yield Rewrite(
            {function.body: whole}, adversarial=about(target, *(cst.Name(p) for p in parameters))
        )


def _looped(
    target: Target, statements: Sequence[cst.BaseStatement], name: str, parameters: list[str]
) -> list[cst.BaseStatement] | None:
    """The statements with ``return f(…)`` turned into assignments; none where nothing changed."""
    result: list[cst.BaseStatement] = []
    changed = False
    for statement in statements:
        if isinstance(statement, cst.If):
            replaced_if, did = _looped_if(target, statement, name, parameters)
            result.append(replaced_if)
            changed |= did
            continue
        returned = target.match("return __v", statement)
        value = returned["v"] if returned else None
        if isinstance(value, cst.IfExp):
            then, other = value.body, value.orelse
            test = strip(value.test)
            if _is_own_call(then, name):
                then, other, test = other, then, negated(value.test)
            step = _step(other, name, parameters)
            if step is not None and not _is_own_call(then, name):
                result.append(build_statement("if __t:\n    return __v\n", t=test, v=strip(then)))
                result.append(step)
                changed = True
                continue
        step = _step(value, name, parameters) if value is not None else None
        if step is None:
            result.append(statement)
            continue
        result.append(step)
        changed = True
    last = result[-1] if result else None
    ends = isinstance(last, cst.SimpleStatementLine)
    return result if changed and ends else None


def _looped_if(
    target: Target, statement: cst.If, name: str, parameters: list[str]
) -> tuple[cst.If, bool]:
    """An if statement whose branches may end in a call of the function itself."""
    if not isinstance(statement.body, cst.IndentedBlock) or not statement.body.body:
        return statement, False
    returned = target.match("return __v", statement.body.body[-1])
    step = _step(returned["v"], name, parameters) if returned else None
    if step is None:
        return statement, False
    body = [*statement.body.body[:-1], step, build_statement("continue")]
    return statement.with_changes(body=statement.body.with_changes(body=body)), True


def _is_own_call(node: cst.CSTNode | None, name: str) -> bool:
    return isinstance(node, cst.Call) and is_named(node.func, name)


def _step(value: cst.CSTNode | None, name: str, parameters: list[str]) -> cst.BaseStatement | None:
    """``a, b = x, y`` of ``f(x, y)``."""
    if (
        not isinstance(value, cst.Call)
        or not _is_own_call(value, name)
        or len(value.args) != len(parameters)
    ):
        return None
    if any(argument.keyword or argument.star for argument in value.args):
        return None
    pairs = [
        (parameter, argument.value)
        for parameter, argument in zip(parameters, value.args, strict=True)
        if not is_named(argument.value, parameter)
    ]
    if not pairs:
        return None
    left = ", ".join(parameter for parameter, _ in pairs)
    right = ", ".join(code(argument) for _, argument in pairs)
    return build_statement(f"{left} = {right}")


RULES = (
    Rule(
        "linear-recurrence",
        "Count up from the base cases",
        "Each value is computed once instead of once for every way to reach it: exponential becomes linear.",
        linear_recurrence,
    ),
    Rule(
        "remembered-recursion",
        "Remember results within one call",
        "The recursion meets the same arguments again and again.",
        remembered_recursion,
    ),
    Rule(
        "tail-call",
        "Loop instead of calling itself",
        "A call that is the last thing a function does needs no new frame.",
        tail_call,
    ),
)
