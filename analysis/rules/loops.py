"""Reads loops as what they collect (clauses and a value), so that rules can write them as comprehensions; it knows no rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from assist.analysis.rules.effects import is_pure
from assist.analysis.rules.pattern import build, parenthesized, replace, sole, strip
from assist.analysis.rules.target import Target, descendants, names, target_names

CLAUSES_MAX = 6
TEMPORARIES_MAX = 3

# Gives the value that a statement collects, or none.
Leaf = Callable[[cst.CSTNode], cst.BaseExpression | None]


@dataclass(frozen=True)
class Clause:
    """``for target in source`` or, without target, ``if source``."""

    source: cst.BaseExpression
    target: cst.BaseAssignTargetExpression | None = None


@dataclass(frozen=True)
class Collected:
    """What a loop collects: ``value`` for every round of ``clauses``."""

    clauses: tuple[Clause, ...]
    value: cst.BaseExpression

    @property
    def source(self) -> cst.BaseExpression:
        """What the outermost loop walks over."""
        return self.clauses[0].source


@dataclass(frozen=True)
class Start:
    """The assignment that gives an accumulator its first value.

    ``change`` is what to put in the assignment's place to take the accumulator out of it.
    """

    statement: cst.SimpleStatementLine
    value: cst.BaseExpression
    change: cst.SimpleStatementLine | None


def collect(target: Target, loop: cst.CSTNode, leaf: Leaf) -> Collected | None:
    """Read a ``for`` statement as a comprehension; none where it does anything else."""
    if not isinstance(loop, cst.For) or loop.orelse is not None or loop.asynchronous is not None:
        return None
    inner = _collect_block(target, loop.body, leaf)
    if inner is None or len(inner.clauses) >= CLAUSES_MAX:
        return None
    clause = Clause(strip(loop.iter), strip_target(loop.target))
    collected = Collected((clause, *inner.clauses), inner.value)
    bound = [
        name for part in collected.clauses if part.target for name in target_names(part.target)
    ]
    if any(is_live_after(target, loop, name) for name in bound):
        return None
    return collected


def strip_target(node: cst.BaseAssignTargetExpression) -> cst.BaseAssignTargetExpression:
    """A loop's target without parentheses."""
    if isinstance(node, cst.Tuple):
        return node.with_changes(lpar=(), rpar=())
    return node


def _collect_block(target: Target, block: cst.BaseSuite, leaf: Leaf) -> Collected | None:
    if not isinstance(block, cst.IndentedBlock):
        return None
    *heads, last = block.body
    found = _collect_statement(target, last, leaf)
    temporaries = 0
    for head in reversed(heads):
        skipped = _skip_condition(head)
        temporary = _temporary(target, head)
        if found is None or temporaries > TEMPORARIES_MAX:
            return None
        if skipped is not None:
            found = Collected((Clause(skipped), *found.clauses), found.value)
        elif temporary is not None:
            found = _inlined(found, *temporary)
            temporaries += 1
        else:
            return None
    return found


def _skip_condition(statement: cst.CSTNode) -> cst.BaseExpression | None:
    """The condition under which a round goes on, of ``if …: continue``."""
    if not isinstance(statement, cst.If) or statement.orelse is not None:
        return None
    line = sole(statement.body)
    if isinstance(line, cst.SimpleStatementLine) and isinstance(line.body[0], cst.Continue):
        return negated(statement.test)
    return None


def negated(test: cst.BaseExpression) -> cst.BaseExpression:
    """``not test``, written shortly where that is exact."""
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        return strip(test.expression)
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        comparison = test.comparisons[0]
        turned: type[cst.BaseCompOp] | None = {
            cst.In: cst.NotIn, cst.NotIn: cst.In, cst.Is: cst.IsNot, cst.IsNot: cst.Is,
            cst.Equal: None, cst.NotEqual: None,
        }.get(type(comparison.operator))  # fmt: skip
        if turned is not None:
            return strip(test).with_changes(
                comparisons=[comparison.with_changes(operator=turned())]
            )
    return build("not __x", x=strip(test))


