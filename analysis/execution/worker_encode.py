"""Worker, part 2: turns any Python value into a flat, typed JSON graph that keeps exact types, float bits, order and identity; it never pickles.

A reference is an atom (``null``, ``true``, a number for ``int``, a string for ``str``,
``{"f": bits}`` for ``float``, ``{"y": hex}`` for ``bytes``, …) or ``{"#": index}`` of a
node; every other JSON list is structure. A node is a list that starts with its kind. Nodes
are numbered in the order of first visit, so two equal graphs have equal bytes.
"""

from __future__ import annotations

import array
import enum
import json
import re
import struct
import sys
import types
from collections import deque
from typing import Any, Callable, Iterable

NODES_MAX = 100_000
ITEMS_OF_ITERATOR_MAX = 10_000
NAN = struct.pack(">d", float("nan")).hex()
STABLE_HASH = (int, float, bool, complex)
ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
STANDARD = frozenset(getattr(sys, "stdlib_module_names", ())) or frozenset(
    ("collections", "datetime", "decimal", "fractions", "ipaddress", "pathlib", "re", "uuid",
     "zoneinfo", "array", "itertools", "functools", "operator", "string", "statistics",
     "random", "types", "email", "http", "urllib", "argparse", "logging", "io")
)  # fmt: skip


class TooLarge(Exception):
    """The graph has more nodes than ``NODES_MAX``."""


OPEN_BASES = (
    object, int, float, complex, str, bytes, bytearray, dict, list, tuple, set, frozenset, deque,
)  # fmt: skip


