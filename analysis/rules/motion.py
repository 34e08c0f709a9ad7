"""Rewrites that move work: out of loops, out of the function, or to its first of several uses."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import libcst as cst

from assist.analysis.rules.effects import (
    is_invariant,
    is_pure,
    mutated,
)
from assist.analysis.rules.inputs import about
from assist.analysis.rules.pattern import (
    UNKNOWN,
    Change,
    build,
    build_statement,
    code,
    literal,
    replace,
    same,
    strip,
)
from assist.analysis.rules.rule import Rewrite, Rule
from assist.analysis.rules.target import Target, descendants, names, stores, target_names

STATEMENTS_MAX = 8
_OPERATOR_NAMES = {
    cst.Add: "total", cst.Subtract: "difference", cst.Multiply: "product", cst.Divide: "quotient",
    cst.FloorDivide: "quotient", cst.Modulo: "remainder", cst.Power: "power",
}  # fmt: skip
COMPREHENSIONS = (cst.ListComp, cst.SetComp, cst.GeneratorExp, cst.DictComp)


def hoist_invariant(target: Target) -> Iterator[Rewrite]:
    """A pure expression with the same value in every round is computed before the loop."""
    hoisted: set[int] = set()
    for node in target.nodes:
        if not isinstance(node, (cst.Call, cst.BinaryOperation)) or id(node) in hoisted:
            continue
        if not names(node) or not is_pure(target, node) or not _can_share(target, node):
            continue
        place = invariant_place(target, node)
        if place is None:
            continue
        hoisted |= {id(below) for below in descendants(node)}
        name = target.fresh(_name_for(node), "invariant")
        again: dict[cst.CSTNode, Change] = {
            other: cst.Name(name)
            for other in descendants(place)
            if isinstance(other, type(node)) and same(other, node)
        }
        statement = build_statement("__n = __x", n=name, x=strip(node))
        changes: dict[cst.CSTNode, Change] = {place: [statement, replace(place, again)]}
        yield Rewrite(changes, adversarial=about(target, *_names_in(node)))


def _can_share(target: Target, node: cst.CSTNode) -> bool:
    """Whether one value can serve for several: it is not used up, nor changed by who gets it."""
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Name):
        return True
    if node.func.value in {"enumerate", "zip", "map", "filter", "reversed", "iter"}:
        return False
    if node.func.value not in {"list", "dict", "set", "sorted"}:
        return True
    above = target.parent(node)
    if isinstance(above, cst.ComparisonTarget):
        return isinstance(above.operator, (cst.In, cst.NotIn))
    if isinstance(above, (cst.For, cst.CompFor)):
        return above.iter is node
    return isinstance(above, cst.Subscript)


def _names_in(node: cst.CSTNode) -> list[cst.CSTNode]:
    return [cst.Name(name) for name in sorted(names(node))]


def _name_for(node: cst.Call | cst.BinaryOperation) -> str:
    if isinstance(node, cst.BinaryOperation):
        return _OPERATOR_NAMES.get(type(node.operator), "value")
    if isinstance(node.func, cst.Attribute):
        return f"{node.func.attr.value}_result"
    name = node.func.value if isinstance(node.func, cst.Name) else "call"
    first = node.args[0].value if node.args else None
    if name == "len" and isinstance(first, cst.Name):
        return f"{first.value}_length"
    return f"{name}_result"


def invariant_place(target: Target, node: cst.BaseExpression) -> cst.BaseStatement | None:
    """The statement before which an invariant expression can be computed once."""
    found: cst.BaseStatement | None = None
    below: cst.CSTNode = node
    for above in target.ancestors(node):
        if isinstance(above, (cst.FunctionDef, cst.Lambda, cst.ClassDef)):
            return found if above is target.function else None
        repeated = isinstance(above, cst.While) or (
            isinstance(above, cst.For) and below is not above.iter
        )
        if isinstance(above, COMPREHENSIONS):
            outer = above.for_in.iter
            repeated = not any(part is node for part in descendants(outer))
            if names(node) & {
                n
                for part in descendants(above)
                if isinstance(part, cst.CompFor)
                for n in target_names(part.target)
            }:
                return found
        if repeated:
            if not is_invariant(target, node, above):
                return found
            place = target.statement_of(above)
            movable = isinstance(place, cst.SimpleStatementLine) or place is above
            if place is not None and movable and statements_around(target, place):
                found = place
        below = above
    return found


def function_import(target: Target) -> Iterator[Rewrite]:
    """An import inside the function looks the module up on every call."""
    changes: dict[cst.CSTNode, Change] = {}
    imports: list[str] = []
    for statement in _statements(target):
        if len(statement.body) != 1:
            continue
        node = statement.body[0]
        if isinstance(node, cst.Import):
            libraries = [code(alias.name) for alias in node.names]
            bound = [
                code(alias.asname.name) if alias.asname else code(alias.name)
                for alias in node.names
            ]
        elif isinstance(node, cst.ImportFrom) and node.module is not None and not node.relative:
            if isinstance(node.names, cst.ImportStar):
                continue
            libraries = [code(node.module)]
            bound = [
                code(alias.asname.name) if alias.asname else code(alias.name)
                for alias in node.names
            ]
        else:
            continue
        if not all(library.split(".")[0] in sys.stdlib_module_names for library in libraries):
            continue
        if any(
            name.split(".")[0] in target.module_names and not _is_imported(target, name)
            for name in bound
        ):
            continue
        if len(statements_around(target, statement)) <= 1:
            continue
        changes[statement] = None
        line = code(node).strip()
        if line not in imports and not all(_is_imported(target, name) for name in bound):
            imports.append(line)
    if changes:
        yield Rewrite(changes, imports=imports)


def _statements(target: Target) -> list[cst.SimpleStatementLine]:
    return [node for node in target.nodes if isinstance(node, cst.SimpleStatementLine)]


def statements_around(target: Target, statement: cst.CSTNode) -> Sequence[cst.BaseStatement]:
    """The block in which a statement stands."""
    for block in target.blocks:
        if any(statement is other for other in block):
            return block
    return ()


def _is_imported(target: Target, name: str) -> bool:
    return (name, "") in target.imported or any(name == other for _, other in target.imported)


def constant_display(target: Target) -> Iterator[Rewrite]:
    """A dict, set or list of constants that is built on every call and only read."""
    for statement in _statements(target):
        found = target.match("__name = __value", statement)
        if not found or not isinstance(found["name"], cst.Name):
            continue
        value, name = found["value"], found["name"].value
        if not isinstance(value, (cst.Dict, cst.Set, cst.List)) or not _is_flat(literal(value)):
            continue
        uses = target.uses(name)
        if sum(name == bound for bound in stores(target.function)) != 1 or len(uses) < 2:
            continue
        if not all(_only_reads(target, use) for use in uses[1:]) or name in target.parameters:
            continue
        constant = target.fresh(f"_{name.strip('_').upper()}")
        changes: dict[cst.CSTNode, Change] = {use: cst.Name(constant) for use in uses[1:]}
        changes[statement] = None
        if len(statements_around(target, statement)) > 1:
            yield Rewrite(changes, constants=[f"{constant} = {code(value)}"])


def _is_flat(value: object) -> bool:
    """Whether a container holds nothing that can be changed through it."""
    if isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, (list, set)):
        parts = list(value)
    else:
        return False
    return all(
        isinstance(part, (str, int, float, complex, bytes, tuple, type(None))) for part in parts
    )


def _only_reads(target: Target, use: cst.Name) -> bool:
    """Whether a use cannot change the value nor hand it on."""
    above = target.parent(use)
    if isinstance(above, cst.Subscript):
        outer = target.parent(above)
        return above.value is use and not isinstance(
            outer, (cst.AssignTarget, cst.AugAssign, cst.Del)
        )
    if isinstance(above, cst.ComparisonTarget):
        return isinstance(above.operator, (cst.In, cst.NotIn))
    if isinstance(above, cst.Attribute):
        return above.attr.value in {
            "get",
            "index",
            "count",
            "__getitem__",
            "items",
            "keys",
            "values",
        }
    if isinstance(above, (cst.For, cst.CompFor)):
        return above.iter is use
    return bool(
        isinstance(above, cst.Arg)
        and target.match_any(("len(__x)", "enumerate(__x)"), target.parent(above))
    )


def shared_expression(target: Target) -> Iterator[Rewrite]:
    """The same pure expression several times in one condition or value: compute it at its first place."""
    for node in target.nodes:
        if not isinstance(
            node, (cst.BooleanOperation, cst.Comparison, cst.BinaryOperation, cst.Tuple, cst.Call)
        ):
            continue
        above = target.parent(node)
        if isinstance(
            above,
            (
                cst.BooleanOperation,
                cst.Comparison,
                cst.ComparisonTarget,
                cst.BinaryOperation,
                cst.Arg,
            ),
        ):
            continue
        if any(isinstance(a, (cst.Lambda, *COMPREHENSIONS)) for a in target.ancestors(node)):
            continue
        changes = _shared(target, _operands(node))
        if changes:
            yield Rewrite({node: replace(node, changes)})


def _operands(node: cst.CSTNode) -> list[cst.CSTNode]:
    """Operands of a chain of one boolean operator, in the order of evaluation."""
    if not isinstance(node, cst.BooleanOperation):
        return [node]
    kind = type(node.operator)
    found: list[cst.CSTNode] = []
    for side in (node.left, node.right):
        if isinstance(side, cst.BooleanOperation) and isinstance(side.operator, kind):
            found.extend(_operands(side))
        else:
            found.append(side)
    return found


def _shared(target: Target, operands: list[cst.CSTNode]) -> dict[cst.CSTNode, Change]:
    """Changes that name repeated expressions with the walrus where they come first."""
    seen: list[tuple[cst.BaseExpression, list[cst.CSTNode], bool]] = []
    for operand in operands:
        for node, certain in _evaluated(operand):
            if not _worth_sharing(target, node):
                continue
            for known, places, _ in seen:
                if same(known, node):
                    places.append(node)
                    break
            else:
                seen.append((node, [node], certain))
    changes: dict[cst.CSTNode, Change] = {}
    covered: set[int] = set()
    taken: list[str] = []
    for known, places, certain in sorted(seen, key=lambda entry: -len(code(entry[0]))):
        places = [place for place in places if id(place) not in covered]
        if len(places) < 2 or not certain or places[0] is not known:
            continue
        name = target.fresh(
            *(n for n in (_shared_name(known), "shared", "common") if n not in taken)
        )
        taken.append(name)
        first = build("(__n := __x)", n=name, x=strip(known))
        changes[places[0]] = first
        for place in places:
            covered |= {id(below) for below in descendants(place)}
        changes.update({place: cst.Name(name) for place in places[1:]})
    return changes


def _shared_name(node: cst.BaseExpression) -> str:
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Name):
        return {"str": "text", "len": "length", "int": "number", "abs": "size"}.get(
            node.func.value, "value"
        )
    if isinstance(node, cst.BinaryOperation):
        squared = same(node.left, node.right) or (
            isinstance(node.operator, cst.Power) and literal(node.right) == 2
        )
        if squared and isinstance(node.left, cst.Name):
            return f"{node.left.value}_squared"
        return _OPERATOR_NAMES.get(type(node.operator), "value")
    if isinstance(node, cst.Subscript):
        inner = node.slice[0].slice
        text = code(inner) if isinstance(inner, cst.Index) else ""
        words = {
            "i": "current",
            "i + 1": "following",
            "i+1": "following",
            "i - 1": "previous",
            "-1": "last",
            "0": "first",
        }
        return words.get(text, "item")
    return "value"


def _worth_sharing(target: Target, node: cst.CSTNode) -> bool:
    if isinstance(node, cst.Call):
        return is_pure(target, node) and bool(names(node)) and _can_share(target, node)
    if isinstance(node, cst.Subscript):
        return is_pure(target, node) and not any(isinstance(s.slice, cst.Slice) for s in node.slice)
    return (
        isinstance(node, cst.BinaryOperation) and is_pure(target, node) and literal(node) is UNKNOWN
    )


def _evaluated(
    node: cst.CSTNode, certain: bool = True
) -> Iterator[tuple[cst.BaseExpression, bool]]:
    """Expressions below a node in the order of evaluation, and whether they are always evaluated."""
    if isinstance(node, (cst.Lambda, *COMPREHENSIONS, cst.NamedExpr)):
        return
    if isinstance(node, cst.IfExp):
        yield from _evaluated(node.test, certain)
        yield from _evaluated(node.body, False)
        yield from _evaluated(node.orelse, False)
    elif isinstance(node, cst.BooleanOperation):
        yield from _evaluated(node.left, certain)
        yield from _evaluated(node.right, False)
    elif isinstance(node, cst.Comparison):
        yield from _evaluated(node.left, certain)
        for index, comparison in enumerate(node.comparisons):
            yield from _evaluated(comparison.comparator, certain and index == 0)
    else:
        for child in node.children:
            yield from _evaluated(child, certain)
    if isinstance(node, (cst.Call, cst.Subscript, cst.BinaryOperation)):
        yield node, certain


def repeated_call(target: Target) -> Iterator[Rewrite]:
    """``if f(x) > best: best = f(x)``: keep what the condition computed."""
    for node in target.nodes:
        if not isinstance(node, cst.If) or not isinstance(node.body, cst.IndentedBlock):
            continue
        if not any(node is statement for block in target.blocks for statement in block):
            continue
        for known, certain in _evaluated(node.test):
            if not certain or not isinstance(known, cst.Call) or not _worth_sharing(target, known):
                continue
            used = names(known)
            again: list[cst.CSTNode] = []
            for statement in node.body.body[:STATEMENTS_MAX]:
                again += [
                    n for n in descendants(statement) if isinstance(n, cst.Call) and same(n, known)
                ]
                if used & (frozenset(stores(statement)) | mutated(target, statement)):
                    break
            if not again:
                continue
            name = target.fresh(_shared_name(known), "value")
            changes: dict[cst.CSTNode, Change] = {n: cst.Name(name) for n in again}
            changes[known] = build("(__n := __x)", n=name, x=strip(known))
            yield Rewrite({node: replace(node, changes)})
            break


RULES = (
    Rule(
        "hoist-invariant",
        "Compute it once before the loop",
        "The value is the same in every round.",
        hoist_invariant,
        small=True,
    ),
    Rule(
        "function-import",
        "Import at the top of the module",
        "An import statement looks its module up on every call.",
        function_import,
        small=True,
    ),
    Rule(
        "constant-display",
        "Build the constant once for the module",
        "A display of constants is built anew on every call.",
        constant_display,
        small=True,
    ),
    Rule(
        "shared-expression",
        "Compute the repeated expression once",
        "The same expression was evaluated several times in one condition.",
        shared_expression,
        small=True,
    ),
    Rule(
        "repeated-call",
        "Keep what the condition computed",
        "The condition already called this; the body need not call it again.",
        repeated_call,
        small=True,
    ),
)
