"""Worker, part 4: changes the arguments of a call in the ways that are known to break rewrites; a variant that does not fit a call is not made up."""

from __future__ import annotations

import copy
import itertools
from typing import Any

from assist.analysis.execution.worker_mutations import (
    RECORD_ITEMS_MAX,
    SLOTS_MAX,
    AssistDict,
    AssistList,
    AssistNumber,
    AssistText,
    _replaced,
    _slots,
    _sorted,
    _tuple,
)

LONG_ITEMS = 1500  # more than the recursion limit
HUGE = ((10**17 + 3) ** 2, 2**63, -(2**63) - 1, 2**31 - 1, 10**17 + 3, -(10**17))
SPECIAL_TEXTS = (
    "\u00b2", "\u0663", "\u00bd", "\u00df", "\u017f", "\u0130", "\u0131", "\x0b", "\x0c", "\x1c", "\x85",
    "\u2028", "\u00a0", "e\u0301", "\u01c5", "\r\n", "\r", "\t", "\n", "\0", "\U0001f600", "\ud800", "\ufb01",
    " ", "-", "0", "_", "a b", "A", "don't", "%s", "{}", "\\", "+1", "1_0", "1.5", "-0",
)  # fmt: skip
VARIANTS = (
    "subclass", "subclass_items", "collide", "nan", "nan_everywhere", "nan_equal", "subset", "superset", "alias", "alias_items", "equal",
    "member0", "member1", "member2", "missing", "case0", "case1", "case2", "empty0", "empty1", "empty2",
    "empties", "single", "pair", "reverse", "sorted", "sorted_reverse", "duplicates", "all_equal", "zeros", "ones",
    "minus_one", "negative", "signed_zeros", "texts", "swap", "index_last", "index_over", "none",
    *(f"number{position}:{which}" for position in range(4) for which in range(8)),
)  # fmt: skip


# ------------------------------------------------------------------ systematic variants


RELATIONS = ("alias", "equal", "swap", "nan_everywhere", "nan_equal", "subset", "superset")


class NotApplicable(LookupError):
    """The variant says nothing about this call."""


def variant(call: Any, name: str, value: Any, receiver: bool) -> Any:
    """The call changed in the way that ``name`` says; raises NotApplicable."""
    first = 1 if receiver else 0
    args, kwargs = call
    changed: list[Any]
    if name == "constant":
        return _with_constant(call, value, receiver)
    if name.startswith("text:"):
        changed = [_with_text(each, SPECIAL_TEXTS[int(name[5:])]) for each in args[first:]]
    elif name.startswith("huge:"):
        changed = _with_huge(args[first:], HUGE[int(name[5:])])
    elif name.startswith("number"):
        changed = _with_number(args[first:], int(name[6]), int(name[8:]))
    elif name == "long":
        changed = [_lengthened(each) for each in args[first:]]
    elif name in RELATIONS or name[:-1] in (
        "member",
        "case",
        "empty",
    ):
        changed = _related(args[first:], name)
    elif name in ("missing", "index_last", "index_over"):
        changed = _related_number(args[first:], name)
    else:
        changed = [_varied(each, name) for each in args[first:]]
    if not any(new is not old for new, old in zip(changed, args[first:])):
        raise NotApplicable(name)
    return [[*args[:first], *changed], kwargs]


def _varied(value: Any, name: str) -> Any:
    kind = type(value)
    if name == "subclass":
        for base, other in ((list, AssistList), (str, AssistText), (dict, AssistDict)):
            if kind is base:
                return other(value)
        return AssistNumber(value) if kind is int else value
    if name == "signed_zeros" or name in ("zeros", "ones", "minus_one", "negative"):
        return _with_numbers(value, name)
    if name == "none":
        return [*value, None] if kind is list and value and value[0] is None else value
    if kind not in (list, tuple) or not value or (kind is tuple and len(value) <= RECORD_ITEMS_MAX):
        return value
    items = _varied_items(list(value), name)
    if items is None or (len(items) == len(value) and all(a is b for a, b in zip(items, value))):
        return value
    return items if kind is list else _tuple(value, items)


def _varied_items(items: list[Any], name: str) -> Any:
    first = items[0]
    if name == "subclass_items":
        wrap = {str: AssistText, int: AssistNumber, list: AssistList, dict: AssistDict}.get(
            type(first)
        )
        return [wrap(item) if wrap and type(item) is type(first) else item for item in items]
    if name == "collide" and type(first) in (int, float):
        numbers: list[Any] = [True, 1, 0, False]
        if type(first) is float:
            numbers = [1.0, 1, True, 0.0, -0.0, 0]
        return [*numbers, *items, *reversed(numbers)]
    if name == "nan" and type(first) is float:
        nan = float("nan")
        return [nan, *items, nan, float("nan")]
    if name == "alias_items" and isinstance(first, (list, dict, set)):
        return [first, *items, first]
    if name == "texts" and type(first) is str:
        return [*items, *SPECIAL_TEXTS]
    shapes = {
        "single": items[:1], "pair": items[:2], "reverse": items[::-1], "duplicates": items + items,
        "all_equal": [copy.deepcopy(first) for _ in items], "sorted": _sorted(items),
        "sorted_reverse": _sorted(items)[::-1],
    }  # fmt: skip
    return shapes.get(name)


