"""Rewrites that keep counts, positions and what was seen in hashed form."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from assist.analysis.rules.effects import (
    is_pure,
)
from assist.analysis.rules.kinds import (
    may_be,
)
from assist.analysis.rules.loops import (
    is_live_after,
    start_of,
)
from assist.analysis.rules.membership import (
    container_inputs,
    membership_tests,
    outermost_repeat,
    with_container,
)
from assist.analysis.rules.pattern import (
    Change,
    build,
    build_statement,
    literal,
    replace,
    same,
)
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.scopes import (
    is_named,
)
from assist.analysis.rules.target import Target, descendants, names


def count_in_loop(target: Target) -> Iterator[Rewrite]:
    """``xs.count(x)`` for every x: count all of them in one pass."""
    for node in target.nodes:
        found = target.match("__xs.count(__x)", node)
        if (
            not found
            or not isinstance(found["xs"], cst.Name)
            or not may_be(target, found["xs"], "list", "tuple", "str")
        ):
            continue
        place = outermost_repeat(target, node, found["xs"])
        if place is None or isinstance(literal(found["x"]), str):
            continue
        if any(
            target.match_any(("dict.fromkeys(__xs)", "set(__xs)"), getattr(around, "iter", None))
            for around in descendants(place)
        ):
            continue  # each different element is counted once already
        name = target.fresh("counts", f"{found['xs'].value}_counts")
        changes: dict[cst.CSTNode, Change] = {}
        for other in descendants(place):
            again = target.match("__xs.count(__x)", other)
            if again and same(again["xs"], found["xs"]):
                changes[other] = build("__c[__x]", c=name, x=again["x"])
        counter = target.local("collections.Counter")
        statement = build_statement(
            "__c = __counter(__xs)", c=name, counter=counter, xs=found["xs"]
        )
        yield Rewrite(
            {place: [statement, replace(place, changes)]},
            imports=target.needs("collections.Counter"),
            adversarial=container_inputs(target, found["xs"]),
        )


def index_in_loop(target: Target) -> Iterator[Rewrite]:
    """``xs.index(x)`` for every x: a dict of first positions."""
    for node in target.nodes:
        found = target.match("__xs.index(__x)", node)
        if not found or not isinstance(found["xs"], cst.Name):
            continue
        if not may_be(target, found["xs"], "list", "tuple"):
            continue
        place = outermost_repeat(target, node, found["xs"])
        if place is None:
            continue
        name = target.fresh("positions", f"{found['xs'].value}_positions")
        changes: dict[cst.CSTNode, Change] = {}
        for other in descendants(place):
            again = target.match("__xs.index(__x)", other)
            if again and same(again["xs"], found["xs"]):
                changes[other] = build("__p[__x]", p=name, x=again["x"])
        index, item = target.fresh("position", "place"), target.fresh("element", "item")
        table = build(
            "{__v: __i for __i, __v in reversed(list(enumerate(__xs)))}",
            v=item, i=index, xs=found["xs"],
        )  # fmt: skip
        statement = build_statement("__p = __t", p=name, t=table)
        yield Rewrite(
            {place: [statement, replace(place, changes)]},
            adversarial=container_inputs(target, found["xs"]),
        )


def ordered_unique(target: Target) -> Iterator[Rewrite]:
    """``if x not in out: out.append(x)`` searches what was kept for every element."""
    example = "for __x in __xs:\n    if __x not in __out:\n        __out.append(__x)\n"
    for loop in target.nodes:
        found = target.match(example, loop) if isinstance(loop, cst.For) else None
        if (
            not found
            or not isinstance(found["x"], cst.Name)
            or not isinstance(found["out"], cst.Name)
        ):
            continue
        out = found["out"].value
        start = start_of(target, loop, out)
        if start is None or not target.match_any(("[]", "list()"), start.value):
            continue
        if is_live_after(target, loop, found["x"].value) or out in names(found["xs"]):
            continue
        statement = build_statement("__out = list(dict.fromkeys(__xs))", out=out, xs=found["xs"])
        adversarial = container_inputs(target, found["xs"])
        yield Rewrite({start.statement: start.change, loop: statement}, adversarial=adversarial)


def remembered_set(target: Target) -> Iterator[Rewrite]:
    """A growing list that is searched in the loop that grows it: keep a set beside it."""
    for loop in target.nodes:
        if not isinstance(loop, (cst.For, cst.While)):
            continue
        tests = [
            (node, container.value)
            for node, _, container in membership_tests(target)
            if isinstance(container, cst.Name) and loop in target.ancestors(node)
        ]
        for name in sorted({name for _, name in tests}):
            start = start_of(target, loop, name)
            if start is None or not target.match_any(("[]", "list()"), start.value):
                continue
            appends = [
                (node, found["v"])
                for node in descendants(loop)
                if isinstance(node, cst.SimpleStatementLine)
                and (found := target.match("__out.append(__v)", node))
                and is_named(found["out"], name)
            ]
            mine = [node for node, other in tests if other == name]
            others = len(target.uses(name, loop)) - len(appends) - len(mine)
            if not appends or others or not all(is_pure(target, value) for _, value in appends):
                continue
            lookup = target.fresh("seen", f"{name}_set")
            changes: dict[cst.CSTNode, Change] = {
                node: with_container(node, cst.Name(lookup)) for node in mine
            }
            for node, value in appends:
                assert isinstance(node, cst.SimpleStatementLine)
                add = build_statement("__s.add(__v)", s=lookup, v=value)
                changes[node] = [node.with_changes(leading_lines=[]), add]
            opening = build_statement("__s = set()", s=lookup)
            changed = replace(loop, changes)
            yield Rewrite({loop: [opening, changed]})


RULES = (
    Rule(
        "count-in-loop",
        "Count everything once",
        "`.count` goes through the whole list for every element: quadratic time.",
        count_in_loop,
    ),
    Rule(
        "index-in-loop",
        "Keep the positions in a dict",
        "`.index` searches the list for every element: quadratic time.",
        index_in_loop,
    ),
    Rule(
        "ordered-unique",
        "Drop repetitions with dict.fromkeys",
        "Searching the result for every element takes quadratic time; a dict keeps order and is hashed.",
        ordered_unique,
    ),
    Rule(
        "remembered-set",
        "Remember what was seen in a set",
        "Searching a growing list takes quadratic time.",
        remembered_set,
    ),
)