def _temporary(target: Target, statement: cst.CSTNode) -> tuple[str, cst.BaseExpression] | None:
    """A simple assignment of a pure value to a name that is used in this round only."""
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return None
    assign = statement.body[0]
    if not isinstance(assign, cst.Assign) or len(assign.targets) != 1:
        return None
    name = assign.targets[0].target
    if not isinstance(name, cst.Name) or not is_pure(target, assign.value):
        return None
    loops = target.loops_around(statement)
    if not loops or is_live_after(target, loops[0], name.value):
        return None
    return name.value, assign.value


def _inlined(found: Collected, name: str, value: cst.BaseExpression) -> Collected | None:
    """The temporary put in place of its only use."""
    parts = [*(clause.source for clause in found.clauses), found.value]
    uses = [
        (part, node)
        for part in parts
        for node in descendants(part)
        if isinstance(node, cst.Name) and node.value == name
    ]
    if len(uses) != 1 or any(clause.target is not None for clause in found.clauses):
        return None
    where, node = uses[0]

    def put(part: cst.BaseExpression) -> cst.BaseExpression:
        if part is not where:
            return part
        return strip(value) if part is node else replace(part, {node: parenthesized(value)})

    return Collected(
        tuple(Clause(put(c.source), c.target) for c in found.clauses), put(found.value)
    )


def _collect_statement(target: Target, statement: cst.CSTNode, leaf: Leaf) -> Collected | None:
    value = leaf(statement)
    if value is not None:
        return Collected((), strip(value))
    if isinstance(statement, cst.For):
        return collect(target, statement, leaf)
    if not isinstance(statement, cst.If):
        return None
    then = _collect_block(target, statement.body, leaf)
    if then is None:
        return None
    orelse = statement.orelse
    if orelse is None:
        return Collected((Clause(strip(statement.test)), *then.clauses), then.value)
    other = (
        _collect_statement(target, orelse, leaf)
        if isinstance(orelse, cst.If)
        else _collect_block(target, orelse.body, leaf)
    )
    if other is None or then.clauses or other.clauses:
        return None
    value = build(
        "__then if __test else __other",
        then=then.value,
        test=strip(statement.test),
        other=other.value,
    )
    if isinstance(other.value, cst.IfExp) and isinstance(value, cst.IfExp):
        value = value.with_changes(orelse=strip(value.orelse))
    return Collected((), value)


def comprehension(collected: Collected, value: cst.BaseExpression | None = None) -> cst.CompFor:
    """The clauses as ``for … in … if …``; ``value`` is not part of it."""
    clauses = list(collected.clauses)
    inner: cst.CompFor | None = None
    ifs: list[cst.CompIf] = []
    for clause in reversed(clauses):
        if clause.target is None:
            test = clause.source
            if isinstance(test, (cst.IfExp, cst.Lambda, cst.NamedExpr)):
                test = parenthesized(test)
            ifs.insert(0, cst.CompIf(test))
            continue
        source = clause.source
        if isinstance(source, (cst.IfExp, cst.Lambda, cst.NamedExpr)):
            source = parenthesized(source)
        inner = cst.CompFor(target=clause.target, iter=source, ifs=ifs, inner_for_in=inner)
        ifs = []
    assert inner is not None
    return inner


def list_of(collected: Collected) -> cst.BaseExpression:
    """``[value for …]``, or ``list(source)`` where nothing is computed."""
    first = collected.clauses[0]
    if len(collected.clauses) == 1 and _is_same_name(first.target, collected.value):
        return build("list(__x)", x=first.source)
    return list_comprehension(collected)


def list_comprehension(collected: Collected) -> cst.ListComp:
    return cst.ListComp(elt=collected.value, for_in=comprehension(collected))


def _is_same_name(left: cst.CSTNode | None, right: cst.CSTNode) -> bool:
    return isinstance(left, cst.Name) and isinstance(right, cst.Name) and left.value == right.value


def start_of(target: Target, loop: cst.CSTNode, name: str) -> Start | None:
    """The assignment of `name` before a loop in the same block, with no use between the two."""
    for block in target.blocks:
        position = next((i for i, statement in enumerate(block) if statement is loop), None)
        if position is None:
            continue
        for statement in reversed(block[:position]):
            start = _start_in(statement, name)
            if start is not None:
                return start
            if name in names(statement) or isinstance(statement, (cst.FunctionDef, cst.ClassDef)):
                return None
    return None