class Encoder:
    """Collects nodes; values stay alive while it does, so that an id means one object."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.opaque: list[str] = []
        self._index: dict[int, int] = {}
        self._alive: list[Any] = []
        self._waiting: deque[tuple[int, Any]] = deque()
        self._buffers: dict[int, int] = {}

    def add(self, value: Any) -> Any:
        """Reference of ``value``; everything below it is encoded before this returns."""
        reference = self._reference(value)
        while self._waiting:
            index, waiting = self._waiting.popleft()
            self.nodes[index] = self._node(waiting)
        return reference

    def _reference(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if kind is int:
            return value if -(2**53) < value < 2**53 else {"i": hex(value)}
        if kind is float:
            # sign and payload of a NaN are the processor's choice, and no operator shows them
            return {"f": NAN if value != value else struct.pack(">d", value).hex()}
        if kind is bytes:
            return {"y": value.hex()}
        if kind is complex:
            return {"c": struct.pack(">dd", value.real, value.imag).hex()}
        if value is Ellipsis or value is NotImplemented:
            return {"s": repr(value)}
        index = self._index.get(id(value))
        if index is None:
            index = len(self.nodes)
            if index >= NODES_MAX:
                raise TooLarge
            self._index[id(value)] = index
            self._alive.append(value)
            self.nodes.append(None)
            self._waiting.append((index, value))
        return {"#": index}

    def _references(self, values: Iterable[Any]) -> list[Any]:
        return [self._reference(value) for value in values]

    def _node(self, value: Any) -> list[Any]:
        kind = type(value)
        if kind is list or kind is tuple:
            return [kind.__name__, *self._references(value)]
        if kind is dict:
            return ["dict", *self._pairs(value)]
        if kind is set or kind is frozenset:
            return [kind.__name__, *self._set(value)]
        if kind is bytearray:
            return ["bytearray", value.hex()]
        for test, encode in CONVERTERS:
            if test(value):
                return encode(self, value)
        if kind.__module__ in STANDARD and kind.__flags__ & (1 << 9) == 0:
            return self._reduced(value)
        if kind.__module__.split(".")[0] in STANDARD and not issubclass(
            kind, (dict, list, set, BaseException)
        ):
            return self._reduced(value)
        if all(base in OPEN_BASES or _is_python(base) for base in kind.__mro__):
            return self._instance(value)  # nothing is hidden in C
        return self._reduced(value)

    def _pairs(self, mapping: Any) -> list[Any]:
        found: list[Any] = []
        for key, value in dict.items(mapping):
            found += (self._reference(key), self._reference(value))
        return found

    def _set(self, value: Any) -> list[Any]:
        """``[stable, items]``: in iteration order where it does not depend on the hash seed, else sorted."""
        items = list(value)
        if all(type(item) in STABLE_HASH for item in items):
            return [True, *self._references(items)]
        return [False, *self._references(sorted(items, key=canonical))]

    def _instance(self, value: Any) -> list[Any]:
        kind = type(value)
        attributes: dict[str, Any] = {}
        for base in reversed(kind.__mro__):
            slots = base.__dict__.get("__slots__", ())
            for slot in (slots,) if isinstance(slots, str) else tuple(slots):
                name = f"_{base.__name__.lstrip('_')}{slot}" if _is_private(slot) else slot
                if slot not in ("__dict__", "__weakref__"):
                    try:
                        attributes[name] = object.__getattribute__(value, name)
                    except AttributeError:
                        continue
        try:
            own = object.__getattribute__(value, "__dict__")
        except AttributeError:
            own = {}
        if isinstance(own, dict):
            attributes.update(own)
        node = ["object", type_name(kind), self._pairs(attributes), None]
        node[3] = self._content(value)
        return node

    def _content(self, value: Any) -> Any:
        """What a subclass of a built-in type holds beside its attributes."""
        if isinstance(value, dict):
            return ["dict", *self._pairs(value)]
        if isinstance(value, list):
            return ["list", *self._references(list.__iter__(value))]
        if isinstance(value, tuple):
            return ["tuple", *self._references(tuple.__iter__(value))]
        if isinstance(value, (set, frozenset)):
            return [
                "set",
                *self._set(list(set.__iter__(value)) if isinstance(value, set) else value),
            ]
        plain: Any
        for plain in (int, float, complex, str, bytes):
            if isinstance(value, plain):
                exact = str.__str__(value) if plain is str else plain.__new__(plain, value)
                return ["atom", self._reference(exact)]
        if isinstance(value, bytearray):
            return ["bytearray", bytes(value).hex()]
        if isinstance(value, deque):
            return ["deque", value.maxlen, *self._references(deque.__iter__(value))]
        return None

    def _reduced(self, value: Any) -> list[Any]:
        try:
            reduced = value.__reduce_ex__(4)
        except Exception:
            self.opaque.append(type_name(type(value)))
            return ["opaque", type_name(type(value))]
        if isinstance(reduced, str):
            return ["name", type_name(type(value)), reduced]
        parts = list(reduced) + [None] * (5 - len(reduced))
        items = list(parts[3]) if parts[3] is not None else []
        pairs = [list(pair) for pair in parts[4]] if parts[4] is not None else []
        self._alive += [parts, items, pairs]
        node: list[Any] = ["reduced", type_name(type(value)), callable_name(parts[0])]
        node.append([self._reference(each) for each in parts[1]])
        node.append(self._reference(parts[2]))
        node.append(self._references(items))
        return [*node, [[self._reference(k), self._reference(v)] for k, v in pairs]]

    # -------------------------------------------------------------- special kinds

    def exception(self, value: BaseException) -> list[Any]:
        message = [_plain(argument) for argument in value.args]
        self._alive.append(message)
        kind = type(value)
        own = (
            {k: v for k, v in vars(value).items() if k != "__notes__"}
            if hasattr(value, "__dict__")
            else {}
        )
        self._alive.append(own)
        if isinstance(value, RecursionError):
            message = ["maximum recursion depth exceeded"]
            self._alive.append(message)
        notes = [ADDRESS.sub("0x", str(n)) for n in getattr(value, "__notes__", ())]
        content = ["raised", self._references(message), self._reference(value.__cause__), notes]
        if isinstance(value, (StopIteration, SystemExit)):
            content.append(
                self._reference(value.value if isinstance(value, StopIteration) else value.code)
            )
        return ["object", type_name(kind), self._pairs(own), content]

    def function(self, value: Any) -> list[Any]:
        if _is_reachable(value):
            return ["name", value.__module__, value.__qualname__]
        code = value.__code__
        cells = []
        for cell in value.__closure__ or ():
            try:
                cells.append(self._reference(cell.cell_contents))
            except ValueError:
                cells.append({"s": "empty cell"})
        body = [
            code.co_code.hex(),
            repr([_code_constant(c) for c in code.co_consts]),
            list(code.co_names),
        ]
        return ["function", value.__qualname__, body, cells, self._reference(value.__defaults__)]

    def method(self, value: Any) -> list[Any]:
        return ["method", callable_name(value.__func__), self._reference(value.__self__)]

    def ndarray(self, value: Any) -> list[Any]:
        """dtype, shape, memory order, whether it may be written, which arrays share memory, and the bits."""
        owner = value
        while type(getattr(owner, "base", None)) is type(value):
            owner = owner.base
        self._alive.append(owner)
        shared = self._buffers.setdefault(id(owner), len(self._buffers))
        order = [bool(value.flags.c_contiguous), bool(value.flags.f_contiguous)]
        node = [
            "ndarray",
            repr(value.dtype),
            list(value.shape),
            order,
            bool(value.flags.writeable),
            shared,
        ]
        if value.dtype.hasobject:
            return [*node, self._references(value.ravel().tolist())]
        return [*node, value.tobytes().hex()]

    def frame(self, value: Any) -> list[Any]:
        """A pandas object through its public parts, whatever its blocks look like."""
        kind = type_name(type(value))
        if hasattr(value, "columns"):
            columns = [_values(value.iloc[:, position]) for position in range(value.shape[1])]
            parts = [value.columns, value.index, columns, dict(value.attrs)]
        elif hasattr(value, "index"):
            parts = [value.name, value.index, _values(value), dict(value.attrs)]
        elif hasattr(value, "names"):
            parts = [tuple(value.names), str(value.dtype), tuple(value)]
        else:
            parts = [str(value.dtype), tuple(value)]
        self._alive.append(parts)
        return ["pandas", kind, self._references(parts)]

    def special(self, value: Any) -> list[Any]:
        return ["name", type_name(type(value)), getattr(value, "name", None) or str(value)]

    def iterator(self, value: Any) -> list[Any]:
        self.opaque.append(type_name(type(value)))
        return ["opaque", type_name(type(value))]


def _is_python(kind: type) -> bool:
    """Whether a class was defined in Python: those of C are not on the heap, or make their objects in C."""
    made = kind.__dict__.get("__new__")
    return bool(kind.__flags__ & (1 << 9)) and not isinstance(made, types.BuiltinFunctionType)


def _values(series: Any) -> list[Any]:
    """Item type and items of a column: bits where numpy holds them, else objects."""
    values = series.to_numpy()
    categories = getattr(series.dtype, "categories", None)
    known = None if categories is None else [list(categories), bool(series.dtype.ordered)]
    if values.dtype.hasobject or values.dtype != series.dtype:
        return [str(series.dtype), known, values.tolist()]
    return [str(series.dtype), known, values.tobytes()]


def _is_pandas(value: Any) -> bool:
    kind = type(value)
    return kind.__module__.split(".")[0] == "pandas" and hasattr(
        value, "array" if hasattr(value, "dtype") else "columns"
    )


CONVERTERS: list[tuple[Callable[[Any], bool], Callable[[Encoder, Any], list[Any]]]] = [
    (lambda v: isinstance(v, BaseException), Encoder.exception),
    (lambda v: isinstance(v, enum.Enum), Encoder.special),
    (lambda v: isinstance(v, types.FunctionType), Encoder.function),
    (lambda v: isinstance(v, types.MethodType), Encoder.method),
    (lambda v: isinstance(v, types.ModuleType), lambda e, v: ["module", v.__name__]),
    (lambda v: isinstance(v, type), lambda e, v: ["name", "type", type_name(v)]),
    (lambda v: isinstance(v, types.BuiltinFunctionType), lambda e, v: ["name", "builtin", callable_name(v)]),
    (lambda v: isinstance(v, types.GeneratorType), Encoder.iterator),
    (lambda v: isinstance(v, types.MappingProxyType), lambda e, v: ["proxy", *e._pairs(dict(v))]),
    (lambda v: isinstance(v, memoryview), lambda e, v: ["memoryview", v.format, list(v.shape or ()), v.readonly, v.tobytes().hex()]),
    (lambda v: isinstance(v, array.array), lambda e, v: ["array", v.typecode, v.tobytes().hex()]),
    (lambda v: type(v).__module__ == "numpy" and type(v).__name__ == "ndarray", Encoder.ndarray),
    (_is_pandas, Encoder.frame),
]  # fmt: skip


def canonical(value: Any) -> str:
    """Text by which the elements of a set can be sorted in every process alike."""
    encoder = Encoder()
    try:
        return json.dumps([encoder.add(value), encoder.nodes])
    except TooLarge:
        return ""


def type_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def callable_name(value: Any) -> str:
    return f"{getattr(value, '__module__', None)}.{getattr(value, '__qualname__', type(value).__name__)}"


def _is_private(slot: str) -> bool:
    return slot.startswith("__") and not slot.endswith("__")


def _is_reachable(function: Any) -> bool:
    found: Any = sys.modules.get(function.__module__ or "")
    for part in function.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is function


def _code_constant(constant: Any) -> Any:
    if isinstance(constant, types.CodeType):
        inner = [_code_constant(each) for each in constant.co_consts]
        return (constant.co_code.hex(), inner, constant.co_names)
    return constant


def _plain(argument: Any) -> Any:
    return ADDRESS.sub("0x", argument) if type(argument) is str else argument
