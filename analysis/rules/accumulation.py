"""Rewrites of loops that collect: into lists, strings, sums, sets and dicts."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from assist.analysis.rules.effects import is_pure
from assist.analysis.rules.inputs import about
from assist.analysis.rules.kinds import is_kind, may_be
from assist.analysis.rules.loops import (
    Collected,
    accumulations,
    comprehension,
    list_comprehension,
    list_of,
    start_of,
)
from assist.analysis.rules.pattern import Change, build, build_statement, literal, same, strip
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.target import Target, names

NUMBERS = ("int", "float", "bool")


def _replaced(
    target: Target, loop: cst.For, name: str, empty: tuple[str, ...], value: cst.BaseExpression
) -> dict[cst.CSTNode, Change] | None:
    """Changes that drop the start of an accumulator and let one assignment take the loop's place."""
    start = start_of(target, loop, name)
    if start is None or not target.match_any(empty, start.value):
        return None
    assignment = build_statement("__name = __value", name=name, value=value)
    return {start.statement: start.change, loop: assignment}


def append_loop(target: Target) -> Iterator[Rewrite]:
    for loop, name, collected in accumulations(target, "__into.append(__value)"):
        adversarial = about(target, collected.source)
        changes = _replaced(target, loop, name, ("[]", "list()"), list_of(collected))
        if changes:
            yield Rewrite(changes, adversarial=adversarial)
        elif may_be(target, cst.Name(name), "list"):
            value = (
                collected.source
                if isinstance(list_of(collected), cst.Call)
                else list_comprehension(collected)
            )
            if name not in names(value):
                statement = build_statement("__name.extend(__value)", name=name, value=value)
                yield Rewrite({loop: statement}, adversarial=adversarial)


def add_loop(target: Target) -> Iterator[Rewrite]:
    for loop, name, collected in accumulations(target, "__into.add(__value)"):
        value: cst.BaseExpression = cst.SetComp(
            elt=collected.value, for_in=comprehension(collected)
        )
        if isinstance(list_of(collected), cst.Call):
            value = build("set(__x)", x=collected.source)
        changes = _replaced(target, loop, name, ("set()",), value)
        if changes:
            yield Rewrite(changes, adversarial=about(target, collected.source))


def item_loop(target: Target) -> Iterator[Rewrite]:
    for loop, name, collected in accumulations(target, "__into[__key] = __value"):
        keys = [
            found["key"]
            for node in target.nodes
            if (found := target.match("__into[__key] = __value", node))
            and same(found["value"], collected.value)
        ]
        key = keys[0] if len(keys) == 1 else None
        if not isinstance(key, cst.BaseExpression) or name in names(key):
            continue
        value = cst.DictComp(key=key, value=collected.value, for_in=comprehension(collected))
        changes = _replaced(target, loop, name, ("{}", "dict()"), value)
        if changes and is_pure(target, key):
            yield Rewrite(changes, adversarial=about(target, collected.source))


def sum_loop(target: Target) -> Iterator[Rewrite]:
    for loop, name, collected in accumulations(target, "__into += __value"):
        yield from _summed(target, loop, name, collected)
    for loop, name, collected in accumulations(target, "__into = __into + __value"):
        yield from _summed(target, loop, name, collected)


def _summed(target: Target, loop: cst.For, name: str, collected: Collected) -> Iterator[Rewrite]:
    value = collected.value
    start = start_of(target, loop, name)
    if not may_be(target, value, *NUMBERS) or start is None:
        return
    if not isinstance(literal(start.value), (int, float)) and not is_kind(
        target, start.value, *NUMBERS
    ):
        return
    summed: cst.BaseExpression
    if isinstance(list_of(collected), cst.Call):
        summed = build("sum(__x)", x=collected.source)
    else:
        summed = build("sum(__x)", x=list_comprehension(collected))
    adversarial = about(target, collected.source)
    if literal(start.value) == 0 and not isinstance(literal(start.value), float):
        statement = build_statement("__name = __sum", name=name, sum=summed)
        yield Rewrite({start.statement: start.change, loop: statement}, adversarial=adversarial)
    else:
        assert isinstance(summed, cst.Call)
        started = summed.with_changes(args=[*summed.args, cst.Arg(cst.Name(name))])
        statement = build_statement("__name = __sum", name=name, sum=_spaced(started))
        yield Rewrite({loop: statement}, adversarial=adversarial)


