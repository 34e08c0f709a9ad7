"""Writes inputs that tell a wrong use of a rewrite apart, as Python expressions of `(args, kwargs)`; it evaluates none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import libcst as cst

from assist.analysis.rules.kinds import base, element, parameter_kind
from assist.analysis.rules.target import Target

CALLS_MAX = 24

EQUAL_BUT_DIFFERENT = "[1, True, 1.0, 0, False, 0.0, -0.0]"
NOT_A_NUMBER = "[float('nan'), 1.0, float('nan')]"
UNHASHABLE = "[[1], [2], [1]]"
REPEATED = "[3, 1, 3, 2, 1, 3]"
SORTED_TIES = "[1, 1.0, True, 2, 2.0]"

_SAMPLES = {
    "int": "7",
    "float": "2.5",
    "bool": "True",
    "str": "'abcab'",
    "bytes": "b'abcab'",
    "list": "[3, 1, 2, 3]",
    "list[int]": "[3, 1, 2, 3]",
    "list[float]": "[0.5, 2.25, -1.0, 0.5]",
    "list[str]": "['b', 'a', 'b', '']",
    "list[list]": "[[1, 2], [3], []]",
    "list[list[int]]": "[[1, 2], [3], []]",
    "dict": "{'a': 1, 'b': 2}",
    "set": "{1, 2, 3}",
    "frozenset": "frozenset({1, 2, 3})",
    "tuple": "(1, 2, 3)",
    "range": "range(5)",
    "iterator": "iter([1, 2, 3])",
}
_LISTS = {
    "int": ("[]", "[5]", REPEATED, "[0, -1, 2**70]"),
    "float": ("[]", "[1.5]", "[0.1, 0.2, 0.3, 0.1]", NOT_A_NUMBER, "[0.0, -0.0, float('inf')]"),
    "str": ("[]", "['']", "['a', 'A', 'a', 'ß']"),
    "": ("[]", REPEATED, EQUAL_BUT_DIFFERENT, NOT_A_NUMBER, UNHASHABLE),
}
_STRINGS = ("''", "'a'", "'aA1 ß\\u0130\\u0661'", "'  two  spaces '", "'xyx'")
_INTEGERS = ("0", "1", "-1", "2", "-7", "97", "10**20")
_FLOATS = ("0.0", "-0.0", "1.5", "float('nan')", "float('inf')")


def calls(target: Target, variants: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Calls of the function with each variant of a parameter, the others at an ordinary value.

    Methods get none: a receiver cannot be made up. Parameters with a default keep it.
    """
    if "." in target.qualname or any(name in target.parameters for name in ("self", "cls")):
        return ()
    required = [
        name
        for name, param in target.parameters.items()
        if param.default is None and not _is_star(param)
    ]
    keyword_only = {param.name.value for param in target.function.params.kwonly_params}
    found: list[str] = []
    for varied, expressions in variants.items():
        for expression in expressions:
            values = {name: _ordinary(target, name) for name in required} | {varied: expression}
            positional = [
                name for name in target.parameters if name in values and name not in keyword_only
            ]
            skipped = [
                name
                for name in target.parameters
                if name not in values and name not in keyword_only
            ]
            if (
                skipped
                and positional
                and _index(target, positional[-1]) > _index(target, skipped[0])
            ):
                continue
            args = "".join(f"{values[name]}, " for name in positional)
            kwargs = ", ".join(
                f"{name!r}: {values[name]}" for name in values if name in keyword_only
            )
            found.append(f"(({args}), {{{kwargs}}})")
    return tuple(dict.fromkeys(found))[:CALLS_MAX]


def about(target: Target, *nodes: cst.CSTNode | None) -> tuple[str, ...]:
    """Boundary inputs for those of `nodes` that are parameters, by what is known of their kind."""
    variants: dict[str, Sequence[str]] = {}
    for node in nodes:
        if isinstance(node, cst.Name) and node.value in target.parameters:
            variants[node.value] = boundaries(parameter_kind(target, node.value))
    return calls(target, variants)


def boundaries(kind: str) -> Sequence[str]:
    """Values at the edges of a kind; none of an unknown kind, which would only test wrong uses."""
    head = base(kind)
    if head == "str":
        return _STRINGS
    if head in {"int", "bool"}:
        return _INTEGERS
    if head == "float":
        return _FLOATS
    return _LISTS.get(element(kind), _LISTS[""]) if head == "list" else ()


def _ordinary(target: Target, name: str) -> str:
    kind = parameter_kind(target, name)
    if kind:
        return _SAMPLES.get(kind) or _SAMPLES.get(base(kind), "1")
    for node in target.uses(name):
        above = target.parent(node)
        if isinstance(above, (cst.For, cst.CompFor)) and above.iter is node:
            return _SAMPLES["list"]
        if isinstance(above, cst.Subscript) and above.value is node:
            return _SAMPLES["list"]
        if isinstance(above, cst.Arg) and target.match("len(__x)", target.parent(above)):
            return _SAMPLES["list"]
    return "3"


def _is_star(param: cst.Param) -> bool:
    return isinstance(param.star, str) and bool(param.star)


def _index(target: Target, name: str) -> int:
    return list(target.parameters).index(name)
