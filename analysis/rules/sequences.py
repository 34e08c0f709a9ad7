"""Rewrites of element by element work that sequences do as a whole."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from assist.analysis.rules.effects import (
    is_pure,
)
from assist.analysis.rules.inputs import about
from assist.analysis.rules.kinds import (
    base,
    is_kind,
    kind_of,
    may_be,
)
from assist.analysis.rules.pattern import (
    Change,
    build,
    build_statement,
    same,
)
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.scopes import (
    Scope,
    element_name,
    is_named,
    is_steady,
    replaced,
    scopes,
    subscripts,
)
from assist.analysis.rules.target import Target, descendants, names


def dict_items(target: Target) -> Iterator[Rewrite]:
    """``for k in d`` that reads ``d[k]``."""
    for scope in scopes(target):
        loop = scope.loop
        if not isinstance(loop.target, cst.Name):
            continue
        found = target.match("__x.keys()", loop.iter)
        mapping = found["x"] if found else loop.iter
        if not isinstance(mapping, (cst.Name, cst.Attribute)):
            continue
        if not found and kind_of(target, mapping) and not is_kind(target, mapping, "dict"):
            continue
        key = loop.target.value
        reads = subscripts(target, scope, mapping, key)
        if not reads or not is_steady(target, scope, mapping, key):
            continue
        value = target.fresh("value", f"{key}_value")
        changes: dict[cst.CSTNode, Change] = {read: cst.Name(value) for read in reads}
        if len(scope.uses(target, key)) == len(reads):
            heads = {"target": cst.Name(value), "iter": build("__d.values()", d=mapping)}
        else:
            heads = {
                "target": build("__k, __v", k=key, v=value),
                "iter": build("__d.items()", d=mapping),
            }
        yield Rewrite(replaced(scope, changes, **heads), adversarial=about(target, mapping))


def slice_clamp(target: Target) -> Iterator[Rewrite]:
    """``xs[a:min(b, len(xs))]``: a slice stops at the end by itself."""
    for node in target.nodes:
        found = target.match_any(
            ("__x[__a:min(__b, len(__x))]", "__x[__a:min(len(__x), __b)]"), node
        )
        if found:
            yield Rewrite(
                {node: build("__x[__a:__b]", **found)}, adversarial=about(target, found["x"])
            )
        found = target.match_any(("__x[:min(__b, len(__x))]", "__x[:min(len(__x), __b)]"), node)
        if found:
            yield Rewrite(
                {node: build("__x[:__b]", **found)}, adversarial=about(target, found["x"])
            )


SEQUENCES = ("list", "str", "tuple", "bytes")
WHOLE_RANGE = ("range(len(__x))", "range(0, len(__x))", "range(0, len(__x), 1)")


def mirror_loop(target: Target) -> Iterator[Rewrite]:
    """``xs[i]`` against ``xs[len(xs) - 1 - i]``: walk from both ends."""
    for scope in scopes(target):
        loop = scope.loop
        half = target.match_any(("range(len(__x) // 2)", "range(0, len(__x) // 2)"), loop.iter)
        found = half or target.match_any(WHOLE_RANGE, loop.iter)
        if not found or not isinstance(loop.target, cst.Name):
            continue
        sequence, index = found["x"], loop.target.value
        if not is_pure(target, sequence) or not is_steady(target, scope, sequence, index):
            continue
        near = subscripts(target, scope, sequence, index)
        far = _mirrored(target, scope, sequence, index)
        if not near or not far or not may_be(target, sequence, *SEQUENCES):
            continue
        if len(scope.uses(target, index)) != len(near) + len(far):
            continue
        first = element_name(target, sequence)
        last = target.fresh("opposite", f"opposite_{first}")
        changes: dict[cst.CSTNode, Change] = {
            **{node: cst.Name(first) for node in near},
            **{node: cst.Name(last) for node in far},
        }
        pair = build("__a, __b", a=first, b=last)
        adversarial = about(target, sequence)
        forward = build("__x[:len(__x) // 2]", x=sequence) if half else sequence
        both = build("zip(__a, reversed(__x))", a=forward, x=sequence)
        yield Rewrite(replaced(scope, changes, target=pair, iter=both), adversarial=adversarial)
        if not half and isinstance(loop, cst.For) and _is_symmetric_exit(target, loop, near, far):
            halved = build("range(len(__x) // 2)", x=sequence)
            yield Rewrite(replaced(scope, {}, iter=halved), adversarial=adversarial)


def _mirrored(target: Target, scope: Scope, sequence: cst.CSTNode, index: str) -> list[cst.CSTNode]:
    examples = (
        "__x[len(__x) - 1 - __i]", "__x[len(__x) - __i - 1]", "__x[-1 - __i]", "__x[-__i - 1]",
        "__x[~__i]", "__x[-(__i + 1)]", "__x[len(__x) - (__i + 1)]",
    )  # fmt: skip
    return [
        node
        for part in scope.parts
        for node in descendants(part)
        if (found := target.match_any(examples, node))
        and same(found["x"], sequence)
        and is_named(found["i"], index)
    ]


def _is_symmetric_exit(
    target: Target, loop: cst.For, near: list[cst.Subscript], far: list[cst.CSTNode]
) -> bool:
    """Whether the body is ``if near != far: return constant``, the same from both ends."""
    found = target.match_any(
        ("if __a != __b:\n    return __c\n", "if not __a == __b:\n    return __c\n"),
        loop.body.body[0],
    )
    return bool(
        found
        and len(loop.body.body) == 1
        and {id(found["a"]), id(found["b"])} == {id(near[0]), id(far[0])}
        and not names(found["c"]) - {"True", "False", "None"}
    )


def equal_loop(target: Target) -> Iterator[Rewrite]:
    """Element by element comparison that ends at the first difference: compare the sequences."""
    heads = (
        "for __i in range(len(__a)):\n    if __a[__i] != __b[__i]:\n        return __no\n",
        "for __i in range(len(__n)):\n    if __a[__i] != __b[__i]:\n        return __no\n",
        "for __x, __y in zip(__a, __b):\n    if __x != __y:\n        return __no\n",
        "for __i, __x in enumerate(__a):\n    if __x != __b[__i]:\n        return __no\n",
    )
    for loop in target.nodes:
        found = target.match_any(heads, loop) if isinstance(loop, cst.For) else None
        if not found or names(found["no"]) - {"True", "False", "None"}:
            continue
        left, right = found["a"], found["b"]
        reverse = target.match("reversed(__x)", right)
        if reverse:
            if not same(left, reverse["x"]):
                continue
            right = build("__x[::-1]", x=reverse["x"])
        if (
            base(kind_of(target, left))
            and base(kind_of(target, right))
            and (base(kind_of(target, left)) != base(kind_of(target, right)))
        ):
            continue
        changed = build_statement(
            "if __a != __b:\n    return __no\n", a=left, b=right, no=found["no"]
        )
        yield Rewrite({loop: changed}, adversarial=about(target, left, right))


RULES = (
    Rule(
        "dict-items",
        "Walk over the items",
        "`d[k]` hashes and looks up every key again.",
        dict_items,
    ),
    Rule(
        "slice-clamp",
        "Let the slice stop at the end",
        "A slice never reads past the end, so the bound needs no min().",
        slice_clamp,
    ),
    Rule(
        "mirror-loop",
        "Walk from both ends at once",
        "Index arithmetic for the mirrored element costs more than walking backwards in C.",
        mirror_loop,
    ),
    Rule(
        "equal-loop",
        "Compare the sequences",
        "Sequences compare their elements in C and stop at the first difference.",
        equal_loop,
    ),
)
