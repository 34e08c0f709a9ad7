"""Rewrites of sorting, queues and searches in ordered data."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from assist.analysis.rules.inputs import SORTED_TIES, about, calls
from assist.analysis.rules.kinds import (
    parameter_kind,
)
from assist.analysis.rules.loops import (
    start_of,
)
from assist.analysis.rules.pattern import (
    Change,
    build,
    build_statement,
    literal,
    replace,
    same,
    strip,
)
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.scopes import (
    is_named,
)
from assist.analysis.rules.target import Target, descendants, names, stores


def sorted_first(target: Target) -> Iterator[Rewrite]:
    """The ends of a sorted list, without sorting."""
    for node in target.nodes:
        for example, call in (
            ("sorted(__x)[0]", "min(__x)"), ("sorted(__x)[-1]", "max(__x)"),
            ("sorted(__x, reverse=True)[0]", "max(__x)"), ("sorted(__x, reverse=True)[-1]", "min(__x)"),
            ("sorted(__x, key=__k)[0]", "min(__x, key=__k)"), ("sorted(__x, key=__k)[-1]", "max(__x, key=__k)"),
        ):  # fmt: skip
            found = target.match(example, node)
            if found:
                yield Rewrite(
                    {node: build(call, **found)}, adversarial=_order_inputs(target, found["x"])
                )


def sorted_head(target: Target) -> Iterator[Rewrite]:
    """The k smallest of many, without sorting all."""
    for node in target.nodes:
        for example, function, call in (
            ("sorted(__x)[:__k]", "heapq.nsmallest", "__f(__k, __x)"),
            ("sorted(__x, key=__key)[:__k]", "heapq.nsmallest", "__f(__k, __x, key=__key)"),
            ("sorted(__x, reverse=True)[:__k]", "heapq.nlargest", "__f(__k, __x)"),
        ):
            found = target.match(example, node)
            if found:
                value = build(call, f=target.local(function), **found)
                yield Rewrite(
                    {node: value},
                    imports=target.needs(function),
                    adversarial=(*_order_inputs(target, found["x"]), *about(target, found["k"])),
                )


def _order_inputs(target: Target, node: cst.CSTNode) -> tuple[str, ...]:
    if not isinstance(node, cst.Name) or node.value not in target.parameters:
        return ()
    kind = parameter_kind(target, node.value)
    ties = [SORTED_TIES] if kind in {"", "list", "list[float]"} else []
    return (*about(target, node), *calls(target, {node.value: ties}))


def reversed_sort(target: Target) -> Iterator[Rewrite]:
    """A sorted copy that is turned round by copying it again."""
    for node in target.nodes:
        found = target.match_any(("sorted(__x)[::-1]", "list(reversed(sorted(__x)))"), node)
        if found:
            value = build("sorted(__x, reverse=True)", x=found["x"])
            yield Rewrite({node: value}, adversarial=_order_inputs(target, found["x"]))


def repeated_sort(target: Target) -> Iterator[Rewrite]:
    """A list that is kept sorted by sorting it again after every append."""
    insort = target.local("bisect.insort")
    for first, second in target.pairs():
        added, sort = target.match("__xs.append(__v)", first), target.match("__xs.sort()", second)
        if (
            not added
            or not sort
            or not same(added["xs"], sort["xs"])
            or not isinstance(added["xs"], cst.Name)
        ):
            continue
        loops = target.loops_around(first)
        if not loops:
            continue
        start = start_of(target, loops[0], added["xs"].value)
        if start is None or not target.match_any(("[]", "list()", "sorted(__x)"), start.value):
            continue
        statement = build_statement("__f(__xs, __v)", f=insort, xs=added["xs"], v=added["v"])
        yield Rewrite({first: statement, second: None}, imports=target.needs("bisect.insort"))


def queue_ends(target: Target) -> Iterator[Rewrite]:
    """``pop(0)`` moves every element; a deque does not."""
    deque = target.local("collections.deque")
    for node in target.nodes:
        found = target.match("__q.pop(0)", node)
        if not found or not isinstance(found["q"], cst.Name) or not target.loops_around(node):
            continue
        name = found["q"].value
        if name in target.parameters:
            continue
        starts = [
            (below, value["v"])
            for below in target.nodes
            if isinstance(below, cst.SimpleStatementLine)
            and (value := target.match("__q = __v", below))
            and is_named(value["q"], name)
        ]
        if len(starts) != 1 or sum(name == bound for bound in stores(target.function)) != 1:
            continue
        if not all(_deque_can(target, use, starts[0][0]) for use in target.uses(name)):
            continue
        statement, value_node = starts[0]
        opened = build_statement("__q = __d(__v)", q=name, d=deque, v=value_node)
        if target.match("[]", value_node):
            opened = build_statement("__q = __d()", q=name, d=deque)
        changes: dict[cst.CSTNode, Change] = {statement: opened}
        for other in target.nodes:
            again = target.match("__q.pop(0)", other)
            if again and is_named(again["q"], name):
                changes[other] = build("__q.popleft()", q=name)
            inserted = target.match("__q.insert(0, __v)", other)
            if (
                inserted
                and is_named(inserted["q"], name)
                and not isinstance(other, cst.SimpleStatementLine)
            ):
                changes[other] = build("__q.appendleft(__v)", q=name, v=inserted["v"])
        yield Rewrite(changes, imports=target.needs("collections.deque"))


def _deque_can(target: Target, use: cst.Name, start: cst.CSTNode) -> bool:
    """Whether a use of the list works on a deque as well and does not let it out."""
    above = target.parent(use)
    if use in descendants(start):
        return True
    if isinstance(above, cst.Attribute):
        return above.attr.value in {
            "append",
            "pop",
            "insert",
            "extend",
            "clear",
            "remove",
            "reverse",
            "count",
            "index",
        }
    if isinstance(above, (cst.While, cst.If)):
        return True
    if isinstance(above, cst.Subscript):
        return all(isinstance(part.slice, cst.Index) for part in above.slice)
    if isinstance(above, (cst.BooleanOperation, cst.UnaryOperation, cst.ComparisonTarget)):
        return not isinstance(above, cst.ComparisonTarget) or isinstance(
            above.operator, (cst.In, cst.NotIn)
        )
    if isinstance(above, (cst.For, cst.CompFor)):
        return above.iter is use
    return bool(
        isinstance(above, cst.Arg)
        and target.match_any(
            ("len(__x)", "bool(__x)", "list(__x)", "sum(__x)"), target.parent(above)
        )
    )


def shift_register(target: Target) -> Iterator[Rewrite]:
    """A short list used as a window: variables that move on together."""
    for loop in target.nodes:
        if (
            not isinstance(loop, cst.For)
            or not isinstance(loop.body, cst.IndentedBlock)
            or len(loop.body.body) != 2
        ):
            continue
        added = target.match("__xs.append(__v)", loop.body.body[0])
        dropped = target.match("__xs.pop(0)", loop.body.body[1])
        if (
            not added
            or not dropped
            or not same(added["xs"], dropped["xs"])
            or not isinstance(added["xs"], cst.Name)
        ):
            continue
        name = added["xs"].value
        size = _known_size(target, name)
        if size is None or not 2 <= size <= 8 or loop.orelse is not None:
            continue
        stem = name[:-1] if name.endswith("s") and len(name) > 2 else name
        cells = [target.fresh(f"{stem}_{number}") for number in range(size)]
        changes: dict[cst.CSTNode, Change] = {}
        reads = 0
        for node in descendants(added["v"]):
            found = target.match("__xs[__i]", node)
            index = literal(found["i"]) if found and is_named(found["xs"], name) else None
            if isinstance(index, int) and -size <= index < size:
                changes[node] = cst.Name(cells[index])
                reads += 1
        if reads != len(target.uses(name, added["v"])) or name in names(loop.iter):
            continue
        value = changes[added["v"]] if added["v"] in changes else replace(added["v"], changes)
        assert isinstance(value, cst.BaseExpression)
        left, right = ", ".join(cells), ", ".join(cells[1:])
        opened = build_statement(f"{left} = __xs", xs=name)
        moved = build_statement(f"{left} = {right}, __v", v=strip(value))
        closed = build_statement(f"__xs = [{left}]", xs=name)
        changed = loop.with_changes(body=loop.body.with_changes(body=[moved]), leading_lines=[])
        yield Rewrite({loop: [opened, changed, closed]}, adversarial=about(target, *_bounds(loop)))


def _bounds(loop: cst.For) -> list[cst.CSTNode]:
    return [cst.Name(name) for name in sorted(names(loop.iter))]


def _known_size(target: Target, name: str) -> int | None:
    """Length of a list that is assigned one display and changed nowhere else."""
    assigned = [
        found["v"]
        for node in target.nodes
        if isinstance(node, cst.SimpleStatementLine)
        and (found := target.match("__xs = __v", node))
        and is_named(found["xs"], name)
    ]
    if len(assigned) != 1 or not isinstance(assigned[0], cst.List) or name in target.parameters:
        return None
    methods = [
        above.attr.value
        for use in target.uses(name)
        if isinstance(above := target.parent(use), cst.Attribute)
    ]
    return len(assigned[0].elements) if sorted(methods) == ["append", "pop"] else None


def ordered_scan(target: Target) -> Iterator[Rewrite]:
    """The first position not below a value in a sorted list: bisect."""
    for loop in target.nodes:
        found = target.match_any(
            ("for __i, __x in enumerate(__xs):\n    if __x >= __v:\n        return __i\n",
             "for __i in range(len(__xs)):\n    if __xs[__i] >= __v:\n        return __i\n"), loop,
        )  # fmt: skip
        following = target.after(loop) if found and isinstance(loop, cst.For) else ()
        last = target.match("return len(__xs)", following[0]) if following else None
        if (
            not found
            or not last
            or not same(last["xs"], found["xs"])
            or not isinstance(loop, cst.For)
        ):
            continue
        bisect_left = target.local("bisect.bisect_left")
        value = build("__f(__xs, __v)", f=bisect_left, xs=found["xs"], v=found["v"])
        yield Rewrite(
            {loop: build_statement("return __v", v=value), following[0]: None},
            imports=target.needs("bisect.bisect_left"),
            adversarial=calls(
                target,
                {
                    n: ["[1, 2, 2, 3]", "[3, 1, 2]"]
                    for n in names(found["xs"]) & set(target.parameters)
                },
            ),
        )


RULES = (
    Rule(
        "shift-register",
        "Keep the window in variables",
        "A list that moves on by append and pop(0) is a fixed set of variables.",
        shift_register,
    ),
    Rule(
        "sorted-end",
        "Take the minimum or maximum",
        "One pass finds an extreme; sorting orders everything.",
        sorted_first,
    ),
    Rule(
        "sorted-head",
        "Keep the few smallest in a heap",
        "heapq keeps k elements instead of ordering all.",
        sorted_head,
    ),
    Rule(
        "reversed-sort",
        "Sort in the wanted direction",
        "The second copy is not needed.",
        reversed_sort,
    ),
    Rule(
        "repeated-sort",
        "Insert at the right place",
        "bisect finds the place; sorting after every append looks at everything.",
        repeated_sort,
    ),
    Rule(
        "queue-ends",
        "Use a deque as the queue",
        "pop(0) and insert(0) move every element of a list.",
        queue_ends,
    ),
    Rule(
        "ordered-scan",
        "Search sorted data by halving",
        "bisect needs log n comparisons.",
        ordered_scan,
    ),
)
