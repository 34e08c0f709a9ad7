"""Guesses the kinds of values from syntax, annotations and observed types; a guess is never a proof, the verifier decides."""

from __future__ import annotations

import re
from collections.abc import Callable

import libcst as cst

from assist.analysis.rules.pattern import UNKNOWN as UNKNOWN_VALUE
from assist.analysis.rules.pattern import code, literal
from assist.analysis.rules.target import Target, descendants, names, stores

DEPTH_MAX = 12
UNKNOWN = ""

_ALIASES = {
    "List": "list", "Dict": "dict", "Set": "set", "Tuple": "tuple", "FrozenSet": "frozenset",
    "Text": "str", "Sequence": "list", "MutableSequence": "list",
}  # fmt: skip
_CALLS = {
    "str": "str", "repr": "str", "chr": "str", "bin": "str", "hex": "str", "oct": "str", "ascii": "str",
    "format": "str", "input": "str", "len": "int", "ord": "int", "int": "int", "hash": "int", "id": "int",
    "float": "float", "bool": "bool", "dict": "dict", "range": "range", "bytes": "bytes",
    "isinstance": "bool", "any": "bool", "all": "bool", "callable": "bool",
}  # fmt: skip
_COLLECTORS = {
    "list": "list",
    "sorted": "list",
    "set": "set",
    "frozenset": "frozenset",
    "tuple": "tuple",
}
_STR_METHODS = {
    "split": "list[str]", "rsplit": "list[str]", "splitlines": "list[str]", "lower": "str", "upper": "str",
    "strip": "str", "lstrip": "str", "rstrip": "str", "replace": "str", "title": "str", "swapcase": "str",
    "capitalize": "str", "casefold": "str", "zfill": "str", "ljust": "str", "rjust": "str", "center": "str",
    "translate": "str", "format": "str", "expandtabs": "str", "removeprefix": "str", "removesuffix": "str",
    "startswith": "bool", "endswith": "bool", "isdigit": "bool", "isalpha": "bool", "isupper": "bool",
    "islower": "bool", "isspace": "bool", "isalnum": "bool", "isdecimal": "bool", "isnumeric": "bool",
    "istitle": "bool", "isidentifier": "bool", "find": "int", "rfind": "int",
}  # fmt: skip
_STR_ONLY = frozenset(_STR_METHODS) - {"replace", "find", "format", "center", "translate"} | {
    "join"
}
_NUMBERS = ("bool", "int", "float")


def base(kind: str) -> str:
    """``list`` of ``list[str]``."""
    return kind.partition("[")[0]


def element(kind: str) -> str:
    """Kind of what iteration over a value of `kind` gives."""
    head, _, rest = kind.partition("[")
    if head == "str":
        return "str"
    if head in {"range", "bytes"}:
        return "int"
    if head in {"list", "set", "frozenset", "iterator"}:
        return rest.removesuffix("]")
    if head == "dict":
        return rest.partition(",")[0].removesuffix("]").strip()
    if head == "tuple" and rest.endswith(", ...]"):
        return rest.removesuffix(", ...]")
    return UNKNOWN


def of_annotation(text: str) -> str:
    """Kind of an annotation as text; unknown for unions and for classes of the user."""
    text = re.sub(r"\b(?:typing|t|collections\.abc)\.", "", text.strip().strip("'\""))
    text = re.sub(r"\s+", " ", text)
    head, bracket, rest = text.partition("[")
    head = _ALIASES.get(head, head)
    if head in {"Iterable", "Iterator", "Generator"}:
        head = "iterator"
    known = {*_NUMBERS, "str", "bytes", "list", "dict", "set", "frozenset", "tuple", "iterator"}
    if head not in known or "|" in head:
        return UNKNOWN
    if not bracket:
        return head
    inner = rest.removesuffix("]")
    if head in {"list", "set", "frozenset", "iterator"}:
        kind = of_annotation(inner)
        return f"{head}[{kind}]" if kind else head
    if head == "tuple" and inner.endswith(", ..."):
        kind = of_annotation(inner.removesuffix(", ..."))
        return f"tuple[{kind}, ...]" if kind else head
    return head


