"""Rewrites that look things up by hash instead of searching a list."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from assist.analysis.rules.effects import (
    is_invariant,
    is_pure,
)
from assist.analysis.rules.inputs import EQUAL_BUT_DIFFERENT, REPEATED, about, calls
from assist.analysis.rules.kinds import (
    constant_value,
    element,
    is_kind,
    may_be,
    parameter_kind,
)
from assist.analysis.rules.loops import (
    is_live_after,
)
from assist.analysis.rules.pattern import (
    UNKNOWN,
    Change,
    build_statement,
    code,
    parenthesized,
    replace,
    same,
    strip,
)
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.scopes import (
    is_named,
)
from assist.analysis.rules.target import Target, descendants, names, target_names

HASHED = ("set", "frozenset", "dict", "range", "str", "bytes")
SEARCHED_MIN = 3


def membership_tests(
    target: Target,
) -> Iterator[tuple[cst.Comparison, cst.BaseExpression, cst.BaseExpression]]:
    """(comparison, element, container) of every ``x in xs`` and ``x not in xs``."""
    for node in target.nodes:
        if isinstance(node, cst.Comparison) and len(node.comparisons) == 1:
            comparison = node.comparisons[0]
            if isinstance(comparison.operator, (cst.In, cst.NotIn)):
                yield node, node.left, strip(comparison.comparator)


def with_container(node: cst.Comparison, container: cst.BaseExpression) -> cst.Comparison:
    return node.with_changes(comparisons=[node.comparisons[0].with_changes(comparator=container)])


def list_membership(target: Target) -> Iterator[Rewrite]:
    """A list that is searched in every round of a loop and does not change there."""
    for node, _, container in membership_tests(target):
        if not isinstance(container, (cst.Name, cst.Attribute)) or not may_be(
            target, container, "list", "tuple"
        ):
            continue
        place = outermost_repeat(target, node, container)
        if place is None or constant_value(target, container) is not UNKNOWN:
            continue
        name = _name_of(container)
        lookup = target.fresh(f"{name}_set", f"set_of_{name}")
        others = [
            (test, with_container(test, cst.Name(lookup)))
            for test, _, other in membership_tests(target)
            if same(other, container) and (test is node or place in (test, *target.ancestors(test)))
        ]
        statement = build_statement("__s = set(__x)", s=lookup, x=container)
        adversarial = container_inputs(target, container)
        changed = replace(place, dict(others))
        yield Rewrite({place: [statement, changed]}, adversarial=adversarial)


def _name_of(node: cst.CSTNode) -> str:
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else "known"


def container_inputs(target: Target, container: cst.CSTNode) -> tuple[str, ...]:
    if not isinstance(container, cst.Name) or container.value not in target.parameters:
        return ()
    known = about(target, container)
    if element(parameter_kind(target, container.value)):
        return known
    return (*known, *calls(target, {container.value: [REPEATED, EQUAL_BUT_DIFFERENT]}))


def outermost_repeat(
    target: Target, node: cst.CSTNode, container: cst.CSTNode
) -> cst.BaseStatement | None:
    """The outermost statement that repeats `node` while the container stays the same."""
    found: cst.BaseStatement | None = None
    below: cst.CSTNode = node
    for above in target.ancestors(node):
        if (
            isinstance(above, (cst.FunctionDef, cst.Lambda, cst.ClassDef))
            and above is not target.function
        ):
            return None
        repeats = isinstance(above, cst.While) or (
            isinstance(above, cst.For) and below is not above.iter
        )
        if isinstance(above, (cst.ListComp, cst.SetComp, cst.GeneratorExp, cst.DictComp)):
            first = above.for_in.iter
            repeats = below is not above.for_in or node not in descendants(first)
            bound = {
                name
                for part in descendants(above)
                if isinstance(part, cst.CompFor)
                for name in target_names(part.target)
            }
            if bound & names(container):
                return found
        if repeats:
            if not is_invariant(target, container, above):
                return found
            statement = target.statement_of(above)
            if isinstance(statement, (cst.SimpleStatementLine, cst.For, cst.While)) and not (
                isinstance(statement, cst.While) and statement is not above
            ):
                found = statement
        below = above
    return found


def constant_membership(target: Target) -> Iterator[Rewrite]:
    """Lists and tuples of constants that are only searched: the compiler makes a frozenset of a set display."""
    changes: dict[cst.CSTNode, Change] = {}
    adversarial: list[str] = []
    searched: dict[str, int] = {}
    for node, _, container in membership_tests(target):
        value = constant_value(target, container)
        if not isinstance(value, (list, tuple)) or len(value) < SEARCHED_MIN:
            continue
        if not all(isinstance(part, (str, int, bytes)) for part in value):
            continue
        display = container
        if not isinstance(container, (cst.List, cst.Tuple)):
            assigned = _assigned_display(target, container)
            if assigned is None:
                continue
            display = assigned
            searched[code(container)] = searched.get(code(container), 0) + 1
        assert isinstance(display, (cst.List, cst.Tuple))
        elements = [e.with_changes(comma=cst.MaybeSentinel.DEFAULT) for e in display.elements]
        changes[node] = with_container(node, cst.Set(elements))
        adversarial.extend(about(target, node.left))
    for name, count in searched.items():
        searched_in = _assigned_display(target, cst.Name(name))
        statement = target.statement_of(searched_in) if searched_in is not None else None
        if len(target.uses(name)) == count + 1 and target.match("__x = __y", statement):
            assert statement is not None
            changes[statement] = None
    if changes:
        yield Rewrite(changes, adversarial=adversarial)


def _assigned_display(target: Target, name: cst.CSTNode) -> cst.List | cst.Tuple | None:
    for node in target.nodes:
        if isinstance(node, cst.Assign) and any(same(t.target, name) for t in node.targets):
            return node.value if isinstance(node.value, (cst.List, cst.Tuple)) else None
    return None


def keys_membership(target: Target) -> Iterator[Rewrite]:
    for node, _, container in membership_tests(target):
        found = target.match_any(
            ("__d.keys()", "list(__d.keys())", "list(__d)", "sorted(__d)", "set(__d)"), container
        )
        if found and (".keys" in code(container) or is_kind(target, found["d"], "dict")):
            changed = with_container(node, parenthesized(strip(found["d"])))  # type: ignore[arg-type]
            yield Rewrite({node: changed}, adversarial=about(target, found["d"], node.left))


def throwaway_list(target: Target) -> Iterator[Rewrite]:
    """``x in [f(y) for y in ys]`` builds all of it before the first comparison."""
    for node, _, container in membership_tests(target):
        if isinstance(container, cst.ListComp) and is_pure(target, container):
            lazily = cst.GeneratorExp(container.elt, container.for_in)
            yield Rewrite({node: with_container(node, lazily)})


def nested_search(target: Target) -> Iterator[Rewrite]:
    """``for a in xs: for b in ys: if a == b`` searches `ys` for every element of `xs`."""
    for loop in target.nodes:
        if not isinstance(loop, cst.For) or loop.orelse is not None:
            continue
        found = target.match("for __b in __ys:\n    if __l == __r:\n        __BODY\n", loop)
        if not found or not isinstance(found["b"], cst.Name):
            continue
        inner, source = found["b"].value, found["ys"]
        sides = [found["l"], found["r"]]
        mine = [side for side in sides if is_named(side, inner)]
        other = [side for side in sides if inner not in names(side)]
        if len(mine) != 1 or len(other) != 1 or not isinstance(source, cst.Name):
            continue
        around = target.loops_around(loop)
        if (
            not around
            or not is_invariant(target, source, around[-1])
            or not is_pure(target, other[0])
        ):
            continue
        body = found["BODY"]
        if (
            not isinstance(body, cst.IndentedBlock)
            or inner in names(body)
            or not _is_idempotent(target, body)
        ):
            continue
        name = target.fresh(f"{source.value}_set", f"set_of_{source.value}")
        test = build_statement(
            "if __a in __s:\n    __BODY", a=other[0], s=name, BODY=_without_break(body)
        )
        outer = replace(around[-1], {loop: test})
        statement = build_statement("__s = set(__x)", s=name, x=source)
        yield Rewrite(
            {around[-1]: [statement, outer]}, adversarial=container_inputs(target, source)
        )


def _without_break(body: cst.IndentedBlock) -> cst.IndentedBlock:
    last = body.body[-1]
    if isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[0], cst.Break):
        return body.with_changes(body=body.body[:-1] or [build_statement("pass")])
    return body


def _is_idempotent(target: Target, body: cst.IndentedBlock) -> bool:
    """Whether doing it for every equal element is the same as doing it once."""
    last = body.body[-1]
    if isinstance(last, cst.SimpleStatementLine) and isinstance(
        last.body[0], (cst.Break, cst.Return)
    ):
        return not any(
            isinstance(n, (cst.Break, cst.Continue)) for s in body.body[:-1] for n in descendants(s)
        )
    return all(
        target.match("__s.add(__v)", statement)
        or ((found := target.match("__x = __v", statement)) and not isinstance(found["x"], cst.Tuple)
            and is_pure(target, found["v"]) and not names(found["x"]) & names(found["v"]))
        for statement in body.body
    )  # fmt: skip


def exists_loop(target: Target) -> Iterator[Rewrite]:
    """``for x in xs: if x == v: return True``."""
    for loop in target.nodes:
        if not isinstance(loop, cst.For) or loop.orelse is not None:
            continue
        found = target.match("for __x in __xs:\n    if __l == __r:\n        __BODY\n", loop)
        if not found or not isinstance(found["x"], cst.Name):
            continue
        variable = found["x"].value
        mine = [side for side in (found["l"], found["r"]) if is_named(side, variable)]
        wanted = [side for side in (found["l"], found["r"]) if variable not in names(side)]
        body = found["BODY"]
        if len(mine) != 1 or len(wanted) != 1 or not isinstance(body, cst.IndentedBlock):
            continue
        last = body.body[-1]
        ends = isinstance(last, cst.SimpleStatementLine) and isinstance(
            last.body[0], (cst.Return, cst.Break)
        )
        if not ends or variable in names(body) or is_live_after(target, loop, variable):
            continue
        if not is_pure(target, wanted[0]) or not may_be(
            target, found["xs"], "list", "tuple", "str", "range"
        ):
            continue
        test = build_statement(
            "if __v in __xs:\n    __BODY", v=wanted[0], xs=found["xs"], BODY=_without_break(body)
        )
        yield Rewrite({loop: test}, adversarial=about(target, found["xs"], wanted[0]))


RULES = (
    Rule(
        "list-membership",
        "Search a set instead of a list",
        "`in` compares with every element of a list; a set looks the value up by its hash.",
        list_membership,
    ),
    Rule(
        "constant-membership",
        "Search a set of constants",
        "The compiler keeps a set display of constants as one frozenset.",
        constant_membership,
        small=True,
    ),
    Rule(
        "keys-membership",
        "Search the dict itself",
        "A dict looks keys up by hash; a list of its keys is built first and searched then.",
        keys_membership,
    ),
    Rule(
        "throwaway-list",
        "Stop at the first match",
        "A generator computes values only until the comparison succeeds.",
        throwaway_list,
    ),
    Rule(
        "nested-search",
        "Replace the inner loop by a lookup",
        "Two nested loops compare every pair; a set finds the equal element at once.",
        nested_search,
    ),
    Rule(
        "exists-loop",
        "Search with `in`",
        "`in` compares in C and stops at the first match.",
        exists_loop,
    ),
)
