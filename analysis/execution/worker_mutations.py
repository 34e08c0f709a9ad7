"""Worker, part 3: changes the arguments of a call at random; the same seed makes the same change in every process."""

from __future__ import annotations

import copy
import itertools
import random
from typing import Any, Iterator

from assist.analysis.execution.worker_arrays import (
    is_array,
    is_frame,
    mutated_array,
    mutated_frame,
)

SLOTS_MAX = 200
DEPTH_MAX = 4
RECORD_ITEMS_MAX = 3


class AssistDict(dict):  # type: ignore[type-arg]
    """A subclass of ``dict`` that changes nothing."""


class AssistNumber(int):
    """A subclass of ``int`` that changes nothing."""


class AssistList(list):  # type: ignore[type-arg]
    """A subclass that changes nothing: code for lists must keep its behaviour with it."""


class AssistText(str):
    """A subclass of ``str`` that changes nothing."""


# ------------------------------------------------------------------ mutations


def mutated(call: Any, generator: random.Random, receiver: bool) -> Any:
    """One small change somewhere in the arguments that keeps their kind."""
    slots = list(itertools.islice(_slots(call, receiver), SLOTS_MAX))
    slots = [slot for slot in slots if _can_mutate(slot[1])]
    if not slots:
        return call
    if len(slots) > 1 and generator.random() < 0.06:
        (_one, first), (other, second) = generator.sample(slots, 2)
        if type(first) is type(second) and isinstance(first, (list, dict, set)):
            return _replaced(call, other, first)  # two arguments become one object
    weights = [1.0 / (1 + len(path)) for path, _ in slots]
    path, value = generator.choices(slots, weights)[0]
    return _replaced(call, path, mutated_value(value, generator))


def _can_mutate(value: Any) -> bool:
    if isinstance(value, (bool, int, float, str, bytes, list, tuple, dict, set, frozenset)):
        return True
    return is_array(value) or is_frame(value)


