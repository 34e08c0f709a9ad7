"""Rewrites of code that works through a text character by character."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from assist.analysis.rules.effects import is_pure
from assist.analysis.rules.inputs import about
from assist.analysis.rules.kinds import constant_value, is_kind, may_be
from assist.analysis.rules.loops import is_live_after
from assist.analysis.rules.pattern import Change, build, build_statement, literal, replace, strip
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.target import Target, descendants, names

JOINED = ("''.join([__f for __c in __s])", "''.join(__f for __c in __s)")


def character_map(target: Target) -> Iterator[Rewrite]:
    """``''.join(f(c) for c in s)`` computes `f` once for each different character."""
    for node in target.nodes:
        found = target.match_any(JOINED, node) or _mapped_lambda(target, node)
        if (
            not found
            or not isinstance(found["c"], cst.Name)
            or not may_be(target, found["s"], "str")
        ):
            continue
        char, source, value = found["c"], found["s"], found["f"]
        if (
            char.value not in names(value)
            or isinstance(value, cst.Name)
            or not is_pure(target, value)
        ):
            continue
        if char.value in names(source):
            continue
        adversarial = about(target, source)
        distinct = build("dict.fromkeys(__s)", s=source)
        if isinstance(source, (cst.Name, cst.Attribute)):
            table = build(
                "{ord(__c): __f for __c in dict.fromkeys(__s)}", c=char, f=value, s=source
            )
            translated = build("__s.translate(__t)", s=source, t=table)
            yield Rewrite({node: translated}, adversarial=adversarial)
            table = build("{__c: __f for __c in __d}", c=char, f=value, d=distinct)
            looked_up = build("''.join(map(__t.__getitem__, __s))", t=table, s=source)
            yield Rewrite({node: looked_up}, adversarial=adversarial)


def _mapped_lambda(target: Target, node: cst.CSTNode) -> dict[str, cst.CSTNode] | None:
    found = target.match("''.join(map(__f, __s))", node)
    if not found:
        return None
    function, source = found["f"], found["s"]
    if isinstance(function, cst.Lambda) and len(function.params.params) == 1:
        return {"c": function.params.params[0].name, "f": function.body, "s": source}
    if isinstance(function, cst.Name) and is_pure(target, cst.Call(function)):
        if target.is_builtin(function.value):
            return None
        char = target.fresh("char", "letter")
        return {"c": cst.Name(char), "f": build("__f(__c)", f=function, c=char), "s": source}
    return None


def character_counts(target: Target) -> Iterator[Rewrite]:
    """A loop over characters that only counts visits each different character once."""
    for loop in target.nodes:
        if not isinstance(loop, cst.For) or not isinstance(loop.target, cst.Name) or loop.orelse:
            continue
        char, source = loop.target.value, loop.iter
        if not may_be(target, source, "str") or not is_pure(target, source):
            continue
        counters = _counters(target, loop.body, char)
        if not counters or is_live_after(target, loop, char):
            continue
        tests = [node.test for node in descendants(loop.body) if isinstance(node, cst.If)]
        if char in counters or counters & names(source):
            continue
        if any(_compares_with_number(target, test, char) for test in tests):
            continue
        times = target.fresh("times", "repeats")
        changes: dict[cst.CSTNode, Change] = {}
        for node in descendants(loop.body):
            if isinstance(node, cst.AugAssign):
                weight = (
                    cst.Name(times)
                    if literal(node.value) == 1
                    else build("__n * __w", n=times, w=strip(node.value))
                )
                changes[node.value] = weight
        text: cst.BaseExpression = source
        before: list[cst.BaseStatement] = []
        if not isinstance(source, cst.Name):
            name = target.fresh("text", "letters")
            before = [build_statement("__t = __s", t=name, s=source)]
            text = cst.Name(name)
        body = replace(loop.body, changes)
        count = build_statement("__n = __s.count(__c)", n=times, s=text, c=char)
        body = body.with_changes(body=[count, *body.body])
        distinct = loop.with_changes(iter=build("dict.fromkeys(__s)", s=text), body=body)
        yield Rewrite({loop: [*before, distinct]}, adversarial=about(target, source))


def _counters(target: Target, block: cst.BaseSuite, char: str) -> frozenset[str]:
    """Names that a block does nothing with but add constants under pure conditions on `char`."""
    found: set[str] = set()
    for node in descendants(block):
        if isinstance(node, (cst.If, cst.Else, cst.IndentedBlock, cst.SimpleStatementLine)):
            if isinstance(node, cst.If) and not is_pure(target, node.test):
                return frozenset()
        elif isinstance(node, cst.AugAssign):
            if not isinstance(node.operator, cst.AddAssign) or not isinstance(
                node.target, cst.Name
            ):
                return frozenset()
            if not isinstance(literal(node.value), int):
                return frozenset()
            found.add(node.target.value)
        elif isinstance(
            node, (cst.BaseSmallStatement, cst.BaseCompoundStatement)
        ) and not isinstance(node, cst.Pass):
            return frozenset()
    tests = {
        name for node in descendants(block) if isinstance(node, cst.If) for name in names(node.test)
    }
    return frozenset() if found & tests else frozenset(found)


def character_predicate(target: Target) -> Iterator[Rewrite]:
    """``sum(1 for c in s if p(c))`` and its kin over the characters of one string."""
    for node in target.nodes:
        test_and_source = _counted(target, node)
        if test_and_source is None:
            continue
        char, test, source = test_and_source
        if not may_be(target, source, "str") or not isinstance(source, cst.Name):
            continue
        if char.value not in names(test) or not is_pure(target, test):
            continue
        if _compares_with_number(target, test, char.value):
            continue
        constants = _membership_constants(target, test, char.value)
        adversarial = about(target, source)
        if constants is not None:
            counted = build("sum(map(__s.count, __cs))", s=source, cs=constants)
            yield Rewrite({node: counted}, adversarial=adversarial)
        counted = build(
            "sum([__s.count(__c) for __c in dict.fromkeys(__s) if __t])", s=source, c=char, t=test
        )
        yield Rewrite({node: counted}, adversarial=adversarial)


def _counted(
    target: Target, node: cst.CSTNode
) -> tuple[cst.Name, cst.BaseExpression, cst.BaseExpression] | None:
    """(character, condition, string) of an expression that counts characters."""
    found = target.match_any(
        (
            "sum(1 for __c in __s if __t)", "sum([1 for __c in __s if __t])",
            "len([__c for __c in __s if __t])", "len(list(filter(lambda __c: __t, __s)))",
        ),
        node,
    )  # fmt: skip
    if not found:
        found = target.match_any(("sum(__t for __c in __s)", "sum([__t for __c in __s])"), node)
        if found and not isinstance(found["t"], cst.Comparison):
            return None
    if not found:
        lambda_call = target.match("len(list(filter(__f, __s)))", node)
        if not lambda_call or not isinstance(lambda_call["f"], cst.Lambda):
            return None
        function = lambda_call["f"]
        if len(function.params.params) != 1:
            return None
        return _typed(function.params.params[0].name, function.body, lambda_call["s"])
    return _typed(found["c"], found["t"], found["s"])


def _compares_with_number(target: Target, test: cst.BaseExpression, name: str) -> bool:
    """Whether a condition compares the variable itself with a number, so that it is no character."""
    for node in descendants(test):
        if (
            isinstance(node, cst.Comparison)
            and isinstance(node.left, cst.Name)
            and node.left.value == name
        ):
            return any(is_kind(target, c.comparator, "int", "float") for c in node.comparisons)
    return False


def _typed(
    char: cst.CSTNode, test: cst.CSTNode, source: cst.CSTNode
) -> tuple[cst.Name, cst.BaseExpression, cst.BaseExpression] | None:
    if not isinstance(char, cst.Name):
        return None
    assert isinstance(test, cst.BaseExpression)
    assert isinstance(source, cst.BaseExpression)
    return char, test, source


def _membership_constants(
    target: Target, test: cst.BaseExpression, char: str
) -> cst.BaseExpression | None:
    """The distinct one-character constants of ``c in '…'``."""
    found = target.match("__c in __k", test)
    if not found or not isinstance(found["c"], cst.Name) or found["c"].value != char:
        return None
    constants = constant_value(target, found["k"])
    if isinstance(constants, str):
        return cst.SimpleString(repr("".join(dict.fromkeys(constants)))) if constants else None
    if isinstance(constants, (tuple, list)) and all(
        isinstance(c, str) and len(c) == 1 for c in constants
    ):
        return cst.SimpleString(repr("".join(dict.fromkeys(constants))))
    return None


RULES = (
    Rule(
        "character-map",
        "Translate each different character once",
        "A text has few different characters; the rest is one pass of str.translate.",
        character_map,
    ),
    Rule(
        "character-counts",
        "Count each different character once",
        "str.count runs at memory speed, and a text has few different characters.",
        character_counts,
    ),
    Rule(
        "character-predicate",
        "Count the characters in C",
        "str.count runs at memory speed, and a text has few different characters.",
        character_predicate,
    ),
)
