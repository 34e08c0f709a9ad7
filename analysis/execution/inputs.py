"""Makes inputs for a function as Python expressions: from its docstring, its annotations, the types it was seen with; values exist only in the sandbox.

An input is an expression that evaluates to ``(args, kwargs)``. A *kind* is a type written
as text, as in an annotation (``list[tuple[int, str]]``).
"""

from __future__ import annotations

import ast
import doctest
import itertools
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from assist.analysis.execution.functions import Function
from assist.analysis.execution.kinds import Kinds, edge_texts, parse_kind

EXAMPLES_MAX = 40
COMBINATIONS_MAX = 140
RELATED_SHARE = 0.5
SIGNATURES_MAX = 12
UNSEEN_ITEM = "_"  # what an empty container holds
NAME_PRIORS = (
    (r"(n|k|m|i|j|count|size|num|number|limit|index|length|depth|width|height|start|stop|end|step|total|year|day|\w+_(count|size|id|index|len))", ("int",)),
    (r"(s|s1|s2|text|word|string|name|line|path|key|sep|prefix|suffix|pattern|char|ch|txt|str_|sentence|message|title|haystack|needle|\w*_(name|text|str|string))", ("str",)),
    (r"(matrix|grid|board|rows|table|lists|groups)", ("list[list[int]]", "list[dict[str, int]]")),
    (r"(words|lines|names|strings|tokens|keys|strs|texts)", ("list[str]",)),
    (r"(pairs|edges|intervals|points|ranges|events|spans)", ("list[tuple[int, int]]",)),
    (r"(d|mapping|config|counts|dict_|lookup|index_by|graph|record)", ("dict[str, int]", "dict[str, list[int]]")),
    (r"(users|people|orders|records|products|employees|customers)", ("list[dict[str, int]]", "list[tuple[int, str]]")),
    (r"(fn|func|function|predicate|callback|f|g|pred)", ("Callable",)),
    (r"(flag|verbose|strict|reverse|\w*_flag|is_\w+|has_\w+|allow_\w+)", ("bool",)),
    (r"(x|y|z|a|b|c|value|val|target|threshold|factor|weight|price|rate)", ("int", "float")),
    (r"(xs|ys|items|lst|nums|numbers|arr|array|values|data|seq|sequence|elements|list_|l|\w+s)", ("list[int]", "list[str]")),
)  # fmt: skip
METHOD_PRIORS = {
    "dict[str, int]": ("items", "keys", "get", "setdefault", "update"),
    "str": ("split", "lower", "upper", "strip", "startswith", "endswith", "replace", "encode", "isdigit",
            "isalpha", "splitlines", "rstrip", "lstrip", "title", "find"),
    "list[int]": ("append", "extend", "sort", "pop", "insert", "reverse", "remove"),
    "set[int]": ("add", "union", "intersection", "difference", "discard"),
    "bytes": ("decode", "hex"),
}  # fmt: skip
PALETTE = (
    "list[int]", "int", "str", "list[str]", "float", "list[float]", "dict[str, int]",
    "list[tuple[int, int]]", "list[list[int]]", "dict[str, list[int]]", "list[dict[str, int]]",
    "list[tuple[str, int]]", "set[int]", "bool", "bytes", "Callable", "dict[int, int]", "None", "Iterator[int]",
)  # fmt: skip


@dataclass(frozen=True)
class Signature:
    """One kind per parameter, in order; ``None`` leaves the parameter out."""

    kinds: tuple[str | None, ...]

    def __str__(self) -> str:
        return ", ".join(kind or "left out" for kind in self.kinds)


def docstring_inputs(function: Function) -> list[str]:
    """Calls of the function in the examples of its docstring."""
    docstring = ast.get_docstring(function.node) or ""
    name = function.node.name
    found: list[str] = []
    try:
        examples = doctest.DocTestParser().get_examples(docstring)
    except ValueError:
        return []
    for example in examples[:EXAMPLES_MAX]:
        try:
            tree = ast.parse(example.source)
        except SyntaxError:
            continue
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        found += [
            call_expression([ast.unparse(a) for a in node.args], _keywords(node))
            for node in calls
            if not function.receiver and _called(node.func) == name
        ]
    return list(dict.fromkeys(found))


