"""Worker, part 5: builds the inputs of a call from their specification; the same specification gives equal values in every process.

A specification is ``{"pickle": base64}`` (a recorded call), ``{"expression": text}``
(evaluates to ``(args, kwargs)`` in the module's namespace), or another one changed:
``{"base": …, "mutate": seed}``, ``{"base": …, "variant": name}``,
``{"base": …, "scale": factor, "what": …}``, ``{"base": …, "moved": turn}``,
``{"base": …, "shrink": index}``.
"""

from __future__ import annotations

import base64
import copy
import itertools
import pickle
import random
from typing import Any, Iterator

from assist.analysis.execution.worker_arrays import (
    grown_frame,
    is_array,
    is_frame,
    moved_array,
    moved_frame,
)
from assist.analysis.execution.worker_mutations import (
    RECORD_ITEMS_MAX,
    SLOTS_MAX,
    _replaced,
    _slots,
    mutated,
)
from assist.analysis.execution.worker_variants import variant

SHRINKS_MAX = 60
GROWN_ITEMS_MAX = 2_000_000


class AssistSource:
    """An iterator that writes down when it is asked for an item."""

    def __init__(self, items: Any, log: list[Any]) -> None:
        self._items = list(items)
        self._position = 0
        self._log = log

    def __iter__(self) -> AssistSource:
        return self

    def __next__(self) -> Any:
        self._log.append(["pull", self._position])
        if self._position >= len(self._items):
            raise StopIteration
        self._position += 1
        return self._items[self._position - 1]


class AssistFunction:
    """A callable that writes down its calls; ``kind`` selects what it answers."""

    def __init__(self, kind: int, log: list[Any]) -> None:
        self._kind = kind
        self._log = log

    def __call__(self, *values: Any) -> Any:
        self._log.append(["call", len(values), repr(values)[:200]])
        first = values[0] if values else None
        if self._kind == 0:
            return first
        if self._kind == 1:
            return len(repr(first)) % 2 == 0
        return repr(first)


def build_input(
    specification: dict[str, Any], namespace: dict[str, Any], log: list[Any], receiver: bool
) -> Any:
    """``[args, kwargs]`` of one call, all of it new objects; raises what the specification raises."""
    if "pickle" in specification:
        args, kwargs, touched = pickle.loads(base64.b64decode(specification["pickle"]))
        namespace.update(touched)
        return [list(args), dict(kwargs)]
    if "expression" in specification:
        scope = dict(namespace)
        scope["_assist_source"] = lambda items: AssistSource(items, log)
        scope["_assist_function"] = lambda kind: AssistFunction(kind, log)
        args, kwargs = eval(specification["expression"], scope)
        return [list(args), dict(kwargs)]
    call = build_input(specification["base"], namespace, log, receiver)
    if "mutate" in specification:
        generator = random.Random(specification["mutate"])
        for _ in range(generator.choice((1, 1, 2))):
            call = mutated(call, generator, receiver)
        return call
    if "variant" in specification:
        return variant(call, specification["variant"], specification.get("value"), receiver)
    if "scale" in specification:
        return scaled(call, specification["scale"], specification["what"], receiver)
    if "moved" in specification:
        return moved(call, specification["moved"], receiver)
    for variation in itertools.islice(shrunk(call, receiver), specification["shrink"], None):
        return variation
    raise LookupError("no smaller input")


# ------------------------------------------------------------------ growing


def scaled(call: Any, factor: int, what: str, receiver: bool) -> Any:
    """The same call, ``factor`` times larger; ``what`` is ``containers``, ``numbers`` or ``both``."""
    args = [
        value if receiver and index == 0 else _grown(value, factor, what)
        for index, value in enumerate(call[0])
    ]
    return [args, {key: _grown(value, factor, what) for key, value in call[1].items()}]


def _grown(value: Any, factor: int, what: str) -> Any:
    kind = type(value)
    if kind is int:
        return value * factor if what != "containers" else value
    if what == "numbers":
        return value
    if kind in (str, bytes):
        return value * factor
    if (
        isinstance(value, (list, tuple, dict, set, frozenset))
        and len(value) * factor > GROWN_ITEMS_MAX
    ):
        return value
    if isinstance(value, (list, tuple)):
        items = list(value)
        stride = _stride(items)
        grown = items + [_moved(item, turn, stride) for turn in range(1, factor) for item in items]
        if isinstance(value, list):
            value[:] = grown
            return value
        return tuple(grown) if kind is tuple else value
    if isinstance(value, dict):
        stride = _stride(list(value))
        pairs = list(value.items())
        for turn in range(1, factor):
            value.update({_moved(k, turn, stride): copy.deepcopy(v) for k, v in pairs})
        return value
    if isinstance(value, (set, frozenset)):
        items = sorted(value, key=repr)
        stride = _stride(items)
        return kind(
            items + [_moved(item, turn, stride) for turn in range(1, factor) for item in items]
        )
    if is_array(value) and value.ndim:
        return value.repeat(factor, axis=0)
    if is_frame(value):
        return grown_frame(value, factor)
    return value


