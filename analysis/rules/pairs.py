"""Rewrites of loops over all pairs of one sequence."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from assist.analysis.rules.effects import (
    is_pure,
    mutated,
)
from assist.analysis.rules.inputs import NOT_A_NUMBER, about, calls
from assist.analysis.rules.kinds import (
    may_be,
)
from assist.analysis.rules.loops import (
    is_live_after,
)
from assist.analysis.rules.pattern import (
    UNKNOWN,
    Change,
    build,
    build_statement,
    code,
    literal,
    match,
    parenthesized,
    replace,
    sole,
    strip,
)
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.scopes import (
    Scope,
    element_name,
    subscripts,
)
from assist.analysis.rules.target import Target, descendants, names, stores

WHOLE = ("range(len(__xs))", "range(0, len(__xs))")


def pair_combinations(target: Target) -> Iterator[Rewrite]:
    """Two index loops over one list, the second from the first on: itertools.combinations."""
    combinations = target.local("itertools.combinations")
    for outer in target.nodes:
        if (
            not isinstance(outer, cst.For)
            or not isinstance(outer.target, cst.Name)
            or outer.orelse is not None
        ):
            continue
        found = target.match_any((*WHOLE, "range(len(__xs) - 1)"), outer.iter)
        inner = sole(outer.body)
        if not found or not isinstance(inner, cst.For) or not isinstance(inner.target, cst.Name):
            continue
        i, j, xs = outer.target.value, inner.target.value, found["xs"]
        if not target.match(f"range({i} + 1, len(__xs))", inner.iter) or inner.orelse is not None:
            continue
        if (
            not isinstance(xs, cst.Name)
            or xs.value in stores(inner)
            or xs.value in mutated(target, inner)
        ):
            continue
        scope = Scope(inner, [inner.body])
        first, second = subscripts(target, scope, xs, i), subscripts(target, scope, xs, j)
        if len(target.uses(i, inner.body)) != len(first) or len(target.uses(j, inner.body)) != len(
            second
        ):
            continue
        if any(isinstance(n, (cst.Break, cst.Continue)) for n in descendants(inner.body)):
            continue
        if is_live_after(target, outer, i) or is_live_after(target, outer, j):
            continue
        a = element_name(target, xs)
        b = target.fresh("other", f"other_{a}")
        changes: dict[cst.CSTNode, Change] = {
            **{n: cst.Name(a) for n in first},
            **{n: cst.Name(b) for n in second},
        }
        body = replace(inner.body, changes)
        loop = build_statement(
            "for __a, __b in __c(__xs, 2):\n    __BODY\n",
            a=a,
            b=b,
            c=combinations,
            xs=xs,
            BODY=body,
        )
        yield Rewrite(
            {outer: loop},
            imports=target.needs("itertools.combinations"),
            adversarial=about(target, xs),
        )


def symmetric_pairs(target: Target) -> Iterator[Rewrite]:
    """All ordered pairs of different positions, under a condition that does not see the order."""
    combinations = target.local("itertools.combinations")
    for loop in target.nodes:
        pair = _ordered_pairs(target, loop)
        if pair is None:
            continue
        a, b, xs, body = pair
        condition = _exit_condition(target, body)
        if condition is None or not _is_symmetric(condition, a, b):
            continue
        changed = build_statement(
            "for __a, __b in __c(__xs, 2):\n    __BODY\n",
            a=a,
            b=b,
            c=combinations,
            xs=xs,
            BODY=body,
        )
        assert isinstance(loop, cst.For)
        adversarial = about(target, xs)
        combined = Rewrite(
            {loop: changed}, imports=target.needs("itertools.combinations"), adversarial=adversarial
        )
        close = _closeness(target, condition, a, b)
        if close is None:
            yield combined
            continue
        operator, limit = close
        ordered, x = target.fresh("ordered", "in_order"), target.fresh("x", "value")
        opened = build_statement(
            "__o = sorted([__x for __x in __xs if __x == __x])", o=ordered, x=x, xs=xs
        )
        exit_ = body.body[-1]
        assert isinstance(exit_, cst.If)
        neighbours = build_statement(
            f"for __a, __b in zip(__o, __o[1:]):\n    if __b - __a {operator} __t:\n        __BODY\n",
            a=a, b=b, o=ordered, t=limit, BODY=exit_.body,
        )  # fmt: skip
        more = [
            f"{NOT_A_NUMBER}",
            "[float('inf'), float('inf'), 1.0]",
            "[-1, 1]",
            "[0.1, 0.3, 0.2]",
        ]
        floats = (
            calls(target, {xs.value: more})
            if isinstance(xs, cst.Name) and xs.value in target.parameters
            else ()
        )
        yield Rewrite({loop: [opened, neighbours]}, adversarial=(*adversarial, *floats))
        yield combined


def _ordered_pairs(
    target: Target, loop: cst.CSTNode
) -> tuple[str, str, cst.BaseExpression, cst.IndentedBlock] | None:
    """(a, b, sequence, body) of two enumerations of one sequence and ``if i != j``."""
    if not isinstance(loop, cst.For):
        return None
    found = target.match_any(
        (
            "for __i, __a in enumerate(__xs):\n    for __j, __b in enumerate(__xs):\n"
            "        if __i != __j:\n            __BODY\n",
            "for __i, __a in enumerate(__xs):\n    for __j, __b in enumerate(__xs):\n"
            "        if __j != __i:\n            __BODY\n",
        ),
        loop,
    )
    if not found or not all(isinstance(found[n], cst.Name) for n in "ijab"):
        return None
    body, xs = found["BODY"], found["xs"]
    i, j, a, b = (str(getattr(found[n], "value", "")) for n in "ijab")
    if not isinstance(body, cst.IndentedBlock) or not isinstance(xs, cst.BaseExpression):
        return None
    if {i, j} & names(body) or not is_pure(target, xs) or not may_be(target, xs, "list", "tuple"):
        return None
    return a, b, xs, body


def _exit_condition(target: Target, body: cst.IndentedBlock) -> cst.BaseExpression | None:
    """The condition under which a body leaves with a constant, its temporaries put in."""
    if not 1 <= len(body.body) <= 2:
        return None
    last = body.body[-1]
    found = target.match("if __t:\n    return __c\n", last)
    if not found or literal(found["c"]) is UNKNOWN:
        return None
    condition = found["t"]
    assert isinstance(condition, cst.BaseExpression)
    if len(body.body) == 1:
        return condition if is_pure(target, condition) else None
    temporary = target.match("__x = __v", body.body[0])
    if (
        not temporary
        or not isinstance(temporary["x"], cst.Name)
        or not is_pure(target, temporary["v"])
    ):
        return None
    value = temporary["v"]
    assert isinstance(value, cst.BaseExpression)
    changes: dict[cst.CSTNode, Change] = {
        node: parenthesized(value)
        for node in descendants(condition)
        if isinstance(node, cst.Name) and node.value == temporary["x"].value
    }
    return replace(condition, changes) if changes else None


def _is_symmetric(condition: cst.BaseExpression, a: str, b: str) -> bool:
    """Whether exchanging `a` and `b` gives the same condition, by the laws that hold for numbers."""
    swapped: dict[cst.CSTNode, Change] = {}
    for node in descendants(condition):
        if isinstance(node, cst.Name) and node.value in (a, b):
            swapped[node] = cst.Name(b if node.value == a else a)
    return bool(swapped) and _canonical(condition) == _canonical(replace(condition, swapped))


def _canonical(node: cst.CSTNode) -> str:
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, (cst.Add, cst.Multiply)):
        sides = sorted([_canonical(node.left), _canonical(node.right)])
        return f"({type(node.operator).__name__} {' '.join(sides)})"
    found = match("abs(__x - __y)", node)
    if found:
        return f"(distance {' '.join(sorted([_canonical(found['x']), _canonical(found['y'])]))})"
    if isinstance(node, cst.Comparison) and len(node.comparisons) == 1:
        operator = type(node.comparisons[0].operator)
        sides = [_canonical(node.left), _canonical(node.comparisons[0].comparator)]
        if operator in (cst.Equal, cst.NotEqual):
            sides.sort()
        return f"({operator.__name__} {' '.join(sides)})"
    if isinstance(node, (cst.Name, cst.BaseNumber, cst.SimpleString)):
        return code(strip(node))
    return f"({type(node).__name__} {' '.join(_canonical(child) for child in node.children if isinstance(child, cst.BaseExpression))} {code(node)})"


def _closeness(
    target: Target, condition: cst.BaseExpression, a: str, b: str
) -> tuple[str, cst.BaseExpression] | None:
    """(operator, limit) of ``abs(a - b) < limit``."""
    for operator in ("<", "<="):
        found = target.match(f"abs(__x - __y) {operator} __t", condition)
        if (
            found
            and {code(found["x"]), code(found["y"])} == {a, b}
            and not {a, b} & names(found["t"])
        ):
            limit = found["t"]
            assert isinstance(limit, cst.BaseExpression)
            return operator, limit
    return None


def pair_sum(target: Target) -> Iterator[Rewrite]:
    """A pair with a given sum: remember which partner each element wants."""
    for outer in target.nodes:
        if (
            not isinstance(outer, cst.For)
            or not isinstance(outer.target, cst.Name)
            or outer.orelse is not None
        ):
            continue
        found = target.match_any(("range(__s, len(__xs))", *WHOLE), outer.iter)
        inner = sole(outer.body)
        if not found or not isinstance(inner, cst.For) or not isinstance(inner.target, cst.Name):
            continue
        j, k, xs = outer.target.value, inner.target.value, found["xs"]
        if not target.match(f"range({j} + 1, len(__xs))", inner.iter) or not isinstance(
            xs, cst.Name
        ):
            continue
        test = target.match("if __l == __r:\n    return __c\n", sole(inner.body))
        if not test or literal(test["c"]) is UNKNOWN:
            continue
        x = xs.value
        sums = target.match_any((f"__e + {x}[{j}] + {x}[{k}]", f"{x}[{j}] + {x}[{k}]"), test["l"])
        if not sums or {j, k} & names(test["r"]) or ("e" in sums and {j, k} & names(sums["e"])):
            continue
        wanted, item = target.fresh("wanted", "partners"), element_name(target, xs)
        total: cst.BaseExpression = cst.Name(item)
        if "e" in sums:
            total = build("__e + __x", e=sums["e"], x=item)
        partner = (
            build("-__t", t=parenthesized(total))
            if literal(test["r"]) == 0
            else build("__r - __t", r=test["r"], t=parenthesized(total))
        )
        source = build("__xs[__s:]", xs=xs, s=found["s"]) if "s" in found else xs
        loop = build_statement(
            "for __x in __xs:\n    if __x in __w:\n        return __c\n    __w.add(__p)\n",
            x=item, xs=source, w=wanted, c=test["c"], p=partner,
        )  # fmt: skip
        opened = build_statement("__w = set()", w=wanted)
        yield Rewrite({outer: [opened, loop]}, adversarial=about(target, xs))


RULES = (
    Rule(
        "pair-combinations",
        "Take the pairs from itertools.combinations",
        "combinations makes the pairs in C, without index arithmetic.",
        pair_combinations,
    ),
    Rule(
        "symmetric-pairs",
        "Look at each pair once, or only at neighbours in order",
        "The condition does not see the order of a pair; the closest two stand side by side when sorted.",
        symmetric_pairs,
    ),
    Rule(
        "pair-sum",
        "Remember the wanted partner",
        "Each element can only be met by one other value, and a set finds it at once.",
        pair_sum,
    ),
)