def signatures(function: Function, kinds: Kinds, observed: tuple[str, ...]) -> list[Signature]:
    """Signatures worth trying, the likeliest first: observed, annotated, then guessed from names and use."""
    parameters = function.parameters
    if observed:
        seen = [
            split_kinds(shape.replace(UNSEEN_ITEM, "int"))
            for shape in sorted(observed, key=_emptiness)
        ]
        return [
            Signature(tuple(each))
            for each in seen
            if len(each) == len(parameters) and all(kind and kinds.can_make(kind) for kind in each)
        ][:SIGNATURES_MAX]
    required = len(parameters) - len(function.node.args.defaults)
    choices: list[list[str | None]] = []
    for position, parameter in enumerate(parameters):
        ranked: list[str | None] = list(_ranked(function, parameter, kinds, position, required))
        choices.append(ranked)
    return [Signature(each) for each in _by_rank(choices, COMBINATIONS_MAX)]


def _emptiness(shape: str) -> int:
    return shape.count(UNSEEN_ITEM)


def _ranked(
    function: Function, parameter: ast.arg, kinds: Kinds, position: int, required: int
) -> Iterator[str | None]:
    if parameter.annotation is not None:
        annotated = kinds.of_annotation(parameter.annotation)
        if annotated:
            yield from annotated
            if position >= required:
                yield None
            return
    if position >= required:
        default = function.node.args.defaults[position - required]
        kind = kinds.of_default(default)
        yield None
        if kind:
            yield kind
    ranked = dict.fromkeys(
        (*_used_like(function, parameter.arg), *_named_like(parameter.arg), *PALETTE)
    )
    yield from ranked


def _named_like(name: str) -> tuple[str, ...]:
    for pattern, kinds in NAME_PRIORS:
        if re.fullmatch(pattern, name):
            return kinds
    return ()


def _used_like(function: Function, name: str) -> Iterator[str]:
    for node in ast.walk(function.node):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == name
        ):
            for kind, methods in METHOD_PRIORS.items():
                if node.attr in methods:
                    yield kind
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == name:
                yield "Callable"
            elif node.func.id == "range" and any(
                isinstance(a, ast.Name) and a.id == name for a in node.args
            ):
                yield "int"
        elif (
            isinstance(node, ast.BinOp)
            and isinstance(node.op, ast.Mod | ast.FloorDiv)
            and isinstance(node.left, ast.Name)
            and node.left.id == name
        ):
            yield "int"


def _by_rank(choices: list[list[str | None]], limit: int) -> Iterator[tuple[str | None, ...]]:
    """Combinations in the order of their summed ranks."""
    if not choices:
        yield ()
        return
    made = 0
    top = sum(len(choice) - 1 for choice in choices)
    for total in range(top + 1):
        for ranks in _compositions(total, [len(choice) - 1 for choice in choices]):
            yield tuple(choice[rank] for choice, rank in zip(choices, ranks, strict=True))
            made += 1
            if made >= limit:
                return


def _compositions(total: int, limits: list[int]) -> Iterator[tuple[int, ...]]:
    if len(limits) == 1:
        if total <= limits[0]:
            yield (total,)
        return
    for first in range(min(total, limits[0]) + 1):
        for rest in _compositions(total - first, limits[1:]):
            yield (first, *rest)


def typical_inputs(
    function: Function,
    kinds: Kinds,
    signature: Signature,
    generator: random.Random,
    count: int,
    size: int,
) -> list[str]:
    """Ordinary inputs whose containers hold about ``size`` items."""
    made = []
    for _ in range(count):
        spread = generator.choice((8, size, 4 * size, 1000))
        texts = [
            None if kind is None else kinds.text(kind, generator, size, spread)
            for kind in signature.kinds
        ]
        if generator.random() < RELATED_SHARE:
            texts = _related(signature, texts, generator)
        made.append(_input(function, kinds, texts, generator))
    return made


