"""Rewrites that count by hand what collections.Counter counts in C."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from assist.analysis.rules.inputs import about
from assist.analysis.rules.loops import (
    is_live_after,
    start_of,
)
from assist.analysis.rules.pattern import (
    build_statement,
)
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.target import Target, names


def hand_counter_dict(target: Target) -> Iterator[Rewrite]:
    """A dict of counts kept by hand."""
    examples = (
        "for __x in __xs:\n    if __x in __d:\n        __d[__x] += 1\n    else:\n        __d[__x] = 1\n",
        "for __x in __xs:\n    if __x not in __d:\n        __d[__x] = 1\n    else:\n        __d[__x] += 1\n",
        "for __x in __xs:\n    if __x not in __d:\n        __d[__x] = 0\n    __d[__x] += 1\n",
        "for __x in __xs:\n    __d[__x] = __d.get(__x, 0) + 1\n",
        "for __x in __xs:\n    __d.setdefault(__x, 0)\n    __d[__x] += 1\n",
        "for __x in __xs:\n    try:\n        __d[__x] += 1\n    except KeyError:\n        __d[__x] = 1\n",
    )
    counter = target.local("collections.Counter")
    for loop in target.nodes:
        found = target.match_any(examples, loop) if isinstance(loop, cst.For) else None
        if (
            not found
            or not isinstance(found["d"], cst.Name)
            or not isinstance(found["x"], cst.Name)
        ):
            continue
        name = found["d"].value
        start = start_of(target, loop, name)
        if start is None or not target.match_any(("{}", "dict()"), start.value):
            continue
        if name in names(found["xs"]) or is_live_after(target, loop, found["x"].value):
            continue
        statement = build_statement("__d = dict(__c(__xs))", d=name, c=counter, xs=found["xs"])
        yield Rewrite(
            {start.statement: start.change, loop: statement},
            imports=target.needs("collections.Counter"),
            adversarial=about(target, found["xs"]),
        )


def weighted_counts(target: Target) -> Iterator[Rewrite]:
    """``counts[x] += 1`` for every x: count equal ones in C, then add each number once."""
    counter = target.local("collections.Counter")
    for loop in target.nodes:
        found = (
            target.match("for __x in __xs:\n    __d[__x] += 1\n", loop)
            if isinstance(loop, cst.For)
            else None
        )
        if (
            not found
            or not isinstance(found["d"], cst.Name)
            or not isinstance(found["x"], cst.Name)
        ):
            continue
        if is_live_after(target, loop, found["x"].value) or found["d"].value in names(found["xs"]):
            continue
        times = target.fresh("times", "repeats")
        changed = build_statement(
            "for __x, __n in __c(__xs).items():\n    __d[__x] += __n\n",
            x=found["x"], n=times, c=counter, xs=found["xs"], d=found["d"],
        )  # fmt: skip
        yield Rewrite(
            {loop: changed},
            imports=target.needs("collections.Counter"),
            adversarial=about(target, found["xs"]),
        )


RULES = (
    Rule(
        "hand-counts",
        "Count with collections.Counter",
        "Counter counts in C and keeps the order of first appearance.",
        hand_counter_dict,
    ),
    Rule(
        "weighted-counts",
        "Count equal elements before adding",
        "Counter counts in C; the loop runs once for each different element.",
        weighted_counts,
    ),
)
