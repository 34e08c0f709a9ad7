"""The function under rewrite with an index of its nodes and names; it knows syntax and scopes, nothing about speed."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import libcst as cst

from assist.analysis.rules import pattern

BUILTINS = frozenset(dir(builtins))
BINDERS = (
    cst.Assign, cst.AnnAssign, cst.AugAssign, cst.NamedExpr, cst.For, cst.CompFor, cst.FunctionDef, cst.AsName,
)  # fmt: skip
FUNCTION_NODES_MAX = 6000
NODES_REMEMBERED_MAX = 4096

FunctionBlock = Sequence[cst.BaseStatement]


@dataclass(frozen=True)
class Facts:
    """What is known about a function from outside its text.

    ``observed`` maps parameters to a type as one would annotate it (``list[int]``), seen in calls
    that were recorded; ``libraries`` are third-party libraries that the workspace uses.
    """

    observed: Mapping[str, str] = field(default_factory=dict)
    libraries: frozenset[str] = frozenset()

    def __hash__(self) -> int:
        return hash((tuple(sorted(self.observed.items())), self.libraries))


@dataclass
class KnownKinds:
    """Kinds of names: those found out, and those being found out by the question that runs."""

    settled: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Target:
    """One function inside its module, as concrete syntax."""

    module: cst.Module
    function: cst.FunctionDef
    qualname: str
    facts: Facts

    @cached_property
    def nodes(self) -> list[cst.CSTNode]:
        """Nodes of the function in source order, decorators and annotations included."""
        return list(self._parents_and_nodes[1])

    @cached_property
    def _parents_and_nodes(self) -> tuple[dict[int, cst.CSTNode], list[cst.CSTNode]]:
        parents: dict[int, cst.CSTNode] = {}
        found: list[cst.CSTNode] = []
        stack: list[cst.CSTNode] = [self.function]
        while stack:
            node = stack.pop()
            found.append(node)
            children = node.children
            for child in children:
                parents[id(child)] = node
            stack.extend(reversed(children))
        return parents, found

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        return self._parents_and_nodes[0].get(id(node))

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """Parents from the inside out, up to the function."""
        above = self.parent(node)
        while above is not None:
            yield above
            above = self.parent(above)

    def loops_around(self, node: cst.CSTNode) -> list[cst.For | cst.While]:
        """Loop statements that repeat `node`, innermost first; its own function only."""
        loops: list[cst.For | cst.While] = []
        below = node
        for above in self.ancestors(node):
            if isinstance(above, (cst.FunctionDef, cst.Lambda)):
                break
            if isinstance(above, cst.While) or (
                isinstance(above, cst.For) and below is not above.iter
            ):
                loops.append(above)
            below = above
        return loops

    @cached_property
    def blocks(self) -> list[FunctionBlock]:
        """Every list of statements in the function, outermost first."""
        return [node.body for node in self.nodes if isinstance(node, cst.IndentedBlock)]

    def pairs(self) -> Iterator[tuple[cst.BaseStatement, cst.BaseStatement]]:
        """Statements that directly follow each other."""
        for block in self.blocks:
            yield from itertools.pairwise(block)

    def statement_of(self, node: cst.CSTNode) -> cst.BaseStatement | None:
        """The innermost statement line or compound statement that holds `node`."""
        for above in (node, *self.ancestors(node)):
            if isinstance(above, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
                return above
        return None

    def after(self, statement: cst.BaseStatement) -> Sequence[cst.BaseStatement]:
        """The statements that follow in the same block."""
        for block in self.blocks:
            for index, other in enumerate(block):
                if other is statement:
                    return block[index + 1 :]
        return ()

    @cached_property
    def parameters(self) -> dict[str, cst.Param]:
        found = self.function.params
        params = [*found.posonly_params, *found.params, *found.kwonly_params]
        return {param.name.value: param for param in params}

    @cached_property
    def module_names(self) -> frozenset[str]:
        """Names bound at the top level of the module."""
        return frozenset(
            name for statement in self.module.body for name in top_level_names(statement)
        )

    @cached_property
    def local_names(self) -> frozenset[str]:
        """Names bound anywhere in the function, parameters included."""
        return frozenset(stores(self.function)) | frozenset(
            node.name.value for node in self.nodes if isinstance(node, cst.Param)
        )

    @cached_property
    def all_names(self) -> frozenset[str]:
        return (
            self.module_names
            | self.local_names
            | frozenset(node.value for node in self.nodes if isinstance(node, cst.Name))
        )

    def is_builtin(self, name: str) -> bool:
        """Whether the name means Python's own here."""
        return name in BUILTINS and name not in self.module_names and name not in self.local_names

    def match(self, text: str, node: cst.CSTNode | None) -> pattern.Captures | None:
        """:func:`pattern.match`, with Python's own names in the pattern meaning Python's own."""
        captures = pattern.match(text, node)
        if captures is None or not all(map(self.is_builtin, _builtins_of(text))):
            return None
        return captures

    def match_any(self, texts: Sequence[str], node: cst.CSTNode | None) -> pattern.Captures | None:
        for text in texts:
            captures = self.match(text, node)
            if captures is not None:
                return captures
        return None

    def fresh(self, *wanted: str) -> str:
        """The first of `wanted` that is free here, else the last with a number."""
        for name in wanted:
            if name not in self.all_names and name not in BUILTINS:
                return name
        number = 2
        while f"{wanted[-1]}_{number}" in self.all_names:
            number += 1
        return f"{wanted[-1]}_{number}"

    def local(self, dotted: str) -> str:
        """How an import such as ``collections.Counter`` is written here, once it is imported."""
        library, _, name = dotted.rpartition(".")
        if (library, name) in self.imported or name not in self.all_names:
            return name
        if (library, "") in self.imported:
            return dotted
        return f"_{name}"

    @cached_property
    def binders(self) -> list[cst.CSTNode]:
        """Nodes of the function that may bind a name."""
        return [node for node in self.nodes if isinstance(node, BINDERS)]

    @cached_property
    def known_kinds(self) -> KnownKinds:
        """What :mod:`kinds` remembers about this function."""
        return KnownKinds()

    @cached_property
    def imported(self) -> frozenset[tuple[str, str]]:
        """Pairs (library, name) of the module's plain imports; no name for ``import library``."""
        return imports_of(self.module)

    def needs(self, *dotted: str) -> tuple[str, ...]:
        """Import statements that :meth:`local` of these asks for."""
        lines = []
        for path in dotted:
            library, _, name = path.rpartition(".")
            local = self.local(path)
            if (library, name) in self.imported or local == path:
                continue
            suffix = f" as {local}" if local != name else ""
            lines.append(f"from {library} import {name}{suffix}")
        return tuple(lines)

    def uses(self, name: str, inside: cst.CSTNode | None = None) -> list[cst.Name]:
        """Name nodes that mean the variable `name`, in source order."""
        nodes = self.nodes if inside is None else descendants(inside)
        return [
            node
            for node in nodes
            if isinstance(node, cst.Name) and node.value == name and self._is_variable(node)
        ]

    def _is_variable(self, node: cst.Name) -> bool:
        above = self.parent(node)
        if isinstance(above, cst.Attribute):
            return above.value is node
        if isinstance(above, cst.Arg):
            return above.keyword is not node
        return True

    def used_outside(self, name: str, *statements: cst.CSTNode) -> bool:
        """Whether the variable occurs anywhere but in `statements`."""
        inside = {id(node) for statement in statements for node in self.uses(name, statement)}
        return any(id(node) not in inside for node in self.uses(name))

    @cached_property
    def is_unrolled(self) -> bool:
        """Whether names may change behind the syntax: ``global``, ``nonlocal``, ``exec``, ``locals``."""
        return any(
            isinstance(node, (cst.Global, cst.Nonlocal))
            or (isinstance(node, cst.Name) and node.value in {"exec", "eval", "locals", "vars"})
            for node in self.nodes
        )