def kind_of(target: Target, node: cst.CSTNode | None, depth: int = 0) -> str:
    """Kind of an expression, unknown (empty) where two guesses disagree."""
    if depth > DEPTH_MAX or node is None:
        return UNKNOWN
    if isinstance(node, cst.Name):
        return _kind_of_name(target, node.value, depth + 1)
    handler = _HANDLERS.get(type(node))
    return handler(target, node, depth + 1) if handler else UNKNOWN


def may_be(target: Target, node: cst.CSTNode | None, *kinds: str) -> bool:
    """Whether an expression can be one of these kinds, as far as is known."""
    kind = kind_of(target, node)
    return kind == UNKNOWN or base(kind) in kinds


def is_kind(target: Target, node: cst.CSTNode | None, *kinds: str) -> bool:
    """Whether an expression looks like one of these kinds."""
    return base(kind_of(target, node)) in kinds


def parameter_kind(target: Target, name: str) -> str:
    """Kind of a parameter: observed, else annotated, else guessed from its methods."""
    observed = of_annotation(target.facts.observed.get(name, ""))
    if observed:
        return observed
    param = target.parameters.get(name)
    if param is not None and param.annotation is not None:
        return of_annotation(code(param.annotation.annotation))
    for node in target.uses(name):
        above = target.parent(node)
        if isinstance(above, cst.Attribute) and above.attr.value in _STR_ONLY:
            return "str"
    return UNKNOWN


def constant_value(target: Target, node: cst.CSTNode) -> object:
    """Value of a literal, or of a variable that is assigned one literal and nothing else."""
    if not isinstance(node, cst.Name):
        return literal(node)
    places: list[cst.CSTNode] = (
        target.nodes if node.value in target.local_names else list(target.module.body)
    )
    if node.value in target.parameters:
        return UNKNOWN_VALUE
    bound = [
        below
        for place in places
        for below in (descendants(place) if isinstance(place, cst.SimpleStatementLine) else ())
        if isinstance(below, cst.Assign)
        and any(node.value in names(assigned.target) for assigned in below.targets)
    ]
    total = sum(name == node.value for place in (target.function,) for name in stores(place))
    if len(bound) != 1 or (node.value in target.local_names and total != 1):
        return UNKNOWN_VALUE
    return (
        literal(bound[0].value)
        if isinstance(bound[0].targets[0].target, cst.Name)
        else UNKNOWN_VALUE
    )


def _kind_of_name(target: Target, name: str, depth: int) -> str:
    if name in {"True", "False"}:
        return "bool"
    known = target.known_kinds
    if name in known.settled:
        return known.settled[name]
    if name in known.asked:
        return known.asked[name]  # unknown where a name depends on itself
    outermost = not known.asked
    known.asked[name] = UNKNOWN
    try:
        kind = known.asked[name] = _kind_of_bound(target, name, 1 if outermost else depth)
        if outermost:
            known.settled[name] = kind
    finally:
        if outermost:
            known.asked.clear()
    return kind


def _kind_of_bound(target: Target, name: str, depth: int) -> str:
    kinds: set[str] = set()
    if name in target.parameters:
        kinds.add(parameter_kind(target, name))
    if name in target.local_names:
        for node in target.binders:
            kinds |= _bindings(target, name, node, depth)
    elif name in target.module_names:
        for statement in target.module.body:
            for node in (
                getattr(statement, "body", ())
                if isinstance(statement, cst.SimpleStatementLine)
                else ()
            ):
                kinds |= _bindings(target, name, node, depth)
    return _agreed(kinds)


