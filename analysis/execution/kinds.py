"""Turns kinds of values (types written as text) into expressions that make such values; it never makes the values themselves."""

from __future__ import annotations

import ast
import math
import random
import string
from collections.abc import Callable
from typing import Any

from assist.analysis.execution.functions import Function, find_function

DEPTH_MAX = 4
ALIASES = {
    "List": "list", "Sequence": "list", "MutableSequence": "list", "Collection": "list", "Dict": "dict",
    "Mapping": "dict", "MutableMapping": "dict", "DefaultDict": "dict", "Set": "set", "AbstractSet": "set",
    "FrozenSet": "frozenset", "Tuple": "tuple", "Iterable": "Iterable", "Iterator": "Iterator",
    "Generator": "Iterator", "Text": "str", "AnyStr": "str", "Hashable": "int", "SupportsInt": "int",
    "SupportsFloat": "float", "Number": "int", "Real": "float", "Integral": "int", "deque": "deque",
    "Deque": "deque", "Counter": "dict", "OrderedDict": "dict", "object": "Any", "SupportsIndex": "int",
    "NDArray": "ndarray",
}  # fmt: skip
SIMPLE = (
    "int",
    "float",
    "str",
    "bool",
    "bytes",
    "None",
    "complex",
    "bytearray",
    "Callable",
    "Decimal",
    "Fraction",
)
ANY = ("int", "str", "list[int]", "None")
BARE = {
    "list": "list[int]", "set": "set[int]", "dict": "dict[str, int]", "tuple": "tuple[int, ...]",
    "frozenset": "frozenset[int]", "Iterable": "Iterable[int]", "Iterator": "Iterator[int]", "deque": "deque[int]",
    "ndarray": "ndarray[float]",
}  # fmt: skip
ARRAY_FACTOR = 16  # who uses arrays has many numbers
SEQUENCES = frozenset({*BARE} - {"dict"})
WORDS = (
    "alpha", "beta", "gamma", "delta", "omega", "the", "and", "a", "Kappa", "lambda_1", "x1", "42",
)  # fmt: skip
ALPHABET = string.ascii_lowercase + string.ascii_uppercase + string.digits + "    ,.-_"