def mutated_value(value: Any, generator: random.Random) -> Any:
    kind = type(value)
    if kind is bool:
        return not value
    if kind is int:
        near = [0, 1, -1, value + 1, value - 1, -value, value * 2, value // 2, 2, value + 17]
        rare = [2**31, 2**63, -(2**63) - 1, 10**20, True, False]
        return generator.choice(near if generator.random() < 0.85 else rare)
    if kind is float:
        return generator.choice(
            [0.0, -0.0, 1.0, -value, value * 2, value / 3, value + 1e-9, value + 0.1, float("nan"),
             float("inf"), float("-inf"), 5e-324, 1e308, int(value) if abs(value) < 1e15 else 1.0]
        )  # fmt: skip
    if isinstance(value, str):
        return _mutated_text(value, generator)
    if kind is bytes:
        return generator.choice(
            [b"", value[:1], value[:-1], value * 2, value[::-1], value + b"\0\xff"]
        )
    if isinstance(value, tuple) and len(value) <= RECORD_ITEMS_MAX:
        return _mutated_record(value, generator)
    if isinstance(value, (list, tuple)):
        return _mutated_sequence(value, generator)
    if isinstance(value, dict):
        return _mutated_dict(value, generator)
    if isinstance(value, (set, frozenset)):
        items = sorted(value, key=repr)
        chosen = generator.choice([items[:0], items[:1], items[1:], items[:-1], items[::-1]])
        return kind(chosen)
    if is_array(value):
        return mutated_array(value, generator)
    return mutated_frame(value, generator) if is_frame(value) else value


def _mutated_text(value: str, generator: random.Random) -> str:
    middle = len(value) // 2
    choices = [
        "", value[:1], value[:-1], value[1:], value + value, value[::-1], value.upper(),
        value.swapcase(), value + " ", " " + value, value + "\n", value[:middle] + "é😀" + value[middle:],
        value[:middle] + value[middle : middle + 1] * 2 + value[middle + 1 :], value.replace(value[:1], ""),
        value[:middle] + "\0" + value[middle:], value[:middle] + "ßİ" + value[middle:], AssistText(value),
        value[:middle] + str(generator.randrange(100)) + value[middle:], value.title(), value + value[:1],
    ]  # fmt: skip
    return generator.choice(choices)


def _mutated_record(value: Any, generator: random.Random) -> Any:
    """A short tuple is a record: it keeps its length."""
    if not value:
        return value
    items = list(value)
    index = generator.randrange(len(items))
    items[index] = mutated_value(items[index], generator)
    return _tuple(value, items)


def _mutated_sequence(value: Any, generator: random.Random) -> Any:
    items = list(value)
    kind = type(value)
    pick = generator.randrange(16)
    if not items or pick == 0:
        items = []
    elif pick == 1:
        items = items[:1]
    elif pick == 2:
        del items[generator.randrange(len(items))]
    elif pick == 3:
        items.append(items[generator.randrange(len(items))])  # the same object twice
    elif pick == 4:
        items.insert(0, copy.deepcopy(items[-1]))
    elif pick == 5:
        items.reverse()
    elif pick == 6:
        items = _sorted(items)
    elif pick == 7:
        generator.shuffle(items)
    elif pick == 8:
        items = items[1:] + items[:1]
    elif pick == 9:
        items = items * 2
    elif pick == 10:
        items = [copy.deepcopy(items[0]) for _ in items]
    elif pick == 11:
        items = _sorted(items)[::-1]
    elif pick == 12 and kind is list:
        return AssistList(items)
    else:
        index = generator.randrange(len(items))
        if pick == 13:
            items[index] = _equal_of_other_type(items[index])
        else:
            items[index] = mutated_value(items[index], generator)
    if kind is list:
        value[:] = items
        return value
    return _tuple(value, items)


def _equal_of_other_type(value: Any) -> Any:
    """1, True and 1.0 are equal and hash alike; code that forgets which it saw is found out."""
    if type(value) is int and value in (0, 1):
        return bool(value)
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _mutated_dict(value: Any, generator: random.Random) -> Any:
    pairs = list(value.items())
    pick = generator.randrange(6)
    if not pairs or pick == 0:
        pairs = []
    elif pick == 1:
        del pairs[generator.randrange(len(pairs))]
    elif pick == 2:
        pairs.reverse()
    elif pick == 3:
        pairs = pairs[:1]
    elif pick == 4:
        key = pairs[generator.randrange(len(pairs))][0]
        try:
            pairs.append((mutated_value(key, generator), copy.deepcopy(pairs[0][1])))
        except Exception:
            pairs = pairs[1:]
    else:
        index = generator.randrange(len(pairs))
        pairs[index] = (pairs[index][0], mutated_value(pairs[index][1], generator))
    value.clear()
    for key, each in pairs:
        try:
            value[key] = each
        except TypeError:
            continue
    return value


def _sorted(items: list[Any]) -> list[Any]:
    try:
        return sorted(items)
    except Exception:
        return sorted(items, key=repr)


def _tuple(original: Any, items: list[Any]) -> Any:
    if type(original) is tuple:
        return tuple(items)
    if hasattr(original, "_fields") and len(items) == len(original._fields):
        return type(original)(*items)
    try:
        return type(original)(items)
    except Exception:
        return original


# ------------------------------------------------------------------ places in a call


def _slots(call: Any, receiver: bool) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Paths and values, shallow first; of a method's receiver only its attributes."""
    waiting: list[tuple[tuple[Any, ...], Any]] = []
    for index, value in enumerate(call[0]):
        if receiver and index == 0:
            own = getattr(value, "__dict__", None)
            if isinstance(own, dict) and not isinstance(value, type):
                waiting += [((0, 0, Attribute(name)), each) for name, each in own.items()]
        else:
            waiting.append(((0, index), value))
    waiting += [((1, key), value) for key, value in call[1].items()]
    while waiting:
        path, value = waiting.pop(0)
        yield path, value
        if len(path) > DEPTH_MAX:
            continue
        if isinstance(value, (list, tuple)):
            waiting += [((*path, index), each) for index, each in enumerate(value[:12])]
        elif isinstance(value, dict):
            waiting += [((*path, key), each) for key, each in list(value.items())[:12]]


class Attribute(str):
    """A step of a path that is an attribute and not a key."""


def _replaced(call: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(head, Attribute):
        object.__setattr__(call, head, _replaced(getattr(call, head), rest, value))
        return call
    inner = _replaced(call[head], rest, value)
    if isinstance(call, tuple):
        return _tuple(call, [*call[:head], inner, *call[head + 1 :]])
    call[head] = inner
    return call