def moved(call: Any, turn: int, receiver: bool) -> Any:
    """The same call with other values of the same kinds and sizes; a number alone moves a little."""
    args = [
        value if receiver and index == 0 else _moved_argument(value, turn)
        for index, value in enumerate(call[0])
    ]
    return [args, {key: _moved_argument(value, turn) for key, value in call[1].items()}]


def _moved_argument(value: Any, turn: int) -> Any:
    kind = type(value)
    if kind is int:
        return value + turn % 5
    if kind is float:
        return value + turn * 1e-3
    if kind is str:
        return f"{value}{turn}"
    if kind in (list, tuple, dict):
        return _moved(value, turn, 1000)
    if kind in (set, frozenset):
        return kind(_moved(each, turn, 1000) for each in sorted(value, key=repr))
    if is_frame(value):
        return moved_frame(value, turn)
    return moved_array(value, turn) if is_array(value) else value


def _stride(items: list[Any]) -> int:
    numbers = [item for item in items if type(item) in (int, float) and abs(item) < 1e15]
    return int(max(numbers) - min(numbers)) + 1 if numbers else 1000


def _moved(value: Any, turn: int, stride: int) -> Any:
    """A new value of the same kind, different from those of other turns."""
    kind = type(value)
    if kind is int or kind is float:
        return value + turn * stride
    if kind is str:
        return (
            value + "abcdefghijklmnopqrstuvwxyz"[turn % 26] * (1 + turn // 26) if value else value
        )
    if kind is bytes:
        return value + bytes([turn % 256])
    if kind is list:
        inner = _stride(value)
        return [_moved(each, turn, inner) for each in value]
    if kind is tuple:
        return tuple(_moved(each, turn, stride) for each in value)
    if kind is dict:
        return {key: _moved(each, turn, stride) for key, each in value.items()}
    return copy.deepcopy(value)


# ------------------------------------------------------------------ shrinking


def shrunk(call: Any, receiver: bool) -> Iterator[Any]:
    """Smaller calls, the boldest first, at most ``SHRINKS_MAX``."""
    made = 0
    for path, value in itertools.islice(_slots(call, receiver), SLOTS_MAX):
        for smaller in _smaller(value):
            if made >= SHRINKS_MAX:
                return
            made += 1
            yield _replaced(copy.deepcopy(call), path, smaller)


def _is_record(value: Any) -> bool:
    return isinstance(value, tuple) and (
        len(value) <= RECORD_ITEMS_MAX or hasattr(value, "_fields")
    )


def _smaller(value: Any) -> Iterator[Any]:
    kind = type(value)
    whole = value
    if kind is int and value not in (0, 1):
        yield from dict.fromkeys((0, 1, 2, value // 2, value - 1 if value > 0 else value + 1))
    elif kind is float and value not in (0.0, 1.0):
        yield from (0.0, 1.0)
        if abs(value) < 1e15 and not float(value).is_integer():
            yield float(int(value))
    elif isinstance(value, (str, bytes, list, tuple)) and len(value) and not _is_record(value):
        middle = len(value) // 2
        yield value[:0]
        if middle:
            yield value[:middle]
            yield value[middle:]
        if 1 < len(value) <= 12:
            for index in range(len(value)):
                yield whole[:index] + whole[index + 1 :]
        if kind is str and value != "a" * len(value):
            yield "a" * len(value)
    elif isinstance(value, dict) and value:
        keys = list(value)
        for left in (keys[:0], keys[: len(keys) // 2], keys[len(keys) // 2 :], keys[1:]):
            if len(left) < len(keys):
                yield {key: value[key] for key in left}
    elif isinstance(value, (set, frozenset)) and value:
        items = sorted(value, key=repr)
        yield kind(items[:0])
        yield kind(items[: len(items) // 2])
        yield kind(items[1:])