class Kinds:
    """What the module's annotations mean: aliases, enums and classes that can be built from their own annotations."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._classes = {
            node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
        }
        self._aliases = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }

    def of_annotation(self, node: ast.expr | None, depth: int = 0) -> list[str]:
        """Kinds that an annotation allows, likeliest first; empty if it says nothing that can be built."""
        if node is None or depth > DEPTH_MAX:
            return []
        if isinstance(node, ast.Constant):
            if node.value is None:
                return ["None"]
            if isinstance(node.value, str):
                try:
                    return self.of_annotation(ast.parse(node.value, mode="eval").body, depth)
                except SyntaxError:
                    return []
            return []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self.of_annotation(node.left, depth) + self.of_annotation(node.right, depth)
        if isinstance(node, ast.Subscript):
            return self._of_subscript(node, depth)
        name = (
            node.id
            if isinstance(node, ast.Name)
            else node.attr
            if isinstance(node, ast.Attribute)
            else ""
        )
        return self._of_name(name, depth)

    def _of_name(self, name: str, depth: int) -> list[str]:
        name = ALIASES.get(name, name)
        if name == "Any":
            return list(ANY)
        if name in SIMPLE:
            return [name]
        if name == "ndarray":
            return ["ndarray[float]", "ndarray[int]"]
        if name in BARE:
            return ["list[int]", "Iterable[int]"] if name == "Iterable" else [BARE[name]]
        if name in self._classes and self._construction(name, random.Random(0), 4, 8, depth + 1):
            return [name]
        if name in self._aliases:
            value = self._aliases[name]
            if isinstance(value, ast.Call):  # TypeVar("T", bound=…)
                return ["int", "str"] if "TypeVar" in ast.unparse(value.func) else []
            return self.of_annotation(value, depth + 1)
        return []

    def _of_subscript(self, node: ast.Subscript, depth: int) -> list[str]:
        base = node.value
        name = (
            base.id
            if isinstance(base, ast.Name)
            else base.attr
            if isinstance(base, ast.Attribute)
            else ""
        )
        name = ALIASES.get(name, name)
        items = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        if name == "Optional":
            return [*self.of_annotation(items[0], depth), "None"]
        if name == "Union":
            return [kind for item in items for kind in self.of_annotation(item, depth)]
        if name in ("Annotated", "Final", "ClassVar"):
            return self.of_annotation(items[0], depth)
        if name == "Literal":
            return [f"Literal[{', '.join(ast.unparse(item) for item in items)}]"]
        if name == "Callable":
            return ["Callable"]
        if name == "ndarray":
            return ["ndarray[float]", "ndarray[int]"]
        if name not in BARE:
            return []
        inner = [
            "..."
            if isinstance(item, ast.Constant) and item.value is Ellipsis
            else self._first(item, depth + 1)
            for item in items
        ]
        if any(not each for each in inner):
            return []
        if name == "Iterable":
            return [f"list[{inner[0]}]", f"Iterable[{inner[0]}]"]
        return [f"{name}[{', '.join(inner)}]"]

    def _first(self, node: ast.expr, depth: int) -> str:
        found = self.of_annotation(node, depth)
        return found[0] if found else ""

    def of_default(self, node: ast.expr) -> str | None:
        """Kind of a default value."""
        try:
            value: Any = ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return None
        name = type(value).__name__
        return None if value is None else BARE.get(name, name if name in SIMPLE else None)

    # -------------------------------------------------------------- texts of values

    def text(
        self, kind: str, generator: random.Random, size: int, spread: int, depth: int = 0
    ) -> str:
        """An ordinary value of ``kind``: containers of about ``size`` items, numbers up to ``spread``."""
        name, inner = parse_kind(kind)
        if name == "int":
            return str(
                generator.randrange(-spread // 8 if generator.random() < 0.3 else 0, spread + 1)
            )
        if name == "float":
            return repr(round(generator.uniform(-spread, spread), generator.randrange(1, 6)))
        if name == "str":
            return repr(self._string(generator, size, depth))
        if name == "Literal":
            return generator.choice(inner)
        if name in SEQUENCES:
            return self._sequence(name, inner, generator, size, spread, depth)
        if name == "dict":
            count = max(1, size >> depth)
            keys = dict.fromkeys(
                self.text(inner[0], generator, 6, spread, depth + 1) for _ in range(count)
            )
            return (
                "{"
                + ", ".join(
                    f"{k}: {self.text(inner[1], generator, size, spread, depth + 1)}" for k in keys
                )
                + "}"
            )
        if name in self._classes:
            return self._construction(name, generator, size, spread, depth + 1) or "None"
        return SIMPLE_TEXTS.get(name, SIMPLE_TEXTS["None"])(generator, spread)

    def _string(self, generator: random.Random, size: int, depth: int) -> str:
        style = generator.randrange(4)
        if depth:
            return (
                generator.choice(WORDS)
                if style < 2
                else "".join(generator.choices("abcdexyz", k=generator.randrange(1, 8)))
            )
        if style == 0:
            return " ".join(generator.choices(WORDS, k=max(1, size // 3)))
        if style == 1:
            return "".join(generator.choices("ab", k=size))
        return "".join(generator.choices(ALPHABET if style == 2 else "abcdefgh", k=size))

    def _sequence(
        self,
        name: str,
        inner: list[str],
        generator: random.Random,
        size: int,
        spread: int,
        depth: int,
    ) -> str:
        if name == "tuple" and inner[-1] != "...":
            return (
                "("
                + "".join(
                    f"{self.text(each, generator, size, spread, depth + 1)}, " for each in inner
                )
                + ")"
            )
        count = max(1, size if not depth else min(size, 2 + size >> 2))
        if name == "ndarray":
            count *= ARRAY_FACTOR
        if inner[0] == "str":
            style = generator.choice(TEXT_STYLES)
            return wrap_items(name, ", ".join(repr(style(generator)) for _ in range(count)))
        items = ", ".join(
            self.text(inner[0], generator, size, spread, depth + 1) for _ in range(count)
        )
        return wrap_items(name, items)

    def receiver(self, function: Function, generator: random.Random) -> str:
        """An object for a method: its class, called with values for the annotated parameters of ``__init__``."""
        holder = function.qualname.rsplit(".", 1)[0]
        if "classmethod" in function.decorators:
            return holder
        return self._construction(holder, generator, 8, 50, 0) or f"{holder}()"

    def can_construct(self, function: Function) -> bool:
        """Whether an object for this method can be made without a recorded call and without guessing."""
        if "classmethod" in function.decorators:
            return True
        holder = function.qualname.rsplit(".", 1)[0]
        return bool(self._construction(holder, random.Random(0), 4, 8, 0, guess=False))

    def can_make(self, kind: str) -> bool:
        """Whether values of this kind can be written as an expression."""
        name, inner = parse_kind(kind)
        if name == "Literal" or name in SIMPLE or name in self._classes:
            return True
        return name in BARE and all(each == "..." or self.can_make(each) for each in inner)

    def _construction(
        self,
        name: str,
        generator: random.Random,
        size: int,
        spread: int,
        depth: int,
        guess: bool = True,
    ) -> str:
        node = self._classes.get(name.split(".")[-1])
        if node is None or depth > DEPTH_MAX:
            return ""
        bases = {ast.unparse(base).split(".")[-1].split("[")[0] for base in node.bases}
        if bases & {"Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"}:
            members = [
                t.id
                for s in node.body
                if isinstance(s, ast.Assign)
                for t in s.targets
                if isinstance(t, ast.Name)
            ]
            return f"{name}.{generator.choice(members)}" if members else ""
        decorators = " ".join(ast.unparse(each) for each in node.decorator_list)
        fields: list[tuple[str, ast.expr | None]]
        if "dataclass" in decorators or bases & {"NamedTuple", "TypedDict"} or "attr" in decorators:
            fields = [
                (s.target.id, s.annotation)
                for s in node.body
                if isinstance(s, ast.AnnAssign)
                and isinstance(s.target, ast.Name)
                and s.value is None
            ]
        else:
            constructor = find_function(ast.Module([node], []), f"{node.name}.__init__")
            if constructor is None:
                return f"{name}()" if not bases - {"object", "ABC", "Generic", "Protocol"} else ""
            arguments = constructor.node.args
            needed = constructor.parameters[: len(constructor.parameters) - len(arguments.defaults)]
            fields = [(each.arg, each.annotation) for each in needed]
        parts = []
        for field, annotation in fields:
            kinds = self.of_annotation(annotation, depth + 1)
            if not kinds and (annotation is not None or not guess):
                return ""
            kind = kinds[0] if kinds else "int"
            parts.append(f"{field}={self.text(kind, generator, size, spread, depth + 1)}")
        return f"{name}({', '.join(parts)})"


TEXT_STYLES: tuple[Callable[[random.Random], str], ...] = (
    lambda generator: generator.choice(WORDS),
    lambda generator: "".join(generator.choices("abcdexyz", k=generator.randrange(1, 8))),
    lambda generator: "".join(generator.choices("ab", k=generator.randrange(1, 4))),
    lambda generator: str(generator.randrange(10 ** generator.randrange(1, 5))),
)
SIMPLE_TEXTS: dict[str, Callable[[random.Random, int], str]] = {
    "None": lambda generator, spread: "None",
    "bool": lambda generator, spread: str(generator.random() < 0.5),
    "bytes": lambda generator, spread: repr(bytes(generator.choices(b"abc \x00\xff", k=12))),
    "bytearray": lambda generator, spread: f"bytearray({bytes(generator.choices(b'abc', k=12))!r})",
    "complex": lambda generator, spread: (
        f"({generator.randrange(spread + 1)}+{generator.randrange(9)}j)"
    ),
    "Callable": lambda generator, spread: f"_assist_function({generator.randrange(3)})",
    "Decimal": lambda generator, spread: (
        f"__import__('decimal').Decimal('{generator.randrange(10**6)}e-3')"
    ),
    "Fraction": lambda generator, spread: (
        f"__import__('fractions').Fraction({generator.randrange(99)}, 7)"
    ),
}


def parse_kind(kind: str) -> tuple[str, list[str]]:
    """``"dict[str, list[int]]"`` to ``("dict", ["str", "list[int]"])``."""
    if "[" not in kind:
        return kind, ["int"]
    name, _, rest = kind.partition("[")
    rest = rest[:-1]
    parts: list[str] = []
    depth = start = 0
    for index, character in enumerate(rest):
        depth += (character in "[(") - (character in "])")
        if character == "," and not depth:
            parts.append(rest[start:index].strip())
            start = index + 1
    parts.append(rest[start:].strip())
    return name.strip(), parts


def wrap_items(name: str, items: str) -> str:
    """The display of a container of these items."""
    if name == "list":
        return f"[{items}]"
    if name == "tuple":
        return f"({items}, )" if items else "()"
    if name == "set":
        return f"{{{items}}}" if items else "set()"
    if name == "ndarray":
        return f"__import__('numpy').array([{items}])"
    if name == "deque":
        return f"__import__('collections').deque([{items}])"
    if name in ("Iterable", "Iterator"):
        return f"_assist_source([{items}])"
    return f"{name}([{items}])"


# ------------------------------------------------------------------ edges, through Hypothesis


def edge_texts(
    signature: tuple[str | None, ...], kinds: Kinds, count: int, seed: int
) -> list[tuple[str | None, ...]]:
    """``count`` tuples of expressions, one per kind, as Hypothesis draws them."""
    import hypothesis
    from hypothesis import strategies as st

    found: list[tuple[str | None, ...]] = []
    strategy = st.tuples(
        *(st.none() if kind is None else _strategy(kind, kinds) for kind in signature)
    )

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def collect(drawn: tuple[str | None, ...]) -> None:
        found.append(drawn)

    try:
        collect()
    except hypothesis.errors.HypothesisException:
        return found
    return found


def _strategy(kind: str, kinds: Kinds) -> Any:
    from hypothesis import strategies as st

    name, inner = parse_kind(kind)
    if name == "int":
        small, usual = st.integers(-3, 12), st.integers(-100, 100)
        # large numbers are few: most loops do not end on them
        return st.one_of(
            small, usual, small, usual, small, usual, st.integers(-(2**40), 2**40)
        ).map(str)
    if name == "float":
        return st.floats().map(float_text)
    if name == "str":
        return st.one_of(st.text("ab A1 ,\n", max_size=8), st.text(max_size=12)).map(repr)
    if name == "bool":
        return st.booleans().map(str)
    if name == "bytes":
        return st.binary(max_size=12).map(repr)
    if name == "Literal":
        return st.sampled_from(inner)
    if name == "tuple" and inner[-1] != "...":
        return st.tuples(*(_strategy(each, kinds) for each in inner)).map(
            lambda t: "(" + "".join(f"{e}, " for e in t) + ")"
        )
    if name in SEQUENCES:
        items = st.lists(_strategy(inner[0], kinds), max_size=7)
        return items.map(lambda drawn: wrap_items(name, ", ".join(drawn)))
    if name == "dict":
        pairs = st.lists(
            st.tuples(_strategy(inner[0], kinds), _strategy(inner[1], kinds)), max_size=5
        )
        return pairs.map(lambda drawn: "{" + ", ".join(f"{k}: {v}" for k, v in drawn) + "}")
    return st.integers(0, 10**6).map(lambda n: kinds.text(kind, random.Random(n), 4, 10))


def float_text(value: float) -> str:
    """An expression for a float, also for those without a literal."""
    if math.isnan(value) or math.isinf(value):
        return f"float('{value}')"
    return repr(value)
