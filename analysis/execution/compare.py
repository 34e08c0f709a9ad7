"""Says in one line how two outcomes of the same call differ, or that they do not; strict unless a relaxation was declared.

Both outcomes come from workers as flat graphs (see ``worker_encode.py``) and are only read
as data. Mutable objects must correspond one to one, so that aliasing between arguments,
result and globals is compared too.
"""

from __future__ import annotations

import array
import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from assist.analysis.execution.types import Relaxation

TEXT_CHARACTERS_MAX = 120
IMMUTABLE_KINDS = frozenset({"tuple", "frozenset", "name", "module", "function", "method", "proxy"})
IMMUTABLE_TYPES = (
    "datetime.", "decimal.Decimal", "fractions.", "uuid.", "pathlib.", "re.Pattern", "builtins.range",
    "builtins.slice", "numpy.float", "numpy.int", "numpy.uint", "numpy.bool", "numpy.str_", "ipaddress.",
    "zoneinfo.", "numpy.complex", "numpy.datetime64", "numpy.timedelta64",
)  # fmt: skip
NOT_APPLICABLE = "not applicable"
FLOAT_ARRAYS = {"dtype('float64')": "d", "dtype('float32')": "f"}


@dataclass(frozen=True)
class Outcome:
    """What one call did, as the worker wrote it; ``crash`` tells of a worker that did not finish it, ``seconds`` how long it took."""

    raw: bytes
    crash: str = ""
    seconds: float = 0.0

    @cached_property
    def data(self) -> dict[str, Any]:
        try:
            parsed = json.loads(self.raw) if self.raw else {}
        except (ValueError, RecursionError):
            parsed = {}
        return parsed if isinstance(parsed, dict) else {}

    @property
    def problem(self) -> str:
        """Why there is nothing to compare; empty if there is."""
        if self.crash:
            return self.crash
        if "timeout" in self.data:
            return "did not finish in time"
        if "unusable" in self.data:
            return str(self.data["unusable"] or NOT_APPLICABLE)
        if "input" not in self.data or "nodes" not in self.data:
            return "no outcome was received"
        return ""

    @property
    def input_id(self) -> str:
        return str(self.data.get("input", ""))

    @property
    def raised(self) -> str | None:
        """Type name of the exception that the call raised."""
        if "raised" not in self.data:
            return None
        try:
            return str(self.data["nodes"][self.data["raised"]["#"]][1])
        except (KeyError, IndexError, TypeError):
            return "?"


def difference(
    before: Outcome, after: Outcome, relaxations: Iterable[Relaxation] = ()
) -> str | None:
    """How ``after`` differs from ``before`` in anything a caller could notice; None if it does not."""
    if before.raw == after.raw and not before.crash and not after.crash:
        return None
    if before.problem or after.problem:
        return after.problem or before.problem
    one, other = before.data, after.data
    if one["input"] != other["input"]:
        return "the input cannot be built twice alike"
    if ("raised" in one) != ("raised" in other):
        if after.raised:
            return f"raises {after.raised} where the old version returns"
        return f"returns where the old version raises {before.raised}"
    comparison = _Comparison(one, other, tuple(relaxations))
    # an old version that is too slow is called once; a new one that is quick is called twice
    once = "again" not in one
    for part in ("result", "raised", "args", "globals", "again"):
        if once and part == "again":
            continue
        found = comparison.walk(one.get(part), other.get(part), _PART[part])
        if found:
            return found
    for field, label in _TEXTS.items():
        if once and field.endswith("_again"):
            continue
        if field == "warnings" and comparison.are_numpy_warnings(one, other):
            continue
        if one.get(field) != other.get(field):
            return f"{label}: {_short(one.get(field))} became {_short(other.get(field))}"
    return None


def values_differ(
    first: Any,
    first_nodes: list[Any],
    second: Any,
    second_nodes: list[Any],
    relaxations: Iterable[Relaxation],
) -> str | None:
    """``difference`` for two values alone."""
    one, other = {"nodes": first_nodes}, {"nodes": second_nodes}
    return _Comparison(one, other, tuple(relaxations)).walk(first, second, "result")