@lru_cache(maxsize=16)
def parse(module_text: str) -> cst.Module | None:
    """The module, or none where it does not parse."""
    try:
        return cst.parse_module(module_text)
    except (cst.ParserSyntaxError, RecursionError, ValueError):
        return None


@lru_cache(maxsize=8)
def find_target(module_text: str, qualname: str, facts: Facts) -> Target | None:
    """The function ``Class.name`` or ``name``; none where it is missing, nested or too large."""
    module = parse(module_text)
    if module is None:
        return None
    body: Sequence[cst.CSTNode] = module.body
    *classes, name = qualname.split(".")
    for part in classes:
        owner = _last_named(body, part, cst.ClassDef)
        if not isinstance(owner, cst.ClassDef):
            return None
        body = owner.body.body
    function = _last_named(body, name, cst.FunctionDef)
    if not isinstance(function, cst.FunctionDef):
        return None
    target = Target(module, function, qualname, facts)
    return target if len(target.nodes) <= FUNCTION_NODES_MAX else None


def _last_named(
    body: Sequence[cst.CSTNode], name: str, kind: type[cst.CSTNode]
) -> cst.CSTNode | None:
    found = [
        node
        for node in body
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)) and node.name.value == name
    ]
    return found[-1] if found and isinstance(found[-1], kind) else None