def _bindings(target: Target, name: str, node: cst.CSTNode, depth: int) -> set[str]:
    """Kinds that a node gives to the variable; empty where it does not bind it."""
    if isinstance(node, cst.Assign):
        return {
            kind
            for assigned in node.targets
            for kind in _unpacked(target, name, assigned.target, node.value, depth)
        }
    if isinstance(node, cst.AnnAssign) and _is_name(node.target, name):
        return {of_annotation(code(node.annotation.annotation))}
    if isinstance(node, cst.AugAssign) and _is_name(node.target, name):
        if isinstance(node.operator, (cst.AddAssign, cst.SubtractAssign, cst.MultiplyAssign)):
            kind = kind_of(target, node.value, depth)
            return {kind} if kind in {"float"} else set()
        return {UNKNOWN} if isinstance(node.operator, cst.DivideAssign) else set()
    if isinstance(node, cst.NamedExpr) and _is_name(node.target, name):
        return {kind_of(target, node.value, depth)}
    if isinstance(node, (cst.For, cst.CompFor)):
        return _loop_kinds(target, name, node.target, node.iter, depth)
    if isinstance(node, (cst.FunctionDef, cst.AsName)) and _is_name(node.name, name):
        return {UNKNOWN}
    return set()


def _unpacked(
    target: Target, name: str, assigned: cst.CSTNode, value: cst.CSTNode, depth: int
) -> set[str]:
    if _is_name(assigned, name):
        return {kind_of(target, value, depth)}
    if not isinstance(assigned, (cst.Tuple, cst.List)):
        return set()
    parts = assigned.elements
    if isinstance(value, (cst.Tuple, cst.List)) and len(value.elements) == len(parts):
        return {
            kind_of(target, given.value, depth)
            for part, given in zip(parts, value.elements, strict=True)
            if _is_name(part.value, name)
        }
    return {UNKNOWN} if any(_is_name(part.value, name) for part in parts) else set()


def _loop_kinds(
    target: Target, name: str, assigned: cst.CSTNode, source: cst.CSTNode, depth: int
) -> set[str]:
    if _is_name(assigned, name):
        return {element(kind_of(target, source, depth))}
    if not isinstance(assigned, cst.Tuple) or not isinstance(source, cst.Call):
        return {UNKNOWN} if _binds(assigned, name) else set()
    parts = [part.value for part in assigned.elements]
    if target.match("enumerate(__x)", source) or target.match("enumerate(__x, __y)", source):
        if _is_name(parts[0], name):
            return {"int"}
        if len(parts) == 2 and _is_name(parts[1], name):
            return {element(kind_of(target, source.args[0].value, depth))}
    if _is_name(source.func, "zip") and len(parts) == len(source.args):
        for part, argument in zip(parts, source.args, strict=True):
            if _is_name(part, name):
                return {element(kind_of(target, argument.value, depth))}
    return {UNKNOWN} if _binds(assigned, name) else set()


def _is_name(node: cst.CSTNode | None, name: str) -> bool:
    return isinstance(node, cst.Name) and node.value == name


def _binds(node: cst.CSTNode, name: str) -> bool:
    if isinstance(node, (cst.Tuple, cst.List)):
        return any(_binds(part.value, name) for part in node.elements)
    return _is_name(node, name)