def _with_numbers(value: Any, name: str) -> Any:
    kind = type(value)
    if kind in (list, tuple) and value:
        items = [_with_numbers(item, name) for item in value]
        if name == "signed_zeros" and type(value[0]) is float:
            items = [0.0, -0.0, *items]
        return items if kind is list else _tuple(value, items)
    if kind is int or kind is float:
        fixed = {"zeros": kind(0), "ones": kind(1), "minus_one": kind(-1), "negative": -value}
        return fixed.get(name, -0.0 if kind is float else value)
    return value


def _with_text(value: Any, text: str) -> Any:
    if type(value) is str:
        return (
            text if len(value) % 2 else value[: len(value) // 2] + text + value[len(value) // 2 :]
        )
    if type(value) is list and value and type(value[0]) is str:
        return [*value[:2], text, value[0] + text]
    return value


def _with_huge(args: list[Any], huge: int) -> list[Any]:
    return [huge if type(each) is int else each for each in args]


def _with_number(args: list[Any], position: int, which: int) -> list[Any]:
    """One integer argument alone at a boundary: of zero, or of the length of a container among the others."""
    if position >= len(args) or type(args[position]) is not int:
        return args
    lengths = [len(each) for each in args if isinstance(each, (list, str, tuple, dict, set))]
    length = lengths[0] if lengths else 10
    number = (-1, 0, 1, 2, length - 1, length, length + 1, -length)[which]
    return [*args[:position], number, *args[position + 1 :]]


def _lengthened(value: Any) -> Any:
    if isinstance(value, (list, str)) and 0 < len(value) < LONG_ITEMS:
        return (value * (LONG_ITEMS // len(value) + 1))[:LONG_ITEMS]
    if type(value) is int and 0 < value < LONG_ITEMS:
        return LONG_ITEMS
    return value


def _related(args: list[Any], name: str) -> list[Any]:
    """Arguments that have to do with each other: the same object, equal, a member, another case."""
    if name.startswith("empty"):
        index = int(name[5:]) if name != "empties" else -1
        return [
            type(each)()
            if (index in (k, -1)) and type(each) in (list, str, dict, set, bytes) and each
            else each
            for k, each in enumerate(args)
        ]
    if name == "nan_everywhere":
        nan = float("nan")
        return [
            nan
            if type(each) is float
            else [nan, *each]
            if type(each) is list and each and type(each[0]) is float
            else each
            for each in args
        ]
    if name.startswith("member"):
        return _with_members(args, int(name[6:]))
    if len(args) < 2 or type(args[0]) is not type(args[1]):
        return args
    if name == "swap":
        return [args[1], args[0], *args[2:]]
    if name in ("nan_equal", "subset", "superset"):
        return _related_lists(args, name)
    if name == "alias":
        return [args[0], args[0], *args[2:]] if isinstance(args[0], (list, dict, set)) else args
    if name == "equal":
        return [args[0], copy.deepcopy(args[0]) if args[0] != args[1] else args[1], *args[2:]]
    if type(args[0]) is str:
        text = args[0] + ("Stra\u00dfe", "\u0130x", "AbC")[int(name[4:])]
        return [text, (text.casefold(), text.lower(), text.upper())[int(name[4:])], *args[2:]]
    return args


def _related_lists(args: list[Any], name: str) -> list[Any]:
    first = args[0]
    if type(first) is not list or not first:
        return args
    if name == "nan_equal":
        nan = float("nan")
        return [[nan, *first], [nan, *first], *args[2:]] if type(first[0]) is float else args
    part = first[: (len(first) + 1) // 2]
    return [first, part, *args[2:]] if name == "subset" else [part, first, *args[2:]]


def _with_members(args: list[Any], which: int) -> list[Any]:
    """A scalar argument becomes the first, middle or last member of a container among the others."""
    changed = list(args)
    for k, each in enumerate(args):
        if type(each) not in (int, str, float):
            continue
        for other in args:
            members = (
                list(other)
                if isinstance(other, (list, tuple, dict, set, str)) and other is not each
                else []
            )
            members = [member for member in members if type(member) is type(each)]
            if members:
                changed[k] = members[(0, len(members) // 2, -1)[which]]
                break
    return changed


def _related_number(args: list[Any], name: str) -> list[Any]:
    lengths = [len(each) for each in args if isinstance(each, (list, str, tuple, dict))]
    if not lengths:
        return args
    wanted = {"missing": 987_654_321, "index_last": lengths[0] - 1, "index_over": lengths[0]}[name]
    return [
        wanted
        if type(each) is int
        else "no such text"
        if type(each) is str and name == "missing"
        else each
        for each in args
    ]


def _with_constant(call: Any, value: Any, receiver: bool) -> Any:
    """A constant of the code, put wherever a value of its type stands."""
    hit = False
    for path, each in list(itertools.islice(_slots(call, receiver), SLOTS_MAX)):
        if type(each) is type(value) and len(path) == 2:
            call = _replaced(call, path, value)
            hit = True
        elif type(each) is list and each and type(each[0]) is type(value):
            each.insert(len(each) // 2, value)
            each.append(value)
            hit = True
        elif type(each) is dict and each and type(next(iter(each))) is type(value):
            each[value] = copy.deepcopy(next(iter(each.values())))
            hit = True
    if not hit:
        raise NotApplicable("constant")
    return call
