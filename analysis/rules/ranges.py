"""Rewrites of work over ranges of numbers."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from assist.analysis.rules.inputs import (
    about,
)
from assist.analysis.rules.loops import (
    is_live_after,
)
from assist.analysis.rules.pattern import (
    UNKNOWN,
    build,
    build_statement,
    fitted,
    literal,
    parenthesized,
    replace,
    same,
    sole,
)
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.scopes import (
    is_named,
    scopes,
)
from assist.analysis.rules.target import Target


def trial_division(target: Target) -> Iterator[Rewrite]:
    """A search for a divisor can stop at the square root."""
    isqrt = target.local("math.isqrt")
    imports = target.needs("math.isqrt")
    for node in target.nodes:
        if not isinstance(node, (cst.For, cst.CompFor)) or not isinstance(node.target, cst.Name):
            continue
        found = target.match_any(
            ("range(__a, __n)", "range(__a, __n // 2)", "range(__a, __n // 2 + 1)", "range(__a, int(__n / 2))",
             "range(__a, __n - 1)", "range(__a, int(__n / 2) + 1)"), node.iter,
        )  # fmt: skip
        if not found or not isinstance(found["n"], cst.Name) or literal(found["a"]) not in (2, 3):
            continue
        number, divisor = found["n"], node.target
        if not _finds_divisor(target, node, number, divisor):
            continue
        bound = build(
            "range(__a, min(__stop, __isqrt(max(__n, 0)) + 1))",
            a=found["a"], isqrt=isqrt, n=number, stop=_stop(node.iter),
        )  # fmt: skip
        yield Rewrite(
            {node: node.with_changes(iter=bound)},
            imports=imports,
            adversarial=about(target, number),
        )


def _stop(call: cst.BaseExpression) -> cst.BaseExpression:
    assert isinstance(call, cst.Call)
    return call.args[1].value


def _finds_divisor(
    target: Target, loop: cst.For | cst.CompFor, number: cst.CSTNode, divisor: cst.CSTNode
) -> bool:
    """Whether the loop ends with a constant at the first divisor."""
    if isinstance(loop, cst.CompFor):
        owner = target.parent(loop)
        above = target.parent(target.parent(owner)) if owner is not None else None  # type: ignore[arg-type]
        elt = getattr(owner, "elt", None)
        found = target.match_any(("__n % __d == 0", "__n % __d != 0", "__n % __d"), elt)
        used = target.match_any(("any(__g)", "all(__g)"), above)
        return (
            bool(found and used and same(found["n"], number) and same(found["d"], divisor))
            and not loop.ifs
        )
    found = target.match_any(
        ("if __n % __d == 0:\n    return __c\n", "if not __n % __d:\n    return __c\n",
         "if __n % __d == 0:\n    __x = __c\n    break\n"),
        sole(loop.body),
    )  # fmt: skip
    return bool(
        found
        and same(found["n"], number)
        and same(found["d"], divisor)
        and literal(found["c"]) is not UNKNOWN
        and not is_live_after(target, loop, str(getattr(divisor, "value", "")))
    )


def range_sum(target: Target) -> Iterator[Rewrite]:
    """The sum of an arithmetic progression, in closed form."""
    for node in target.nodes:
        found = target.match_any(
            ("sum(range(__a, __b))", "sum(range(__b))", "sum(range(__a, __b, __k))"), node
        )
        if not found or not isinstance(node, cst.Call):
            continue
        statement = target.statement_of(node)
        if not isinstance(statement, cst.SimpleStatementLine):
            continue
        numbers = target.fresh("numbers", "span")
        assignment = build_statement("__r = __x", r=numbers, x=node.args[0].value)
        closed = build("(__r[0] + __r[-1]) * len(__r) // 2 if __r else 0", r=numbers)
        first = assignment
        changed = replace(statement, {node: fitted(closed, target.parent(node))})
        yield Rewrite(
            {statement: [first, changed]}, adversarial=about(target, found.get("a"), found.get("b"))
        )


def stepped_range(target: Target) -> Iterator[Rewrite]:
    """``for i in range(a, b) if i % k == 0`` takes every k-th number."""
    for scope in scopes(target):
        loop = scope.loop
        found = target.match_any(("range(__a, __b)", "range(__b)"), loop.iter)
        if not found or not isinstance(loop.target, cst.Name):
            continue
        variable = loop.target.value
        if isinstance(loop, cst.CompFor):
            test = loop.ifs[0].test if loop.ifs else None
        else:
            only = sole(loop.body)
            test = only.test if isinstance(only, cst.If) and only.orelse is None else None
        steps = _steps(target, test, variable) if test is not None else None
        if steps is None:
            continue
        start = found.get("a")
        stop = found["b"]
        assert isinstance(stop, cst.BaseExpression)
        pieces = [_stepped(step, remainder, start, stop) for step, remainder in steps]
        if len(pieces) == 1:
            source = pieces[0]
        else:
            union = build("set(__x)", x=pieces[0])
            for piece in pieces[1:]:
                union = build("__u.union(__x)", u=union, x=piece)
            source = build("sorted(__u)", u=union)
        adversarial = about(target, start, stop)
        if isinstance(loop, cst.CompFor):
            clause = loop.with_changes(iter=source, ifs=loop.ifs[1:])
            yield Rewrite({loop: clause}, adversarial=adversarial)
        elif not is_live_after(target, loop, variable):
            assert isinstance(only, cst.If)
            yield Rewrite(
                {loop: loop.with_changes(iter=source, body=only.body)}, adversarial=adversarial
            )


def _steps(target: Target, test: cst.BaseExpression, name: str) -> list[tuple[int, int]] | None:
    """[(step, remainder)] of ``i % k == r or i % l == s``."""
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.Or):
        left, right = _steps(target, test.left, name), _steps(target, test.right, name)
        return None if left is None or right is None else left + right
    found = target.match_any(("__i % __k == __r", "not __i % __k"), test)
    if not found or not is_named(found["i"], name):
        return None
    step, remainder = literal(found["k"]), literal(found["r"]) if "r" in found else 0
    if (
        not isinstance(step, int)
        or not isinstance(remainder, int)
        or not 0 <= remainder < step
        or step < 2
    ):
        return None
    return [(step, remainder)]


def _stepped(
    step: int, remainder: int, start: cst.CSTNode | None, stop: cst.BaseExpression
) -> cst.BaseExpression:
    if start is None:
        return build(f"range({remainder}, __b, {step})", b=stop)
    first = literal(start)
    if isinstance(first, int):
        return build(f"range({first + (remainder - first) % step}, __b, {step})", b=stop)
    offset = f"-__a % {step}" if remainder == 0 else f"({remainder} - __a) % {step}"
    return build(f"range(__a + {offset}, __b, {step})", a=parenthesized_node(start), b=stop)


def parenthesized_node(node: cst.CSTNode) -> cst.BaseExpression:
    assert isinstance(node, cst.BaseExpression)
    return parenthesized(node)


RULES = (
    Rule(
        "trial-division",
        "Try divisors up to the square root",
        "A number that has a divisor has one that is not above its square root.",
        trial_division,
    ),
    Rule(
        "range-sum",
        "Sum the range in closed form",
        "The sum of an arithmetic progression needs its ends and its length.",
        range_sum,
    ),
    Rule(
        "stepped-range",
        "Let the range step",
        "The condition throws most numbers away; a range with a step makes only those that count.",
        stepped_range,
    ),
)