def _related(
    signature: Signature, texts: list[str | None], generator: random.Random
) -> list[str | None]:
    """A scalar becomes a member of a container among the others: what is looked up is found."""
    related = list(texts)
    for position, kind in enumerate(signature.kinds):
        if kind not in ("int", "str", "float"):
            continue
        members = [
            ast.unparse(member)
            for other, text in zip(signature.kinds, texts, strict=True)
            if other is not None
            and text is not None
            and parse_kind(other)[1][0] == kind
            and other != kind
            for member in _members(text)
        ]
        if members:
            related[position] = generator.choice(members)
    return related


def _members(text: str) -> list[ast.expr]:
    node = ast.parse(text, mode="eval").body
    if isinstance(node, ast.List | ast.Set | ast.Tuple):
        return node.elts
    return [key for key in node.keys if key is not None] if isinstance(node, ast.Dict) else []


def edge_inputs(
    function: Function, kinds: Kinds, signature: Signature, count: int, seed: int
) -> list[str]:
    """What Hypothesis finds worth trying for these kinds: empty, extreme, odd."""
    texts = edge_texts(signature.kinds, kinds, count, seed)
    generator = random.Random(seed)
    return [_input(function, kinds, list(each), generator) for each in texts]


def _input(
    function: Function, kinds: Kinds, texts: list[str | None], generator: random.Random
) -> str:
    """Positional as long as nothing is left out, then by keyword."""
    arguments = function.node.args
    positional_only = len(arguments.posonlyargs) - (1 if function.receiver else 0)
    args: list[str] = []
    keywords: list[tuple[str, str]] = []
    for index, (parameter, text) in enumerate(zip(function.parameters, texts, strict=True)):
        if text is not None and not keywords and len(args) == index:
            args.append(text)
        elif text is not None and index >= positional_only:
            keywords.append((parameter.arg, text))
    for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is None:
            found = kinds.of_annotation(parameter.annotation) if parameter.annotation else []
            keywords.append(
                (parameter.arg, kinds.text(found[0] if found else "int", generator, 8, 20))
            )
    if arguments.vararg is not None and len(args) == len(texts):
        found = (
            kinds.of_annotation(arguments.vararg.annotation) if arguments.vararg.annotation else []
        )
        kind = found[0] if found else "int"
        args += [kinds.text(kind, generator, 4, 20) for _ in range(generator.randrange(4))]
    if function.receiver and function.holder is not None:
        args.insert(0, kinds.receiver(function, generator))
    return call_expression(args, keywords)


def call_expression(args: list[str], keywords: list[tuple[str, str]]) -> str:
    """``((a, b,), {'key': c})``: what the worker evaluates."""
    inside = "".join(f"{each}, " for each in args)
    return f"(({inside}), {{{', '.join(f'{key!r}: {value}' for key, value in keywords)}}})"


def _called(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def _keywords(node: ast.Call) -> list[tuple[str, str]]:
    return [(each.arg, ast.unparse(each.value)) for each in node.keywords if each.arg is not None]


def split_kinds(shape: str) -> list[str | None]:
    """``"list[int], dict[str, int]"`` to its parts."""
    parts: list[str] = []
    depth = start = 0
    for index, character in enumerate(shape):
        depth += (character == "[") - (character == "]")
        if character == "," and not depth:
            parts.append(shape[start:index])
            start = index + 1
    parts.append(shape[start:])
    return [part.strip() for part in parts if part.strip()]


Accepts = Callable[[list[str]], list[bool]]


def accepted_signatures(
    function: Function, kinds: Kinds, candidates: list[Signature], seed: int, accepts: Accepts
) -> list[Signature]:
    """Those of ``candidates`` with which the old version returns; ``accepts`` runs it on inputs."""
    generator = random.Random(seed)
    tried = [
        (signature, text)
        for signature in candidates
        for text in typical_inputs(function, kinds, signature, generator, 3, 6)
    ]
    verdicts = accepts([text for _, text in tried])
    good = dict.fromkeys(
        signature for (signature, _), ok in zip(tried, verdicts, strict=True) if ok
    )
    return list(itertools.islice(good, SIGNATURES_MAX))