_PART = {
    "result": "result",
    "raised": "exception",
    "args": "arguments after the call",
    "globals": "module data after the call",
    "again": "result of a second call",
}
_TEXTS = {
    "stdout": "printed text",
    "stderr": "text on standard error",
    "warnings": "warnings",
    "log": "order of iteration and calls",
    "log_again": "order of iteration and calls, second time",
    "stdout_again": "printed text, second time",
    "events": "effects outside",
    "random": "use of random numbers",
    "state": "settings of the interpreter",
    "opaque": "values that cannot be looked into",
}


class _Comparison:
    def __init__(
        self, before: dict[str, Any], after: dict[str, Any], relaxations: tuple[Relaxation, ...]
    ) -> None:
        self.one: list[Any] = before["nodes"]
        self.other: list[Any] = after["nodes"]
        self.ulp = max((r.amount for r in relaxations if r.kind == "float_ulp"), default=0)
        self.set_order = any(r.kind == "set_order" for r in relaxations)
        self.numpy_warnings = any(r.kind == "numpy_warnings" for r in relaxations)
        self.forward: dict[int, int] = {}
        self.backward: dict[int, int] = {}
        self.seen: set[tuple[int, int]] = set()

    def walk(self, first: Any, second: Any, where: str) -> str | None:
        waiting = [(first, second, where)]
        while waiting:
            a, b, place = waiting.pop()
            if isinstance(a, dict) and isinstance(b, dict):
                if "#" in a and "#" in b:
                    found = self._nodes(a["#"], b["#"], place, waiting)
                    if found:
                        return found
                elif a != b and not self._close(a, b):
                    return f"{place}: {_atom(a)} became {_atom(b)}"
            elif isinstance(a, list) and isinstance(b, list):
                if len(a) != len(b):
                    return f"{place}: {len(a)} items became {len(b)}"
                waiting += [
                    (x, y, f"{place}[{i}]")
                    for i, (x, y) in reversed(list(enumerate(zip(a, b, strict=True))))
                ]
            elif type(a) is not type(b) or a != b:
                return f"{place}: {self._text(a, True)} became {self._text(b, False)}"
        return None

    def are_numpy_warnings(self, one: dict[str, Any], other: dict[str, Any]) -> bool:
        """Whether all that both versions warn of is what numpy says of single numbers, and that is let pass."""
        warned = [*(one.get("warnings") or []), *(other.get("warnings") or [])]
        return self.numpy_warnings and all(
            isinstance(each, list)
            and len(each) == 2
            and each[0] == "builtins.RuntimeWarning"
            and " encountered in " in str(each[1])
            for each in warned
        )

    def _nodes(self, i: int, j: int, place: str, waiting: list[Any]) -> str | None:
        if (i, j) in self.seen:
            return None
        self.seen.add((i, j))
        try:
            a, b = self.one[i], self.other[j]
            kind_a, kind_b = _kind(a), _kind(b)
        except (IndexError, TypeError):
            return f"{place}: the outcome is garbled"
        if kind_a != kind_b:
            return f"{place}: {self._text({'#': i}, True)} became {self._text({'#': j}, False)}"
        if not _is_immutable(a) and not self._corresponds(i, j):
            return f"{place}: another object is shared here than before"
        if a[0] == "dict" or a[0] == "list" or a[0] == "tuple":
            return self._container(a, b, place, waiting)
        if a[0] in ("set", "frozenset") and self.set_order:
            a, b = [a[0], a[1], *_sorted(a[2:])], [b[0], b[1], *_sorted(b[2:])]
        if a[0] == "ndarray" and self._arrays_close(a, b):
            return None
        waiting.append((a, b, place))
        return None

    def _corresponds(self, i: int, j: int) -> bool:
        return self.forward.setdefault(i, j) == j and self.backward.setdefault(j, i) == i

    def _container(self, a: list[Any], b: list[Any], place: str, waiting: list[Any]) -> str | None:
        if len(a) != len(b):
            step = 2 if a[0] == "dict" else 1
            return f"{place}: {a[0]} of {(len(a) - 1) // step} became one of {(len(b) - 1) // step}"
        pairs = list(enumerate(zip(a[1:], b[1:], strict=True)))
        for position, (x, y) in reversed(pairs):
            if a[0] == "dict" and position % 2 == 0:
                label = f"{place}, key {position // 2 + 1} in order"
            elif a[0] == "dict":
                label = f"{place}[{self._text(a[position], True)}]"
            else:
                label = f"{place}[{position}]"
            waiting.append((x, y, label))
        return None

    def _close(self, a: dict[str, Any], b: dict[str, Any]) -> bool:
        if not self.ulp or set(a) != set(b) or not set(a) & {"f", "c"}:
            return False
        try:
            (x,), (y,) = a.values(), b.values()
            one, other = bytes.fromhex(x), bytes.fromhex(y)
        except ValueError:
            return False
        return len(one) == len(other) and all(
            ulp_distance(one[k : k + 8], other[k : k + 8]) <= self.ulp
            for k in range(0, len(one), 8)
        )

    def _arrays_close(self, a: list[Any], b: list[Any]) -> bool:
        code = FLOAT_ARRAYS.get(a[1])
        if not self.ulp or code is None or a[:6] != b[:6]:
            return False
        first, second = array.array(code), array.array(code)
        try:
            first.frombytes(bytes.fromhex(a[6]))
            second.frombytes(bytes.fromhex(b[6]))
        except (ValueError, TypeError):
            return False
        unit = 2.0**-52 if code == "d" else 2.0**-23
        return len(first) == len(second) and all(
            x == y or (x != x and y != y) or abs(x - y) <= self.ulp * unit * max(abs(x), abs(y))
            for x, y in zip(first, second, strict=True)
        )

    def _text(self, reference: Any, first: bool) -> str:
        if isinstance(reference, dict) and "#" in reference:
            nodes = self.one if first else self.other
            try:
                return f"a value of {_kind(nodes[reference['#']])[1]}"
            except (IndexError, TypeError):
                return "?"
        return _atom(reference)