@lru_cache(maxsize=NODES_REMEMBERED_MAX)
def descendants(root: cst.CSTNode) -> Sequence[cst.CSTNode]:
    """The node and everything below it, in source order."""
    found: list[cst.CSTNode] = []
    stack = [root]
    while stack:
        node = stack.pop()
        found.append(node)
        stack.extend(reversed(node.children))
    return found


@lru_cache(maxsize=NODES_REMEMBERED_MAX)
def names(root: cst.CSTNode) -> frozenset[str]:
    """Variable names that occur below a node."""
    found = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, cst.Name):
            found.add(node.value)
        elif isinstance(node, (cst.Attribute, cst.Arg)):
            stack.append(node.value)
        else:
            stack.extend(node.children)
    return frozenset(found)


def target_names(node: cst.CSTNode) -> Iterator[str]:
    """Names that an assignment target binds."""
    if isinstance(node, cst.Name):
        yield node.value
    elif isinstance(node, (cst.Tuple, cst.List)):
        for element in node.elements:
            yield from target_names(element.value)


@lru_cache(maxsize=NODES_REMEMBERED_MAX)
def stores(root: cst.CSTNode) -> tuple[str, ...]:
    """Names bound below a node: assignments, loops, imports, definitions, deletions."""
    return tuple(_stores(root))


def _stores(root: cst.CSTNode) -> Iterator[str]:
    for node in descendants(root):
        if isinstance(
            node,
            (
                cst.AssignTarget,
                cst.AnnAssign,
                cst.AugAssign,
                cst.NamedExpr,
                cst.For,
                cst.CompFor,
                cst.Del,
            ),
        ):
            yield from target_names(node.target)
        elif isinstance(node, (cst.FunctionDef, cst.ClassDef)) and node is not root:
            yield node.name.value
        elif isinstance(node, cst.AsName):
            yield from target_names(node.name)
        elif isinstance(node, cst.ImportAlias) and node.asname is None:
            yield _first_name(node.name)
        elif isinstance(node, cst.MatchAs) and node.name is not None:
            yield node.name.value


def top_level_names(statement: cst.CSTNode) -> Iterator[str]:
    """Names that a statement of the module binds in the module."""
    if isinstance(statement, (cst.FunctionDef, cst.ClassDef)):
        yield statement.name.value
    elif isinstance(statement, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
        yield from stores(statement)


def imports_of(module: cst.Module) -> frozenset[tuple[str, str]]:
    """Pairs (library, name) of plain top-level imports; the name is empty for ``import library``."""
    found = set()
    for line in module.body:
        if not isinstance(line, cst.SimpleStatementLine):
            continue
        for node in line.body:
            if isinstance(node, cst.Import):
                found |= {(pattern.code(a.name), "") for a in node.names if a.asname is None}
            elif isinstance(node, cst.ImportFrom) and node.module is not None and not node.relative:
                if isinstance(node.names, cst.ImportStar):
                    continue
                library = pattern.code(node.module)
                found |= {(library, pattern.code(a.name)) for a in node.names if a.asname is None}
    return frozenset(found)


def _first_name(node: cst.CSTNode) -> str:
    while isinstance(node, cst.Attribute):
        node = node.value
    return node.value if isinstance(node, cst.Name) else ""


@lru_cache(maxsize=1024)
def _builtins_of(text: str) -> tuple[str, ...]:
    """Python's own names that occur in a pattern as variables."""
    return tuple(name for name in names(pattern.parsed(text)) if name in BUILTINS)
