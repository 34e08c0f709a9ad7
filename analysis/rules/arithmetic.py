"""Rewrites of arithmetic: powers, remainders, sums of ranges, and loops that mathematics shortens."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from assist.analysis.rules.inputs import about
from assist.analysis.rules.kinds import (
    is_kind,
    may_be,
)
from assist.analysis.rules.loops import (
    accumulations,
    list_comprehension,
    list_of,
    start_of,
)
from assist.analysis.rules.pattern import (
    Change,
    build,
    build_statement,
    fitted,
    literal,
    replace,
    same,
)
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.target import Target, descendants, names, stores

NUMBERS = ("int", "float", "bool")


def modular_power(target: Target) -> Iterator[Rewrite]:
    for node in target.nodes:
        found = target.match_any(("__a ** __b % __m", "pow(__a, __b) % __m"), node)
        if found and all(may_be(target, found[name], "int", "bool") for name in "abm"):
            yield Rewrite(
                {node: build("pow(__a, __b, __m)", **found)},
                adversarial=about(target, found["a"], found["b"], found["m"]),
            )


def small_power(target: Target) -> Iterator[Rewrite]:
    """``x ** 2`` of a variable: one multiplication."""
    powers: dict[cst.CSTNode, Change] = {}
    adversarial: list[str] = []
    for node in target.nodes:
        found = target.match("__x ** __n", node)
        if not found or not _is_simple(found["x"]) or not may_be(target, found["x"], *NUMBERS):
            continue
        exponent = literal(found["n"])
        if exponent == 2 and isinstance(exponent, int):
            powers[node] = fitted(build("__x * __x", x=found["x"]), target.parent(node))
        elif (
            exponent == 3 and isinstance(exponent, int) and not is_kind(target, found["x"], "float")
        ):
            powers[node] = fitted(build("__x * __x * __x", x=found["x"]), target.parent(node))
        else:
            continue
        adversarial.extend(about(target, found["x"]))
    if powers:
        yield Rewrite(powers, adversarial=adversarial)


def _is_simple(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.Subscript):
        return isinstance(node.value, cst.Name) and all(
            isinstance(part.slice, cst.Index)
            and isinstance(part.slice.value, (cst.Name, cst.Integer))
            for part in node.slice
        )
    return isinstance(node, cst.Name)


def remainder_sign(target: Target) -> Iterator[Rewrite]:
    """``abs(x % 10)``: the remainder by a positive number is never negative."""
    changes: dict[cst.CSTNode, Change] = {}
    adversarial: list[str] = []
    for node in target.nodes:
        found = target.match("abs(__x % __k)", node)
        divisor = literal(found["k"]) if found else None
        if (
            found
            and isinstance(divisor, (int, float))
            and divisor > 0
            and not is_kind(target, found["x"], "str")
        ):
            changes[node] = fitted(build("__x % __k", **found), target.parent(node))
            adversarial.extend(about(target, found["x"]))
    if changes:
        yield Rewrite(changes, adversarial=adversarial)


def gcd_loop(target: Target) -> Iterator[Rewrite]:
    """Euclid's algorithm by hand: math.gcd for positive whole numbers."""
    gcd = target.local("math.gcd")
    imports = target.needs("math.gcd")
    examples = (
        "while __b:\n    __a, __b = __b, __a % __b\n",
        "while __b != 0:\n    __a, __b = __b, __a % __b\n",
        "while __b > 0:\n    __a, __b = __b, __a % __b\n",
    )
    for loop in target.nodes:
        found = target.match_any(examples, loop) if isinstance(loop, cst.While) else None
        if (
            not found
            or not isinstance(found["a"], cst.Name)
            or not isinstance(found["b"], cst.Name)
        ):
            continue
        if any(
            target.match(
                "if type(__a) is int and type(__b) is int and __b > 0:\n    __BODY\n", before
            )
            for before, after in target.pairs()
            if after is loop
        ):
            continue
        guarded = build_statement(
            "if type(__a) is int and type(__b) is int and __b > 0:\n    __a, __b = __gcd(__a, __b), 0\n",
            a=found["a"], b=found["b"], gcd=gcd,
        )  # fmt: skip
        yield Rewrite(
            {loop: [guarded, loop.with_changes(leading_lines=[])]},
            imports=imports,
            adversarial=about(target, found["a"], found["b"]),
        )


