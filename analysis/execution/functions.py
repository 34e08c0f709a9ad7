"""Reads functions out of source text: where they are, what they take, which data they may change, what an edit changed; it runs nothing."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
CALLS_FOLLOWED_MAX = 200


@dataclass(frozen=True)
class Function:
    """One function of a module; ``lines`` are 1-based and cover decorators and body."""

    qualname: str
    node: FunctionNode
    holder: ast.ClassDef | None

    @property
    def receiver(self) -> bool:
        """Whether the first argument is the object or class the method belongs to."""
        return self.holder is not None and "staticmethod" not in self.decorators

    @property
    def decorators(self) -> tuple[str, ...]:
        return tuple(ast.unparse(each).split("(")[0] for each in self.node.decorator_list)

    @property
    def lines(self) -> range:
        first = min([self.node.lineno, *(each.lineno for each in self.node.decorator_list)])
        return range(first, (self.node.end_lineno or self.node.lineno) + 1)

    @property
    def parameters(self) -> list[ast.arg]:
        """Positional and keyword parameters after the receiver, without ``*`` and ``**``."""
        arguments = self.node.args
        found = [*arguments.posonlyargs, *arguments.args]
        return found[1:] if self.receiver else found


def functions_of(tree: ast.Module) -> Iterator[Function]:
    """Functions of the module and methods of its classes, in order; not those inside functions."""
    yield from _functions(tree.body, "", None)


def _functions(
    body: list[ast.stmt], prefix: str, holder: ast.ClassDef | None
) -> Iterator[Function]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Function(prefix + node.name, node, holder)
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.", node)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            for part in ("body", "orelse", "finalbody"):
                yield from _functions(getattr(node, part, []), prefix, holder)
            for handler in getattr(node, "handlers", []):
                yield from _functions(handler.body, prefix, holder)


def find_function(tree: ast.Module, qualname: str) -> Function | None:
    """The last definition of that name: the one that an import sees."""
    found = [function for function in functions_of(tree) if function.qualname == qualname]
    return found[-1] if found else None


def is_generator(node: FunctionNode) -> bool:
    return any(isinstance(each, ast.Yield | ast.YieldFrom) for each in walk_own(node))


def walk_own(node: FunctionNode) -> Iterator[ast.AST]:
    """Nodes of a function without those of functions and classes inside it."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        each = waiting.pop()
        yield each
        if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(each)


def watched_data(before: ast.Module, after: ast.Module) -> tuple[str, ...]:
    """Names of module data and classes that both versions have and that functions of the module mention."""
    mentioned: set[str] = set()
    for tree in (before, after):
        for function in functions_of(tree):
            mentioned |= {n.id for n in ast.walk(function.node) if isinstance(n, ast.Name)}
            for node in ast.walk(function.node):
                if isinstance(node, ast.Global):
                    mentioned |= set(node.names)
    data = _top_level_data(before) & _top_level_data(after) & mentioned
    classes = _top_level_classes(before) & _top_level_classes(after)
    return tuple(sorted(data | classes))


def _top_level_data(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in tree.body:
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            targets = [node.target]
        for target in targets:
            names |= {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
    return {name for name in names if not (name.startswith("__") and name.endswith("__"))}


def _top_level_classes(tree: ast.Module) -> set[str]:
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


@dataclass(frozen=True)
class ChangedLines:
    """1-based lines inside functions that only one version has; both empty if only comments changed."""

    before: tuple[int, ...]
    after: tuple[int, ...]


def changed_lines(before: str, after: str, qualname: str) -> ChangedLines:
    """Lines that differ in the function and in what it may call, statement by statement; all of it if none do."""
    trees = (ast.parse(before), ast.parse(after))
    texts = (before.splitlines(), after.splitlines())
    only_before: set[int] = set()
    only_after: set[int] = set()
    stripped = [[line.rstrip() for line in text] for text in texts]
    matcher = difflib.SequenceMatcher(None, stripped[0], stripped[1], False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            only_before |= set(range(i1 + 1, i2 + 1))
            only_after |= set(range(j1 + 1, j2 + 1))
    found = []
    for tree, changed in zip(trees, (only_before, only_after), strict=True):
        inside = {line for function in _reached(tree, qualname) for line in function.lines}
        touched = _statement_lines(tree, changed) & inside
        function = find_function(tree, qualname)
        found.append(touched or (set(function.lines) if function else set()))
    return ChangedLines(tuple(sorted(found[0])), tuple(sorted(found[1])))


def _reached(tree: ast.Module, qualname: str) -> list[Function]:
    """The function and those of the module that it may call, by their names, transitively."""
    functions = list(functions_of(tree))
    reached = [function for function in functions if function.qualname == qualname]
    for function in reached:
        names = {node.id for node in ast.walk(function.node) if isinstance(node, ast.Name)}
        names |= {node.attr for node in ast.walk(function.node) if isinstance(node, ast.Attribute)}
        reached += [each for each in functions if each.node.name in names and each not in reached]
        if len(reached) > CALLS_FOLLOWED_MAX:
            break
    return reached


def _statement_lines(tree: ast.Module, changed: set[int]) -> set[int]:
    """Changed lines, grown to the simple statements and the heads of the compound ones they lie in."""
    grown: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or isinstance(node, ast.ClassDef):
            continue
        body = getattr(node, "body", None)
        last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
        lines = set(range(node.lineno, max(last, node.lineno) + 1))
        if lines & changed:
            grown |= lines
    return grown


CONSTANTS_MAX = 24
CONSTANT_CHARACTERS_MAX = 80


def constants_of(*functions: Function) -> list[int | float | str]:
    """Numbers and texts that the code compares with or computes from, and the integers beside them."""
    found: dict[tuple[str, int | float | str], None] = {}
    for function in functions:
        docstring = ast.get_docstring(function.node, clean=False)
        for node in ast.walk(function.node):
            if not isinstance(node, ast.Constant) or node.value == docstring:
                continue
            value = node.value
            near: list[int | float | str] = []
            if type(value) is int and abs(value) < 2**63:
                near = [value, value + 1, value - 1]
            elif type(value) is float or (
                type(value) is str and len(value) <= CONSTANT_CHARACTERS_MAX
            ):
                near = [value]
            found.update(dict.fromkeys((type(each).__name__, each) for each in near))
    return [value for _, value in found][:CONSTANTS_MAX]
