"""Rewrites of strings and lists that grow by copying, and of running values."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from assist.analysis.rules.inputs import about, calls
from assist.analysis.rules.kinds import (
    is_kind,
    may_be,
)
from assist.analysis.rules.loops import (
    accumulations,
    is_live_after,
    list_comprehension,
    list_of,
    start_of,
)
from assist.analysis.rules.pattern import (
    Change,
    build,
    build_statement,
    literal,
    replace,
)
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.target import Target, names


def string_loop(target: Target) -> Iterator[Rewrite]:
    for example in ("__into += __value", "__into = __into + __value"):
        for loop, name, collected in accumulations(target, example):
            start = start_of(target, loop, name)
            if start is None or not is_kind(target, start.value, "str"):
                continue
            if not may_be(target, collected.value, "str"):
                continue
            adversarial = about(target, collected.source)
            if isinstance(list_of(collected), cst.Call):
                joined = build("''.join(__x)", x=collected.source)
            else:
                joined = build("''.join(__x)", x=list_comprehension(collected))
            if literal(start.value) == "":
                statement = build_statement("__name = __value", name=name, value=joined)
                yield Rewrite(
                    {start.statement: start.change, loop: statement}, adversarial=adversarial
                )
            else:
                statement = build_statement("__name += __value", name=name, value=joined)
                yield Rewrite({loop: statement}, adversarial=adversarial)


def string_parts(target: Target) -> Iterator[Rewrite]:
    """A string grown in a loop that does more: parts in a list, joined after the loop."""
    for loop in target.nodes:
        if not isinstance(loop, (cst.For, cst.While)) or loop.orelse is not None:
            continue
        grown = [
            (node, found)
            for node in target.nodes
            if (found := target.match("__into += __value", node)) and loop in target.ancestors(node)
        ]
        into = {found["into"].value for _, found in grown if isinstance(found["into"], cst.Name)}
        for name in sorted(into):
            start = start_of(target, loop, name)
            uses = len(target.uses(name, loop))
            mine = [(node, found) for node, found in grown if _named(found["into"], name)]
            if start is None or literal(start.value) != "" or uses != len(mine) or not mine:
                continue
            if any(target.loops_around(node)[0] is not loop for node, _ in mine):
                continue
            parts = target.fresh("parts", f"{name}_parts")
            changes: dict[cst.CSTNode, Change] = {
                node: build_statement("__parts.append(__v)", parts=parts, v=found["value"])
                for node, found in mine
            }
            opening = build_statement("__parts = []", parts=parts)
            if start.change is not None:
                opening_and_rest: Change = [start.change, opening]
            else:
                opening_and_rest = opening
            changes[start.statement] = opening_and_rest
            joined = build_statement("__name = ''.join(__parts)", name=name, parts=parts)
            whole = replace(loop, changes)
            yield Rewrite(
                {start.statement: opening_and_rest, loop: [whole, joined]},
                adversarial=about(target, *(found["value"] for _, found in mine)),
            )


def _named(node: cst.CSTNode, name: str) -> bool:
    return isinstance(node, cst.Name) and node.value == name


def list_growth(target: Target) -> Iterator[Rewrite]:
    """``xs = xs + [x]`` in a loop copies the list each time."""
    for node in target.nodes:
        found = target.match_any(("__into = __into + [__value]",), node)
        if not found or not isinstance(found["into"], cst.Name) or not target.loops_around(node):
            continue
        if not may_be(target, found["into"], "list"):
            continue
        statement = build_statement("__into.append(__value)", **found)
        yield Rewrite({node: statement}, adversarial=about(target, found["into"]))


def sum_of_lists(target: Target) -> Iterator[Rewrite]:
    for node in target.nodes:
        found = target.match_any(("sum(__x, [])", "sum(__x, start=[])"), node)
        if found:
            chain = target.local("itertools.chain")
            flat = build("list(__chain.from_iterable(__x))", chain=chain, x=found["x"])
            yield Rewrite(
                {node: flat},
                imports=target.needs("itertools.chain"),
                adversarial=(
                    *about(target, found["x"]),
                    *calls(
                        target,
                        {
                            n.value: ["[[1], (2,)]", "[[1], 'ab']"]
                            for n in _names(target, found["x"])
                        },
                    ),
                ),
            )


def _names(target: Target, node: cst.CSTNode) -> list[cst.Name]:
    return [node] if isinstance(node, cst.Name) and node.value in target.parameters else []


def running_extreme(target: Target) -> Iterator[Rewrite]:
    """The maximum so far, recomputed or kept by hand: ``itertools.accumulate``."""
    accumulate = target.local("itertools.accumulate")
    imports = target.needs("itertools.accumulate")
    for node in target.nodes:
        for function in ("max", "min"):
            found = target.match_any(
                (
                    f"[{function}(__x[:__i + 1]) for __i in range(len(__x))]",
                    f"[{function}(__x[0:__i + 1]) for __i in range(len(__x))]",
                ),
                node,
            )
            if found:
                value = build(
                    "list(__accumulate(__x, __f))", accumulate=accumulate, x=found["x"], f=function
                )
                yield Rewrite({node: value}, imports=imports, adversarial=about(target, found["x"]))
        found = target.match_any(
            (
                "[sum(__x[:__i + 1]) for __i in range(len(__x))]",
                "[sum(__x[0:__i + 1]) for __i in range(len(__x))]",
            ),
            node,
        )
        if found:
            value = build("list(__accumulate(__x))", accumulate=accumulate, x=found["x"])
            yield Rewrite({node: value}, imports=imports, adversarial=about(target, found["x"]))
    yield from _kept_extreme(target, accumulate, imports)


def _kept_extreme(target: Target, accumulate: str, imports: tuple[str, ...]) -> Iterator[Rewrite]:
    for function in ("max", "min"):
        example = (
            "for __n in __xs:\n"
            "    if __best is None:\n        __best = __n\n"
            f"    else:\n        __best = {function}(__best, __n)\n"
            "    __out.append(__best)\n"
        )
        for loop in target.nodes:
            found = target.match(example, loop)
            if (
                not found
                or not isinstance(found["best"], cst.Name)
                or not isinstance(found["out"], cst.Name)
            ):
                continue
            best, out = found["best"].value, found["out"].value
            first, empty = start_of(target, loop, best), start_of(target, loop, out)
            if first is None or empty is None or not target.match("None", first.value):
                continue
            if (
                not target.match_any(("[]", "list()"), empty.value)
                or first.statement is empty.statement
            ):
                continue
            if is_live_after(target, loop, best) or any(_live(target, loop, found["n"])):
                continue
            statement = build_statement(
                "__out = list(__accumulate(__xs, __f))",
                out=out, accumulate=accumulate, xs=found["xs"], f=function,
            )  # fmt: skip
            yield Rewrite(
                {first.statement: first.change, empty.statement: empty.change, loop: statement},
                imports=imports,
                adversarial=about(target, found["xs"]),
            )


def _live(target: Target, loop: cst.CSTNode, node: cst.CSTNode) -> list[bool]:
    return [is_live_after(target, loop, name) for name in names(node)]


RULES = (
    Rule(
        "string-loop",
        "Join the pieces once",
        "Adding to a string copies it when it cannot grow in place; join allocates once.",
        string_loop,
    ),
    Rule(
        "string-parts",
        "Collect the pieces and join them after the loop",
        "Adding to a string copies it when it cannot grow in place; join allocates once.",
        string_parts,
    ),
    Rule(
        "list-growth",
        "Append in place",
        "`xs + [x]` copies the whole list for every element: quadratic time.",
        list_growth,
    ),
    Rule(
        "sum-of-lists",
        "Flatten with itertools.chain",
        "sum() of lists copies the growing list for every part: quadratic time.",
        sum_of_lists,
    ),
    Rule(
        "running-extreme",
        "Keep the running value with itertools.accumulate",
        "accumulate computes every prefix's value from the one before it.",
        running_extreme,
    ),
)
