"""Rewrites of conditions, exceptions and chains of comparisons."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from assist.analysis.rules.effects import (
    is_pure,
)
from assist.analysis.rules.inputs import about
from assist.analysis.rules.kinds import (
    is_kind,
)
from assist.analysis.rules.loops import (
    negated,
    start_of,
)
from assist.analysis.rules.pattern import (
    UNKNOWN,
    build,
    build_statement,
    code,
    fitted,
    literal,
    replace,
    same,
    sole,
    strip,
)
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.scopes import (
    is_named,
)
from assist.analysis.rules.target import Target, descendants, stores


def guarded_lookup(target: Target) -> Iterator[Rewrite]:
    """A missing key raises and catches an exception: ask first, or get with a default."""
    for node in target.nodes:
        if not isinstance(node, cst.Try) or node.finalbody is not None or node.orelse is not None:
            continue
        if len(node.handlers) != 1 or node.handlers[0].name is not None:
            continue
        handler = node.handlers[0]
        caught = "" if handler.type is None else code(handler.type)
        if caught not in {"", "KeyError", "Exception"}:
            continue
        only, rescue = sole(node.body), sole(handler.body)
        if only is None or rescue is None or not isinstance(only, cst.SimpleStatementLine):
            continue
        reads = [
            (below, found)
            for below in descendants(only)
            if (found := target.match("__d[__k]", below))
            and isinstance(target.parent(below), (cst.Arg, cst.Assign, cst.Return))
        ]
        if len(reads) != 1 or not isinstance(reads[0][1]["d"], cst.Name):
            continue
        read, found = reads[0]
        if isinstance(target.parent(read), cst.AssignTarget) or not is_pure(target, found["k"]):
            continue
        if target.match("pass", rescue) or target.match("continue", rescue):
            test = build_statement(
                "if __k in __d:\n    __BODY", k=found["k"], d=found["d"], BODY=node.body
            )
            yield Rewrite({node: test})
        assigned, fallback = (
            target.match("__x = __v", only),
            target.match("__x = __default", rescue),
        )
        if assigned and fallback and same(assigned["x"], fallback["x"]) and assigned["v"] is read:
            value = build(
                "__d.get(__k, __default)", d=found["d"], k=found["k"], default=fallback["default"]
            )
            if is_pure(target, fallback["default"]):
                yield Rewrite({node: build_statement("__x = __v", x=assigned["x"], v=value)})
        returned, fallen = (
            target.match("return __v", only),
            target.match("return __default", rescue),
        )
        if returned and fallen and returned["v"] is read and is_pure(target, fallen["default"]):
            value = build(
                "__d.get(__k, __default)", d=found["d"], k=found["k"], default=fallen["default"]
            )
            yield Rewrite({node: build_statement("return __v", v=value)})


def guard_where_needed(target: Target) -> Iterator[Rewrite]:
    """A counter that only one branch lowers can only fall below the limit there."""
    for statement, guard in target.pairs():
        if (
            not isinstance(statement, cst.If)
            or not isinstance(guard, cst.If)
            or guard.orelse is not None
        ):
            continue
        found = target.match_any(("__n < __limit", "__n <= __limit", "__n < 0"), guard.test)
        if not found or not isinstance(found["n"], cst.Name):
            continue
        name = found["n"].value
        lowering = _branches_that(target, statement, name, cst.SubtractAssign)
        raising = _branches_that(target, statement, name, cst.AddAssign)
        if len(lowering) != 1 or not raising or not _always_leaves(guard):
            continue
        loops = target.loops_around(statement)
        if not loops or not _starts_above(target, loops[0], name, guard):
            continue
        changes_elsewhere = (
            sum(name == other for other in stores(loops[0])) - len(lowering) - len(raising)
        )
        if changes_elsewhere:
            continue
        block = lowering[0]
        moved = guard.with_changes(leading_lines=[])
        body = block.with_changes(body=[*block.body, moved])
        changed = replace(statement, {block: body})
        yield Rewrite({statement: changed, guard: None})


def _branches_that(
    target: Target, statement: cst.If, name: str, operator: type[cst.BaseAugOp]
) -> list[cst.IndentedBlock]:
    """Blocks of an if statement that end with ``name += k`` or ``name -= k``, `k` a positive constant."""
    spelled = {cst.AddAssign: "+", cst.SubtractAssign: "-"}[operator]
    found = []
    for node in descendants(statement):
        if isinstance(node, cst.IndentedBlock) and node.body:
            last = node.body[-1]
            match = target.match_any((f"__n {spelled}= __k", f"__n = __n {spelled} __k"), last)
            amount = literal(match["k"]) if match else None
            if match and is_named(match["n"], name) and isinstance(amount, int) and amount > 0:
                found.append(node)
    return found


def _always_leaves(guard: cst.If) -> bool:
    last = guard.body.body[-1] if isinstance(guard.body, cst.IndentedBlock) else None
    return isinstance(last, cst.SimpleStatementLine) and isinstance(
        last.body[-1], (cst.Return, cst.Break, cst.Raise)
    )


def _starts_above(target: Target, loop: cst.For | cst.While, name: str, guard: cst.If) -> bool:
    start = start_of(target, loop, name)
    value = literal(start.value) if start is not None else None
    found = target.match_any(("__n < __limit", "__n <= __limit"), guard.test)
    limit = literal(found["limit"]) if found else None
    if (
        not isinstance(value, int)
        or not isinstance(limit, int)
        or not isinstance(guard.test, cst.Comparison)
    ):
        return False
    strict = isinstance(guard.test.comparisons[0].operator, cst.LessThan)
    return value >= limit if strict else value > limit


def implied_condition(target: Target) -> Iterator[Rewrite]:
    """A branch after ``if a:`` need not ask again whether `a` is false."""
    for node in target.nodes:
        if (
            not isinstance(node, cst.If)
            or not isinstance(node.orelse, cst.If)
            or not is_pure(target, node.test)
        ):
            continue
        opposite = _opposite(node.test)
        test = node.orelse.test
        if (
            opposite is None
            or not isinstance(test, cst.BooleanOperation)
            or not isinstance(test.operator, cst.And)
        ):
            continue
        if same(test.right, opposite):
            rest = test.left
        elif same(test.left, opposite):
            rest = test.right
        else:
            continue
        yield Rewrite({test: strip(rest)})


def _opposite(test: cst.BaseExpression) -> cst.BaseExpression | None:
    if not isinstance(test, cst.Comparison) or len(test.comparisons) != 1:
        return None
    comparison = test.comparisons[0]
    turned: dict[type, type[cst.BaseCompOp]] = {
        cst.Equal: cst.NotEqual, cst.NotEqual: cst.Equal, cst.In: cst.NotIn, cst.NotIn: cst.In,
        cst.Is: cst.IsNot, cst.IsNot: cst.Is,
    }  # fmt: skip
    operator = turned.get(type(comparison.operator))
    if operator is None:
        return None
    return test.with_changes(comparisons=[comparison.with_changes(operator=operator())])


def boolean_choice(target: Target) -> Iterator[Rewrite]:
    """``True if c else False`` of a comparison is the comparison."""
    for node in target.nodes:
        found = target.match("True if __c else False", node)
        turned = target.match("False if __c else True", node)
        condition = found or turned
        if not condition or not is_kind(target, condition["c"], "bool"):
            continue
        test = condition["c"]
        assert isinstance(test, cst.BaseExpression)
        value = strip(test) if found else negated(test)
        yield Rewrite({node: fitted(value, target.parent(node))})


def constant_choice(target: Target) -> Iterator[Rewrite]:
    """A chain of comparisons of one value with constants: a dict."""
    for node in target.nodes:
        if not isinstance(node, cst.If) or isinstance(target.parent(node), cst.If):
            continue
        chain = _chain(target, node)
        if chain is None:
            continue
        subject, pairs, last = chain
        if len(pairs) < 3 or not is_pure(target, subject) or not isinstance(subject, cst.Name):
            continue
        entries = ", ".join(f"{code(key)}: {code(value)}" for key, value in pairs)
        table = target.fresh(f"_{target.function.name.value.strip('_').upper()}_CASES")
        if last is None:
            following = target.after(node)
            found = target.match("return __v", following[0]) if following else None
            last = found["v"] if found and literal(found["v"]) is not UNKNOWN else None
            if last is None:
                continue
        value = build("__t.get(__s, __d)", t=table, s=subject, d=last)
        yield Rewrite(
            {node: build_statement("return __v", v=value)},
            constants=[f"{table} = {{{entries}}}"],
            adversarial=about(target, subject),
        )


def _chain(
    target: Target, node: cst.If
) -> tuple[cst.CSTNode, list[tuple[cst.CSTNode, cst.CSTNode]], cst.CSTNode | None] | None:
    """(subject, [(constant, value)], default) of ``if s == c: return v elif …``."""
    subject: cst.CSTNode | None = None
    pairs: list[tuple[cst.CSTNode, cst.CSTNode]] = []
    current: cst.If | cst.Else | None = node
    while isinstance(current, cst.If):
        found = target.match("__s == __c", current.test)
        value = target.match("return __v", sole(current.body))
        if (
            not found
            or not value
            or literal(found["c"]) is UNKNOWN
            or literal(value["v"]) is UNKNOWN
        ):
            return None
        if isinstance(literal(found["c"]), (list, dict, set)) or isinstance(
            literal(value["v"]), (list, dict, set)
        ):
            return None
        if subject is not None and not same(subject, found["s"]):
            return None
        subject = found["s"]
        pairs.append((found["c"], value["v"]))
        current = current.orelse
    if subject is None:
        return None
    if current is None:
        return subject, pairs, None
    default = target.match("return __v", sole(current.body))
    if not default or literal(default["v"]) is UNKNOWN:
        return None
    return subject, pairs, default["v"]


RULES = (
    Rule(
        "guarded-lookup",
        "Ask before looking up",
        "Raising and catching an exception costs far more than a lookup that finds nothing.",
        guarded_lookup,
    ),
    Rule(
        "guard-where-needed",
        "Test the limit where it can be crossed",
        "Only one branch can bring the value below the limit.",
        guard_where_needed,
        small=True,
    ),
    Rule(
        "implied-condition",
        "Drop the condition that is already known",
        "The branch before it has ruled it out.",
        implied_condition,
        small=True,
    ),
    Rule(
        "boolean-choice",
        "Use the comparison itself",
        "A comparison is already True or False.",
        boolean_choice,
        small=True,
    ),
    Rule(
        "constant-choice",
        "Look the case up in a dict",
        "A dict finds the case at once; a chain compares one after the other.",
        constant_choice,
    ),
)