def ulp_distance(a: bytes, b: bytes) -> float:
    """Distance of two big-endian doubles in units in the last place; infinite across NaN or sign."""
    x, y = struct.unpack(">d", a)[0], struct.unpack(">d", b)[0]
    if x != x or y != y:
        return 0 if x != x and y != y else float("inf")
    if (x < 0) != (y < 0) and not x == y == 0:
        return float("inf")
    return abs(struct.unpack(">q", a)[0] - struct.unpack(">q", b)[0]) if x != y else 0


def _kind(node: Any) -> tuple[str, str]:
    kind = str(node[0])
    if kind in ("object", "reduced", "opaque", "pandas"):
        return kind, str(node[1])
    return kind, kind


def _is_immutable(node: Any) -> bool:
    kind, name = _kind(node)
    if kind in IMMUTABLE_KINDS or (kind == "reduced" and name.startswith(IMMUTABLE_TYPES)):
        return True
    if kind == "pandas" and name.endswith("Index"):
        return True  # pandas hands the same or another one out as it sees fit
    content = node[3] if kind == "object" and len(node) > 3 else None
    return isinstance(content, list) and content[:1] == ["atom"] and not node[2]


def _sorted(items: list[Any]) -> list[Any]:
    return sorted(items, key=lambda item: json.dumps(item))


def _atom(value: Any) -> str:
    if isinstance(value, dict):
        if "f" in value:
            try:
                return repr(struct.unpack(">d", bytes.fromhex(value["f"]))[0])
            except (ValueError, TypeError, struct.error):
                return "?"
        if "y" in value:
            return _short(f"bytes {value['y']}")
        return _short(next(iter(value.values()), "?"))
    return _short(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= TEXT_CHARACTERS_MAX else text[:TEXT_CHARACTERS_MAX] + "…"