def _agreed(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    if kinds and kinds <= set(_NUMBERS):
        return max(kinds, key=_NUMBERS.index)
    heads = {base(kind) for kind in kinds}
    return next(iter(heads)) if len(heads) == 1 else UNKNOWN


def _call(target: Target, node: cst.Call, depth: int) -> str:
    if isinstance(node.func, cst.Attribute):
        method = node.func.attr.value
        receiver = base(kind_of(target, node.func.value, depth))
        if method == "join" and receiver in {"str", UNKNOWN}:
            return "str"
        if method in _STR_METHODS and (receiver == "str" or (not receiver and method in _STR_ONLY)):
            return _STR_METHODS[method]
        if method == "copy" and receiver:
            return kind_of(target, node.func.value, depth)
        if method in {"count", "index"}:
            return "int"
        return UNKNOWN
    if not isinstance(node.func, cst.Name) or not target.is_builtin(node.func.value):
        return UNKNOWN
    name = node.func.value
    first = kind_of(target, node.args[0].value, depth) if node.args else UNKNOWN
    if name in _COLLECTORS:
        inner = element(first)
        return f"{_COLLECTORS[name]}[{inner}]" if inner and name != "tuple" else _COLLECTORS[name]
    if name in {"abs", "sum", "round"}:
        kind = element(first) if name == "sum" else first
        return kind if kind in _NUMBERS else UNKNOWN
    if name in {"min", "max"}:
        return (
            element(first)
            if len(node.args) == 1
            else _agreed({kind_of(target, argument.value, depth) for argument in node.args})
        )
    if name in {"map", "filter", "zip", "enumerate", "reversed"}:
        inner = element(first) if name == "reversed" else UNKNOWN
        return f"iterator[{inner}]" if inner else "iterator"
    return _CALLS.get(name, UNKNOWN)


def _binary(target: Target, node: cst.BinaryOperation, depth: int) -> str:
    left = kind_of(target, node.left, depth)
    right = kind_of(target, node.right, depth)
    if isinstance(node.operator, cst.Modulo) and left == "str":
        return "str"
    if isinstance(node.operator, cst.Multiply) and "int" in (left, right):
        other = right if left == "int" else left
        if base(other) in {"str", "list", "tuple"}:
            return other
    if left in _NUMBERS and right in _NUMBERS:
        if isinstance(node.operator, cst.Divide):
            return "float"
        kind = max(left, right, key=_NUMBERS.index)
        return "int" if kind == "bool" else kind
    return left if left == right else UNKNOWN


def _subscript(target: Target, node: cst.Subscript, depth: int) -> str:
    kind = kind_of(target, node.value, depth)
    if len(node.slice) == 1 and isinstance(node.slice[0].slice, cst.Slice):
        return kind
    if base(kind) in {"list", "str", "range", "bytes"}:
        return element(kind)
    return UNKNOWN


def _listed(name: str) -> Callable[[Target, cst.CSTNode, int], str]:
    def kind(target: Target, node: cst.CSTNode, depth: int) -> str:
        assert isinstance(node, (cst.List, cst.Set))
        kinds = {kind_of(target, part.value, depth) for part in node.elements}
        inner = _agreed(kinds)
        return f"{name}[{inner}]" if inner else name

    return kind


def _comprehended(name: str) -> Callable[[Target, cst.CSTNode, int], str]:
    def kind(target: Target, node: cst.CSTNode, depth: int) -> str:
        assert isinstance(node, (cst.ListComp, cst.SetComp, cst.GeneratorExp))
        inner = kind_of(target, node.elt, depth)
        return f"{name}[{inner}]" if inner else name

    return kind


def _always(kind: str) -> Callable[[Target, cst.CSTNode, int], str]:
    return lambda target, node, depth: kind


def _either(target: Target, node: cst.CSTNode, depth: int) -> str:
    assert isinstance(node, cst.IfExp)
    return _agreed({kind_of(target, node.body, depth), kind_of(target, node.orelse, depth)})


def _unary(target: Target, node: cst.CSTNode, depth: int) -> str:
    assert isinstance(node, cst.UnaryOperation)
    if isinstance(node.operator, cst.Not):
        return "bool"
    kind = kind_of(target, node.expression, depth)
    return "int" if kind == "bool" else kind


_HANDLERS: dict[type, Callable[..., str]] = {
    cst.SimpleString: lambda target, node, depth: "bytes" if "b" in node.prefix else "str",
    cst.FormattedString: _always("str"),
    cst.ConcatenatedString: _always("str"),
    cst.Integer: _always("int"),
    cst.Float: _always("float"),
    cst.Comparison: _always("bool"),
    cst.Dict: _always("dict"),
    cst.DictComp: _always("dict"),
    cst.Tuple: _always("tuple"),
    cst.List: _listed("list"),
    cst.Set: _listed("set"),
    cst.ListComp: _comprehended("list"),
    cst.SetComp: _comprehended("set"),
    cst.GeneratorExp: _comprehended("iterator"),
    cst.Call: _call,
    cst.BinaryOperation: _binary,
    cst.Subscript: _subscript,
    cst.IfExp: _either,
    cst.UnaryOperation: _unary,
}