def quotient_and_rest(target: Target) -> Iterator[Rewrite]:
    """``x % m`` beside ``x // m``: divide once."""
    for first, second in target.pairs():
        found = target.match_any(("__x //= __m", "__x = __x // __m"), second)
        if (
            not found
            or not isinstance(found["x"], cst.Name)
            or not isinstance(found["m"], (cst.Name, cst.Integer))
        ):
            continue
        remainders = [
            node
            for node in descendants(first)
            if (rest := target.match("__x % __m", node))
            and same(rest["x"], found["x"])
            and same(rest["m"], found["m"])
        ]
        if len(remainders) != 1 or not isinstance(first, cst.SimpleStatementLine):
            continue
        digit = target.fresh("digit", "rest")
        divided = build_statement(
            "__x, __d = divmod(__x, __m)", x=found["x"], d=digit, m=found["m"]
        )
        changed = replace(first, {remainders[0]: cst.Name(digit)})
        if names(found["x"]) & (frozenset(stores(first)) | names(changed)):
            continue
        yield Rewrite(
            {first: divided, second: changed}, adversarial=about(target, found["x"], found["m"])
        )


def two_extremes(target: Target) -> Iterator[Rewrite]:
    """``max(a, b)`` of two names: a conditional expression makes no call."""
    changes: dict[cst.CSTNode, Change] = {}
    adversarial: list[str] = []
    for node in target.nodes:
        for function, operator in (("max", ">"), ("min", "<")):
            found = target.match(f"{function}(__a, __b)", node)
            if not found or not all(isinstance(found[n], (cst.Name, cst.Integer)) for n in "ab"):
                continue
            if isinstance(node, cst.Call) and any(a.star for a in node.args):
                continue
            value = build(f"__b if __b {operator} __a else __a", **found)
            changes[node] = fitted(value, target.parent(node))
            adversarial.extend(about(target, found["a"], found["b"]))
    if changes:
        yield Rewrite(changes, adversarial=adversarial)


def product_loop(target: Target) -> Iterator[Rewrite]:
    for example in ("__into *= __value", "__into = __into * __value"):
        for loop, name, collected in accumulations(target, example):
            start = start_of(target, loop, name)
            if (
                start is None
                or literal(start.value) != 1
                or not may_be(target, collected.value, *NUMBERS)
            ):
                continue
            prod = target.local("math.prod")
            source = (
                collected.source
                if isinstance(list_of(collected), cst.Call)
                else list_comprehension(collected)
            )
            statement = build_statement("__n = __prod(__x)", n=name, prod=prod, x=source)
            adversarial = about(target, collected.source)
            yield Rewrite(
                {start.statement: start.change, loop: statement},
                imports=target.needs("math.prod"),
                adversarial=adversarial,
            )
            bounds = target.match_any(("range(1, __n + 1)", "range(2, __n + 1)"), source)
            if bounds:
                factorial = target.local("math.factorial")
                value = build("__f(__n) if __n > 0 else 1", f=factorial, n=bounds["n"])
                statement = build_statement("__n = __v", n=name, v=value)
                yield Rewrite(
                    {start.statement: start.change, loop: statement},
                    imports=target.needs("math.factorial"),
                    adversarial=about(target, bounds["n"]),
                )


def float_mean(target: Target) -> Iterator[Rewrite]:
    """statistics.mean works with fractions; fmean with floats."""
    for node in target.nodes:
        found = target.match_any(("statistics.mean(__x)", "mean(__x)"), node)
        if not found or not isinstance(node, cst.Call):
            continue
        if isinstance(node.func, cst.Name):
            if ("statistics", "mean") not in target.imported:
                continue
            fmean = target.local("statistics.fmean")
            yield Rewrite(
                {node: build("__f(__x)", f=fmean, x=found["x"])},
                imports=target.needs("statistics.fmean"),
                adversarial=about(target, found["x"]),
            )
        elif ("statistics", "") in target.imported:
            yield Rewrite(
                {node: build("statistics.fmean(__x)", x=found["x"])},
                adversarial=about(target, found["x"]),
            )


RULES = (
    Rule(
        "modular-power",
        "Let pow() take the modulus",
        "pow with three arguments never builds the huge power.",
        modular_power,
    ),
    Rule(
        "small-power",
        "Multiply instead of raising to a power",
        "A product of small numbers is one instruction; a power is a general algorithm.",
        small_power,
        small=True,
    ),
    Rule(
        "remainder-sign",
        "Drop the needless abs()",
        "The remainder by a positive number is never negative.",
        remainder_sign,
        small=True,
    ),
    Rule(
        "gcd-loop",
        "Use math.gcd for positive whole numbers",
        "math.gcd runs Lehmer's algorithm in C.",
        gcd_loop,
    ),
    Rule(
        "quotient-and-rest",
        "Divide once with divmod",
        "Quotient and remainder of large numbers come out of one division.",
        quotient_and_rest,
    ),
    Rule(
        "two-extremes",
        "Compare instead of calling max() or min()",
        "For two values a comparison is cheaper than a call.",
        two_extremes,
        small=True,
    ),
    Rule(
        "product-loop",
        "Multiply with math.prod",
        "math.prod multiplies in C.",
        product_loop,
    ),
    Rule(
        "float-mean",
        "Take the mean with fmean",
        "statistics.mean adds exact fractions; fmean adds floats in C.",
        float_mean,
    ),
)