def _start_in(statement: cst.CSTNode, name: str) -> Start | None:
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return None
    assign = statement.body[0]
    if isinstance(assign, cst.AnnAssign) and assign.value is not None:
        if isinstance(assign.target, cst.Name) and assign.target.value == name:
            return Start(statement, assign.value, None)
        return None
    if not isinstance(assign, cst.Assign) or len(assign.targets) != 1:
        return None
    bound, value = assign.targets[0].target, assign.value
    if isinstance(bound, cst.Name):
        return Start(statement, value, None) if bound.value == name else None
    if not isinstance(bound, cst.Tuple) or not isinstance(value, cst.Tuple):
        return None
    if len(bound.elements) != len(value.elements):
        return None
    for index, element in enumerate(bound.elements):
        if isinstance(element.value, cst.Name) and element.value.value == name:
            change = _without(statement, bound, value, index)
            return Start(statement, value.elements[index].value, change)
    return None


def _without(
    statement: cst.SimpleStatementLine, bound: cst.Tuple, value: cst.Tuple, index: int
) -> cst.SimpleStatementLine:
    """``a, b = x, y`` without one of the pairs."""
    left = [element for i, element in enumerate(bound.elements) if i != index]
    right = [element for i, element in enumerate(value.elements) if i != index]

    def side(elements: Sequence[cst.BaseElement]) -> cst.BaseExpression:
        if len(elements) == 1:
            return elements[0].value
        fixed = [*elements[:-1], elements[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)]
        return cst.Tuple(fixed, lpar=(), rpar=())

    assign = cst.Assign([cst.AssignTarget(side(left))], side(right))  # type: ignore[arg-type]
    return statement.with_changes(body=[assign])


def is_live_after(target: Target, statement: cst.CSTNode, name: str) -> bool:
    """Whether the value that a statement leaves in a variable may be read later."""
    inside = {id(node) for node in descendants(statement)}
    last = max((index for index, node in enumerate(target.nodes) if id(node) in inside), default=-1)
    for node in target.nodes[last + 1 :]:
        if isinstance(node, cst.Name) and node.value == name and node in target.uses(name):
            return not _is_rebound(target, node)
    loops = target.loops_around(statement)
    if loops:
        earlier = [node for node in target.uses(name, loops[-1]) if id(node) not in inside]
        return bool(earlier) and not _is_rebound(target, earlier[0])
    return False


def _is_rebound(target: Target, node: cst.Name) -> bool:
    """Whether the first occurrence of a name gives it a new value."""
    below: cst.CSTNode = node
    for above in target.ancestors(node):
        if isinstance(above, cst.AssignTarget):
            return above.target is below
        if isinstance(above, cst.For):
            return above.target is below
        if isinstance(above, (cst.ListComp, cst.SetComp, cst.GeneratorExp, cst.DictComp)):
            bound = {
                name
                for part in descendants(above.for_in)
                if isinstance(part, cst.CompFor)
                for name in target_names(part.target)
            }
            return node.value in bound
        if isinstance(above, (cst.FunctionDef, cst.Lambda)) and above is not target.function:
            return node.value in {
                p.name.value for p in descendants(above) if isinstance(p, cst.Param)
            }
        if isinstance(above, cst.BaseSuite):
            return False
        below = above
    return False


def accumulations(
    target: Target, example: str, hole: str = "value"
) -> Iterator[tuple[cst.For, str, Collected]]:
    """Loops that do nothing but collect into one variable.

    ``example`` is the collecting statement as a pattern, its variable ``__into``.
    """
    for loop in target.nodes:
        if not isinstance(loop, cst.For):
            continue
        into = {
            found["into"].value
            for node in descendants(loop)
            if (found := target.match(example, node)) and isinstance(found["into"], cst.Name)
        }
        if len(into) != 1:
            continue
        name = into.pop()

        def leaf(statement: cst.CSTNode, name: str = name) -> cst.BaseExpression | None:
            found = target.match(example, statement)
            if (
                found is None
                or not isinstance(found["into"], cst.Name)
                or found["into"].value != name
            ):
                return None
            value = found[hole]
            return value if isinstance(value, cst.BaseExpression) else None

        collected = collect(target, loop, leaf)
        if collected is None or _reads(collected, name):
            continue
        yield loop, name, collected


def _reads(collected: Collected, name: str) -> bool:
    parts = [*(clause.source for clause in collected.clauses), collected.value]
    bound = [clause.target for clause in collected.clauses if clause.target is not None]
    return any(name in names(part) for part in [*parts, *bound])
