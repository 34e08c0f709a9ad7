"""Rewrites of loops over indices into loops over elements, slices and items."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from assist.analysis.rules.effects import is_invariant, is_pure
from assist.analysis.rules.inputs import about
from assist.analysis.rules.kinds import may_be
from assist.analysis.rules.loops import is_live_after, start_of
from assist.analysis.rules.pattern import (
    Change,
    build,
    literal,
)
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.scopes import (
    element_name,
    is_named,
    is_steady,
    replaced,
    scopes,
    subscripts,
)
from assist.analysis.rules.target import Target, descendants, names, stores, target_names

SEQUENCES = ("list", "str", "tuple", "bytes")
WHOLE_RANGE = ("range(len(__x))", "range(0, len(__x))", "range(0, len(__x), 1)")


def range_len(target: Target) -> Iterator[Rewrite]:
    """``for i in range(len(xs))`` that reads ``xs[i]``."""
    for scope in scopes(target):
        loop = scope.loop
        found = target.match_any(WHOLE_RANGE, loop.iter)
        if not found or not isinstance(loop.target, cst.Name) or not is_pure(target, found["x"]):
            continue
        sequence, index = found["x"], loop.target.value
        reads = subscripts(target, scope, sequence, index)
        if not reads or not is_steady(target, scope, sequence, index):
            continue
        if not may_be(target, sequence, *SEQUENCES, "range"):
            continue
        item = element_name(target, sequence)
        changes: dict[cst.CSTNode, Change] = {read: cst.Name(item) for read in reads}
        if len(scope.uses(target, index)) == len(reads):
            heads = {"target": cst.Name(item), "iter": sequence}
        else:
            heads = {
                "target": build("__i, __item", i=index, item=item),
                "iter": build("enumerate(__x)", x=sequence),
            }
        yield Rewrite(replaced(scope, changes, **heads), adversarial=about(target, sequence))


def range_slice(target: Target) -> Iterator[Rewrite]:
    """``for i in range(a, len(xs), k)`` that reads nothing but ``xs[i]``."""
    for scope in scopes(target):
        loop = scope.loop
        found = target.match_any(("range(__a, len(__x), __k)", "range(__a, len(__x))"), loop.iter)
        if not found or not isinstance(loop.target, cst.Name):
            continue
        sequence, index = found["x"], loop.target.value
        start, step = literal(found["a"]), literal(found["k"]) if "k" in found else 1
        if not isinstance(step, int) or not isinstance(start, int) or step < 1 or start < 0:
            continue
        if start == 0 and step == 1:
            continue
        reads = subscripts(target, scope, sequence, index)
        if (
            not reads
            or not is_steady(target, scope, sequence, index)
            or not is_pure(target, sequence)
        ):
            continue
        item = element_name(target, sequence)
        changes: dict[cst.CSTNode, Change] = {read: cst.Name(item) for read in reads}
        sliced = _sliced(sequence, start, step)
        if len(scope.uses(target, index)) == len(reads):
            heads = {"target": cst.Name(item), "iter": sliced}
        elif step == 1:
            heads = {
                "target": build("__i, __item", i=index, item=item),
                "iter": build("enumerate(__x, __a)", x=sliced, a=found["a"]),
            }
        else:
            continue
        yield Rewrite(replaced(scope, changes, **heads), adversarial=about(target, sequence))


def _sliced(sequence: cst.CSTNode, start: int, step: int) -> cst.BaseExpression:
    text = f"__x[{start or ''}:{f':{step}' if step != 1 else ''}]"
    return build(text, x=sequence)


def enumerate_modulus(target: Target) -> Iterator[Rewrite]:
    """``for i, x in enumerate(xs) if i % k == r`` takes every k-th element."""
    for scope in scopes(target):
        loop = scope.loop
        found = target.match("enumerate(__x)", loop.iter)
        if not found or not isinstance(loop.target, cst.Tuple) or len(loop.target.elements) != 2:
            continue
        index, item = (element.value for element in loop.target.elements)
        if not isinstance(index, cst.Name) or not may_be(
            target, found["x"], "list", "tuple", "str"
        ):
            continue
        if isinstance(loop, cst.CompFor):
            tests = [test.test for test in loop.ifs[:1]]
        else:
            only = loop.body.body[0] if len(loop.body.body) == 1 else None
            if not isinstance(only, cst.If) or only.orelse is not None:
                continue
            tests = [only.test]
        if not tests or len(scope.uses(target, index.value)) != 1:
            continue
        step, rest = _modulus(target, tests[0], index.value)
        if step is None:
            continue
        heads = {"target": item, "iter": _sliced(found["x"], step[1], step[0])}
        adversarial = about(target, found["x"])
        if isinstance(loop, cst.CompFor):
            ifs = [*([cst.CompIf(rest)] if rest is not None else []), *loop.ifs[1:]]
            yield Rewrite({loop: loop.with_changes(ifs=ifs, **heads)}, adversarial=adversarial)
        elif not any(is_live_after(target, loop, name) for name in target_names(loop.target)):
            assert isinstance(only, cst.If)
            body = (
                only.body
                if rest is None
                else loop.body.with_changes(body=[only.with_changes(test=rest)])
            )
            yield Rewrite({loop: loop.with_changes(body=body, **heads)}, adversarial=adversarial)


def _modulus(
    target: Target, test: cst.BaseExpression, index: str
) -> tuple[tuple[int, int] | None, cst.BaseExpression | None]:
    """((step, remainder), what is left of the condition) of ``i % k == r and …``."""
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.And):
        step, rest = _modulus(target, test.left, index)
        if step is None:
            return None, None
        return step, test.right if rest is None else build("__a and __b", a=rest, b=test.right)
    found = target.match("__i % __k == __r", test)
    if not found or not is_named(found["i"], index):
        return None, None
    step_value, remainder = literal(found["k"]), literal(found["r"])
    if (
        not isinstance(step_value, int)
        or not isinstance(remainder, int)
        or not 0 <= remainder < step_value
    ):
        return None, None
    return (step_value, remainder), None


def unused_index(target: Target) -> Iterator[Rewrite]:
    for scope in scopes(target):
        loop = scope.loop
        found = target.match_any(("enumerate(__x)", "enumerate(__x, __s)"), loop.iter)
        if not found or not isinstance(loop.target, cst.Tuple) or len(loop.target.elements) != 2:
            continue
        index, item = (element.value for element in loop.target.elements)
        if not isinstance(index, cst.Name) or scope.uses(target, index.value):
            continue
        if isinstance(loop, cst.For) and is_live_after(target, loop, index.value):
            continue
        yield Rewrite(
            {loop: loop.with_changes(target=item, iter=found["x"])},
            adversarial=about(target, found["x"]),
        )


def hand_counter(target: Target) -> Iterator[Rewrite]:
    """A counter kept beside the loop: ``enumerate``."""
    for loop in target.nodes:
        if not isinstance(loop, cst.For) or not isinstance(loop.body, cst.IndentedBlock):
            continue
        if loop.orelse is not None or loop.asynchronous is not None:
            continue
        if len(loop.body.body) < 2 or any(
            isinstance(n, cst.Continue) for n in descendants(loop.body)
        ):
            continue
        last = loop.body.body[-1]
        found = target.match_any(("__i += 1", "__i = __i + 1"), last)
        if (
            not found
            or not isinstance(found["i"], cst.Name)
            or not isinstance(loop.target, cst.Name)
        ):
            continue
        index = found["i"].value
        start = start_of(target, loop, index)
        if start is None or not isinstance(literal(start.value), int):
            continue
        if index in names(loop.iter):
            continue
        if stores(loop.body).count(index) != 1 or is_live_after(target, loop, index):
            continue
        source = loop.iter
        counted = build("enumerate(__x)", x=source)
        if literal(start.value) != 0:
            counted = build("enumerate(__x, __s)", x=source, s=start.value)
        changed = loop.with_changes(
            target=build("__i, __x", i=index, x=loop.target),
            iter=counted,
            body=loop.body.with_changes(body=loop.body.body[:-1]),
        )
        yield Rewrite(
            {start.statement: start.change, loop: changed}, adversarial=about(target, source)
        )


def while_index(target: Target) -> Iterator[Rewrite]:
    """``while i < n: …; i += 1`` counts in bytecode what range counts in C."""
    for loop in target.nodes:
        if not isinstance(loop, cst.While) or loop.orelse is not None:
            continue
        found = target.match_any(("__i < __n", "__n > __i"), loop.test)
        closed = target.match_any(("__i <= __n", "__n >= __i"), loop.test)
        captures = found or closed
        if not captures or not isinstance(captures["i"], cst.Name):
            continue
        index, bound = captures["i"].value, captures["n"]
        if not isinstance(loop.body, cst.IndentedBlock) or len(loop.body.body) < 2:
            continue
        if not target.match_any(
            (f"{index} += 1", f"{index} = {index} + 1"), loop.body.body[-1]
        ) or any(_continues(loop, node, target) for node in descendants(loop.body)):
            continue
        start = start_of(target, loop, index)
        if start is None or stores(loop.body).count(index) != 1:
            continue
        if not is_invariant(target, bound, loop) or not is_pure(target, bound):
            continue
        if is_live_after(target, loop, index) or not may_be(target, bound, "int", "bool"):
            continue
        stop = bound if found else build("__n + 1", n=bound)
        counted = (
            build("range(__n)", n=stop)
            if literal(start.value) == 0
            else build("range(__s, __n)", s=start.value, n=stop)
        )
        body = loop.body.with_changes(body=loop.body.body[:-1])
        changed = cst.For(cst.Name(index), counted, body)
        yield Rewrite(
            {start.statement: start.change, loop: changed},
            adversarial=about(target, *(cst.Name(name) for name in sorted(names(bound)))),
        )


def _continues(loop: cst.While, node: cst.CSTNode, target: Target) -> bool:
    return isinstance(node, cst.Continue) and target.loops_around(node)[0] is loop


RULES = (
    Rule(
        "range-len",
        "Walk over the elements instead of the indices",
        "Reading `xs[i]` costs a lookup in every round; the loop can hand the element over.",
        range_len,
    ),
    Rule(
        "range-slice",
        "Walk over a slice",
        "A slice with a step picks the elements in C.",
        range_slice,
    ),
    Rule(
        "enumerate-modulus",
        "Take every n-th element with a slice",
        "The condition on the index visits all elements; the slice only those that count.",
        enumerate_modulus,
    ),
    Rule(
        "unused-index",
        "Drop the unused index",
        "enumerate makes a pair and an integer for every element.",
        unused_index,
        small=True,
    ),
    Rule(
        "hand-counter",
        "Count with enumerate",
        "enumerate counts in C.",
        hand_counter,
        small=True,
    ),
    Rule(
        "while-index",
        "Count with range",
        "range counts in C and evaluates its bound once.",
        while_index,
        small=True,
    ),
)
