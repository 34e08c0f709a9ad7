"""What analysis knows about names and values, as plain data that crosses a pipe; it asks nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Name:
    """A name that fits at a place: ``kind`` is module, class, function, instance, param,
    property, statement, keyword or path; ``detail`` a short type or origin."""

    text: str
    kind: str
    detail: str = ""


@dataclass(frozen=True)
class Description:
    """Signatures and documentation of one name, as plain text."""

    signatures: tuple[str, ...] = ()
    documentation: str = ""


@dataclass(frozen=True)
class Parameter:
    """One parameter: ``kind`` is positional, either, keyword, arguments (``*``) or keywords (``**``);
    ``literals`` are the strings it accepts, where its type lists them."""

    name: str
    kind: str
    has_default: bool = False
    literals: frozenset[str] | None = None


@dataclass(frozen=True)
class Signature:
    """A way to call something, without the receiver; ``text`` as one would write it."""

    parameters: tuple[Parameter, ...]
    text: str = ""


@dataclass(frozen=True)
class Value:
    """What an expression is at a place; none means unknown, and unknown is always open.

    ``members``: every attribute it can have. ``signatures``: every way to call it, an empty tuple
    for what cannot be called. ``keys``: the string keys it has. ``strings``: the string values it
    can have. ``kind``: module, class, instance or function, empty where mixed. ``exception``:
    whether it can be raised or caught. ``submodules``: what ``import module.`` may name next.
    """

    members: frozenset[str] | None = None
    signatures: tuple[Signature, ...] | None = None
    keys: frozenset[str] | None = None
    strings: frozenset[str] | None = None
    kind: str = ""
    exception: bool | None = None
    submodules: frozenset[str] | None = None


OPEN = Value()


def value_to_json(value: Value) -> Json:
    return {
        "m": _sorted(value.members),
        "s": None
        if value.signatures is None
        else [
            [
                signature.text,
                [
                    [p.name, p.kind, p.has_default, _sorted(p.literals)]
                    for p in signature.parameters
                ],
            ]
            for signature in value.signatures
        ],
        "k": _sorted(value.keys),
        "t": _sorted(value.strings),
        "n": value.kind,
        "e": value.exception,
        "u": _sorted(value.submodules),
    }


def value_from_json(data: Json) -> Value:
    signatures = data["s"]
    return Value(
        members=_frozen(data["m"]),
        signatures=None
        if signatures is None
        else tuple(
            Signature(
                tuple(
                    Parameter(name, kind, default, _frozen(literals))
                    for name, kind, default, literals in parameters
                ),
                text,
            )
            for text, parameters in signatures
        ),
        keys=_frozen(data["k"]),
        strings=_frozen(data["t"]),
        kind=data["n"],
        exception=data["e"],
        submodules=_frozen(data["u"]),
    )


def _sorted(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _frozen(names: list[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)