def _spaced(call: cst.Call) -> cst.Call:
    """The call with a space after each comma but the last argument's."""
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    return call.with_changes(
        args=[a.with_changes(comma=comma) for a in call.args[:-1]] + [call.args[-1]]
    )


def count_loop(target: Target) -> Iterator[Rewrite]:
    """``count += 1`` under a condition: sum of ones, or of the condition itself where it is a bool."""
    for loop, name, collected in accumulations(target, "__into += __value"):
        if literal(collected.value) != 1 or collected.clauses[-1].target is not None:
            continue
        start = start_of(target, loop, name)
        if start is None or literal(start.value) != 0:
            continue
        adversarial = about(target, collected.source)
        *clauses, last = collected.clauses
        if not is_kind(target, last.source, "bool"):
            continue
        if isinstance(last.source, cst.Comparison) and clauses[-1].target is not None:
            inner = Collected(tuple(clauses), last.source)
            summed = build("sum(__x)", x=list_comprehension(inner))
            statement = build_statement("__name = __sum", name=name, sum=summed)
            yield Rewrite({start.statement: start.change, loop: statement}, adversarial=adversarial)


def count_equal_loop(target: Target) -> Iterator[Rewrite]:
    """Counting the elements equal to one value: ``.count``."""
    for example in ("__into += __value", "__into = __into + __value"):
        for loop, name, collected in accumulations(target, example):
            counted = _counted_value(target, collected)
            start = start_of(target, loop, name)
            if counted is None or start is None or literal(start.value) != 0:
                continue
            source = collected.source
            if not may_be(target, source, "str", "list", "tuple"):
                continue
            statement = build_statement("__name = __x.count(__v)", name=name, x=source, v=counted)
            yield Rewrite(
                {start.statement: start.change, loop: statement}, adversarial=about(target, source)
            )


def _counted_value(target: Target, collected: Collected) -> cst.BaseExpression | None:
    """The value `v` of ``for x in xs: if x == v: n += 1`` or ``n += x == v``."""
    clauses, value = collected.clauses, collected.value
    variable = clauses[0].target
    if not isinstance(variable, cst.Name):
        return None
    if len(clauses) == 2 and clauses[1].target is None and literal(value) == 1:
        test: cst.BaseExpression = clauses[1].source
    elif len(clauses) == 1:
        test = value
    else:
        return None
    for pattern in ("__x == __v", "__v == __x"):
        found = target.match(pattern, test)
        if found and same(found["x"], variable):
            other = found["v"]
            if isinstance(other, cst.BaseExpression) and variable.value not in names(other):
                return strip(other) if is_pure(target, other) else None
    return None


def copy_comprehension(target: Target) -> Iterator[Rewrite]:
    """``[x for x in xs]`` copies by bytecode what ``list(xs)`` copies in C."""
    for node in target.nodes:
        for example, call in (
            ("[__x for __x in __xs]", "list(__xs)"),
            ("{__x for __x in __xs}", "set(__xs)"),
        ):
            found = target.match(example, node)
            if found and isinstance(found["x"], cst.Name):
                yield Rewrite(
                    {node: build(call, xs=found["xs"])}, adversarial=about(target, found["xs"])
                )


RULES = (
    Rule(
        "count-equal-loop",
        "Count equal elements with .count()",
        "The sequence's own count compares in C.",
        count_equal_loop,
    ),
    Rule(
        "count-loop",
        "Count with sum()",
        "Adding the truth values in C is cheaper than a counter in the loop.",
        count_loop,
    ),
    Rule(
        "append-loop",
        "Build the list with a comprehension",
        "A comprehension appends without looking up and calling a method for every element.",
        append_loop,
    ),
    Rule(
        "sum-loop",
        "Add up with sum()",
        "sum() adds in C; the loop runs the interpreter for every addition.",
        sum_loop,
    ),
    Rule(
        "add-loop",
        "Build the set with a comprehension",
        "A comprehension adds without looking up and calling a method for every element.",
        add_loop,
    ),
    Rule(
        "item-loop",
        "Build the dict with a comprehension",
        "A comprehension stores items with one instruction each.",
        item_loop,
    ),
    Rule(
        "copy-comprehension",
        "Copy with list() or set()",
        "Copying in C needs no bytecode for an element.",
        copy_comprehension,
        small=True,
    ),
)
