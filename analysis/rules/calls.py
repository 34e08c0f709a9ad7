"""Rewrites of calls: lambdas, helpers, generators, and copies that nobody needs."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from assist.analysis.rules.effects import (
    mutated,
)
from assist.analysis.rules.inputs import about, calls
from assist.analysis.rules.kinds import (
    base,
    element,
    kind_of,
    may_be,
)
from assist.analysis.rules.pattern import (
    build,
    literal,
    same,
    strip,
)
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.target import Target, names, stores

KEYED = ("sorted", "min", "max", "map", "filter")
C_CALLS = frozenset(
    ["abs", "bool", "chr", "float", "hash", "hex", "int", "len", "oct", "ord", "repr", "str", "bin"]
)
CONSUMERS = (
    "sorted",
    "set",
    "frozenset",
    "sum",
    "min",
    "max",
    "any",
    "all",
    "tuple",
    "enumerate",
    "iter",
    "map",
    "list",
)


def lambda_key(target: Target) -> Iterator[Rewrite]:
    """A lambda that only looks something up, where C can do it."""
    for node in target.nodes:
        if not isinstance(node, cst.Lambda) or not _is_callback(target, node):
            continue
        if len(node.params.params) != 1 or node.params.params[0].default is not None:
            continue
        name = node.params.params[0].name
        adversarial: tuple[str, ...] = ()
        for example, dotted in (
            ("__x[__k]", "operator.itemgetter"),
            ("__x.__a", "operator.attrgetter"),
        ):
            found = target.match(example, node.body)
            if not found or not same(found["x"], name):
                continue
            if dotted.endswith("itemgetter"):
                key = literal(found["k"])
                if not isinstance(key, (int, str)):
                    continue
                argument = found["k"]
            else:
                assert isinstance(node.body, cst.Attribute)
                argument = cst.SimpleString(repr(node.body.attr.value))
            getter = target.local(dotted)
            yield Rewrite(
                {node: build("__g(__k)", g=getter, k=argument)},
                imports=target.needs(dotted),
                adversarial=adversarial,
            )
        found = target.match("__d[__x]", node.body)
        if found and same(found["x"], name) and name.value not in names(found["d"]):
            yield Rewrite({node: build("__d.__getitem__", d=found["d"])})
        found = target.match("__f(__x)", node.body)
        if (
            found
            and same(found["x"], name)
            and isinstance(found["f"], cst.Name)
            and found["f"].value != name.value
        ):
            yield Rewrite({node: found["f"]})


def _is_callback(target: Target, node: cst.Lambda) -> bool:
    above = target.parent(node)
    if not isinstance(above, cst.Arg):
        return False
    call = target.parent(above)
    if not isinstance(call, cst.Call):
        return False
    if above.keyword is not None:
        return above.keyword.value == "key"
    return (
        isinstance(call.func, cst.Name)
        and call.func.value in {"map", "filter"}
        and target.is_builtin(call.func.value)
    )


def lambda_comprehension(target: Target) -> Iterator[Rewrite]:
    """``list(filter(lambda x: …, xs))`` calls a function for every element."""
    for node in target.nodes:
        for outer, make in (("list", cst.ListComp), ("set", cst.SetComp)):
            for inner in ("filter", "map"):
                found = target.match(f"{outer}({inner}(__f, __xs))", node)
                function = found["f"] if found else None
                if (
                    not found
                    or not isinstance(function, cst.Lambda)
                    or len(function.params.params) != 1
                ):
                    continue
                parameter = function.params.params[0]
                if parameter.default is not None or not _fits(parameter.name, found["xs"]):
                    continue
                ifs = [cst.CompIf(strip(function.body))] if inner == "filter" else []
                source = found["xs"]
                assert isinstance(source, cst.BaseExpression)
                clause = cst.CompFor(parameter.name, source, ifs=ifs)
                elt = parameter.name if inner == "filter" else strip(function.body)
                adversarial = about(target, source)
                yield Rewrite({node: make(elt=elt, for_in=clause)}, adversarial=adversarial)
                counted = target.parent(node)
                call = target.parent(counted) if isinstance(counted, cst.Arg) else None
                if inner == "filter" and outer == "list" and target.match("len(__x)", call):
                    ones = cst.ListComp(cst.Integer("1"), clause)
                    assert call is not None
                    yield Rewrite({call: build("sum(__x)", x=ones)}, adversarial=adversarial)


def _fits(parameter: cst.Name, source: cst.CSTNode) -> bool:
    return parameter.value not in names(source)


def comprehension_map(target: Target) -> Iterator[Rewrite]:
    """``[f(x) for x in xs]`` with a function written in C: let map call it."""
    for node in target.nodes:
        for example, call in (
            ("[__f(__x) for __x in __xs]", "list(map(__f, __xs))"),
            ("[__d[__x] for __x in __xs]", "list(map(__d.__getitem__, __xs))"),
            ("[__x for __x in __xs if __x]", "list(filter(None, __xs))"),
            ("{__f(__x) for __x in __xs}", "set(map(__f, __xs))"),
            ("[__d[__x] for __x in __xs if __x]", "list(map(__d.__getitem__, filter(None, __xs)))"),
        ):
            found = target.match(example, node)
            if not found or not isinstance(found["x"], cst.Name):
                continue
            variable = found["x"].value
            function = found.get("f")
            if function is not None and not (
                isinstance(function, cst.Name) and _runs_in_c(target, function.value)
            ):
                continue
            if "d" in found and (
                variable in names(found["d"]) or not isinstance(found["d"], cst.Name)
            ):
                continue
            holes = {key: value for key, value in found.items() if key != "x"}
            value = build(call, **holes)
            above = target.parent(node)
            consumer = target.parent(above) if isinstance(above, cst.Arg) else None
            assert isinstance(value, cst.Call)
            if call.startswith("list") and _consumes(consumer):
                value = value.args[0].value
            yield Rewrite({node: value}, adversarial=about(target, found["xs"]))


def _consumes(call: cst.CSTNode | None) -> bool:
    """Whether a call reads an iterator to its end as well as a list."""
    takers = {"sum", "min", "max", "sorted", "set", "tuple", "list", "any", "all"}
    return (
        isinstance(call, cst.Call) and isinstance(call.func, cst.Name) and call.func.value in takers
    )


def _runs_in_c(target: Target, name: str) -> bool:
    return name in C_CALLS and target.is_builtin(name)


def generator_list(target: Target) -> Iterator[Rewrite]:
    """``sum(x for …)`` resumes a generator for every element; a list is filled without a switch."""
    for node in target.nodes:
        if (
            not isinstance(node, cst.Call)
            or len(node.args) != 1
            or not isinstance(node.func, cst.Name)
        ):
            continue
        inner = node.args[0].value
        if (
            not isinstance(inner, cst.GeneratorExp)
            or node.args[0].star
            or not target.is_builtin(node.func.value)
        ):
            continue
        if node.func.value in {
            "sum",
            "min",
            "max",
            "sorted",
            "tuple",
            "list",
            "set",
            "dict",
            "frozenset",
        }:
            filled = cst.ListComp(inner.elt, inner.for_in)
            value: cst.BaseExpression = node.with_changes(args=[cst.Arg(filled)])
            if node.func.value == "list":
                value = filled
            elif node.func.value == "set":
                value = cst.SetComp(inner.elt, inner.for_in)
            yield Rewrite({node: value})


def early_exit(target: Target) -> Iterator[Rewrite]:
    """``any([…])`` tests everything before it looks at the first."""
    for node in target.nodes:
        found = target.match_any(("any(__l)", "all(__l)"), node)
        if found and isinstance(found["l"], cst.ListComp) and isinstance(node, cst.Call):
            lazily = cst.GeneratorExp(found["l"].elt, found["l"].for_in, lpar=[], rpar=[])
            yield Rewrite({node: node.with_changes(args=[cst.Arg(lazily)])})


def needless_copy(target: Target) -> Iterator[Rewrite]:
    """A copy that is consumed at once."""
    for node in target.nodes:
        found = target.match_any(("list(sorted(__x))", "list(list(__x))"), node)
        if found and isinstance(node, cst.Call):
            yield Rewrite({node: node.args[0].value}, adversarial=about(target, found["x"]))
            continue
        if isinstance(node, (cst.For, cst.CompFor)):
            found = target.match_any(("list(__x)", "tuple(__x)", "__x[:]"), node.iter)
            if (
                found
                and not _changes_in(target, node, found["x"])
                and isinstance(found["x"], cst.BaseExpression)
            ):
                yield Rewrite({node.iter: strip(found["x"])}, adversarial=about(target, found["x"]))
            continue
        if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Name) or not node.args:
            continue
        if node.func.value not in CONSUMERS or not target.is_builtin(node.func.value):
            continue
        position = 1 if node.func.value == "map" else 0
        if len(node.args) <= position:
            continue
        argument = node.args[position]
        found = target.match_any(("list(__x)", "tuple(__x)"), argument.value)
        if found and isinstance(found["x"], cst.BaseExpression):
            yield Rewrite(
                {argument.value: strip(found["x"])}, adversarial=about(target, found["x"])
            )


def _changes_in(target: Target, loop: cst.For | cst.CompFor, source: cst.CSTNode) -> bool:
    """Whether the body may change what it walks over."""
    owners = names(source)
    return isinstance(loop, cst.For) and bool(
        owners & (mutated(target, loop.body) | frozenset(stores(loop.body)))
    )


def flat_copy(target: Target) -> Iterator[Rewrite]:
    """deepcopy visits every element; flat data needs one copy of the container."""
    for node in target.nodes:
        found = target.match("copy.deepcopy(__x)", node)
        if not found and ("copy", "deepcopy") in target.imported:
            found = target.match("deepcopy(__x)", node)
        if not found or not may_be(target, found["x"], "list", "dict", "set"):
            continue
        kind = kind_of(target, found["x"])
        if base(element(kind)) in {"list", "dict", "set"}:
            rows = target.fresh("row", "part")
            yield Rewrite(
                {node: build("[__r.copy() for __r in __x]", r=rows, x=found["x"])},
                adversarial=about(target, found["x"]),
            )
        else:
            yield Rewrite(
                {node: build("__x.copy()", x=found["x"])}, adversarial=about(target, found["x"])
            )


def iso_date(target: Target) -> Iterator[Rewrite]:
    """strptime interprets its format with a regular expression."""
    for node in target.nodes:
        found = target.match_any(
            ("datetime.strptime(__s, '%Y-%m-%d')", "datetime.strptime(__s, '%Y-%m-%d %H:%M:%S')",
             "datetime.strptime(__s, '%Y-%m-%dT%H:%M:%S')", "datetime.datetime.strptime(__s, '%Y-%m-%d')",
             "datetime.datetime.strptime(__s, '%Y-%m-%dT%H:%M:%S')"), node,
        )  # fmt: skip
        if found and isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            func = node.func.with_changes(attr=cst.Name("fromisoformat"))
            variants = ["'2024-1-5'", "'2024-01-05'", "'20240105'", "'2024-01-05T10:00:00+02:00'"]
            adversarial = calls(
                target, dict.fromkeys(names(found["s"]) & set(target.parameters), variants)
            )
            yield Rewrite({node: build("__f(__s)", f=func, s=found["s"])}, adversarial=adversarial)


RULES = (
    Rule(
        "lambda-key",
        "Look the key up in C",
        "A lambda runs the interpreter for every element; operator's getters and methods do not.",
        lambda_key,
        small=True,
    ),
    Rule(
        "lambda-comprehension",
        "Write the lambda into a comprehension",
        "map and filter call the lambda for every element; a comprehension runs it in place.",
        lambda_comprehension,
    ),
    Rule(
        "comprehension-map",
        "Let map or filter call the function",
        "A function written in C needs no bytecode around it.",
        comprehension_map,
        small=True,
    ),
    Rule(
        "generator-list",
        "Fill a list instead of resuming a generator",
        "Every element of a generator costs a switch into it and back.",
        generator_list,
        small=True,
    ),
    Rule(
        "early-exit",
        "Stop at the first answer",
        "any and all need not see the rest, but a list is made of everything.",
        early_exit,
    ),
    Rule(
        "needless-copy",
        "Drop the copy that is consumed at once",
        "The copy is read once and thrown away.",
        needless_copy,
        small=True,
    ),
    Rule(
        "flat-copy",
        "Copy the container only",
        "deepcopy keeps a memo and visits every element, also of flat data.",
        flat_copy,
    ),
    Rule(
        "iso-date",
        "Read ISO dates with fromisoformat",
        "strptime interprets its format; fromisoformat reads one format in C.",
        iso_date,
    ),
)
