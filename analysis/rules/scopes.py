"""Loops of both kinds, statements and comprehensions, with the places where their variable is visible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from assist.analysis.rules.effects import (
    mutated,
)
from assist.analysis.rules.kinds import (
    is_kind,
)
from assist.analysis.rules.loops import (
    is_live_after,
)
from assist.analysis.rules.pattern import (
    Change,
    replace,
    same,
)
from assist.analysis.rules.target import Target, descendants, names, stores

Loop = cst.For | cst.CompFor


@dataclass(frozen=True)
class Scope:
    """A loop and the nodes in which its variable is visible."""

    loop: Loop
    parts: Sequence[cst.CSTNode]

    def uses(self, target: Target, name: str) -> list[cst.Name]:
        return [node for part in self.parts for node in target.uses(name, part)]


def scopes(target: Target) -> Iterator[Scope]:
    """Every ``for`` of the function, statements and comprehensions alike."""
    for node in target.nodes:
        if isinstance(node, cst.For) and node.asynchronous is None:
            yield Scope(node, [node.body])
        elif isinstance(node, cst.CompFor) and node.asynchronous is None:
            owner = next(a for a in target.ancestors(node) if not isinstance(a, cst.CompFor))
            parts: list[cst.CSTNode] = list(node.ifs)
            if node.inner_for_in is not None:
                parts.append(node.inner_for_in)
            if isinstance(owner, cst.DictComp):
                parts = [owner.key, owner.value, *parts]
            elif isinstance(owner, (cst.ListComp, cst.SetComp, cst.GeneratorExp)):
                parts = [owner.elt, *parts]
            yield Scope(node, parts)


def element_name(target: Target, sequence: cst.CSTNode, *avoid: str) -> str:
    """A name for one element of a sequence that is free in the function."""
    if isinstance(sequence, cst.Name):
        name = sequence.value
        if len(name) > 3 and name.endswith("s") and not name.endswith("ss"):
            return target.fresh(name[:-1], f"{name[:-1]}_item")
    if is_kind(target, sequence, "str"):
        return target.fresh("char", "letter")
    return target.fresh("item", "value", "element")


def replaced(
    scope: Scope, changes: dict[cst.CSTNode, Change], **heads: cst.CSTNode
) -> dict[cst.CSTNode, Change]:
    """The loop with new heads and with `changes` below it, as one change."""
    loop = scope.loop
    if isinstance(loop, cst.For):
        body = replace(loop.body, changes)
        return {loop: loop.with_changes(body=body, **heads)}
    # A comprehension's value is outside of its clause, so each part is changed where it stands.
    inner = {
        node: change
        for node, change in changes.items()
        if any(
            node is below
            for part in (*loop.ifs, loop.inner_for_in)
            if part
            for below in descendants(part)
        )
    }
    outer = {node: change for node, change in changes.items() if node not in inner}
    clause = loop.with_changes(
        ifs=[replace(test, inner) for test in loop.ifs],
        inner_for_in=replace(loop.inner_for_in, inner) if loop.inner_for_in else None,
        **heads,
    )
    return {loop: clause, **outer}


def subscripts(
    target: Target, scope: Scope, sequence: cst.CSTNode, index: str
) -> list[cst.Subscript]:
    """Reads ``sequence[index]`` in the scope."""
    found = []
    for part in scope.parts:
        for node in descendants(part):
            captures = target.match("__x[__i]", node)
            if captures and same(captures["x"], sequence) and is_named(captures["i"], index):
                assert isinstance(node, cst.Subscript)
                found.append(node)
    return found


def is_named(node: cst.CSTNode | None, name: str) -> bool:
    return isinstance(node, cst.Name) and node.value == name


def is_steady(target: Target, scope: Scope, sequence: cst.CSTNode, index: str) -> bool:
    """Whether neither the sequence nor the index changes in the body."""
    inner = {name for part in scope.parts for name in stores(part)}
    changed = {name for part in scope.parts for name in mutated(target, part)}
    used = names(sequence)
    if isinstance(scope.loop, cst.For) and is_live_after(target, scope.loop, index):
        return False
    return not used & (inner | changed) and index not in inner and index not in used
