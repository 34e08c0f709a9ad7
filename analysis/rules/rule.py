"""What a rule and its proposal are, and how a rule is applied to a module's text; it never judges whether a proposal is faster."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile

import libcst as cst

from assist.analysis.execution.types import Relaxation
from assist.analysis.rules import pattern
from assist.analysis.rules.target import BUILTINS, Facts, Target, find_target, names

PROPOSALS_PER_RULE_MAX = 4


@dataclass(frozen=True)
class Rewrite:
    """One way to change the function.

    ``changes`` maps nodes of the function to a node, a list of statements, or none (remove);
    ``imports`` and ``constants`` are statements for the top of the module; ``adversarial`` are
    Python expressions of ``(args, kwargs)`` that would tell a wrong use of the rewrite apart.
    """

    changes: Mapping[cst.CSTNode, pattern.Change]
    imports: Sequence[str] = ()
    constants: Sequence[str] = ()
    adversarial: Sequence[str] = ()
    relaxations: Sequence[Relaxation] = ()


@dataclass(frozen=True)
class Proposal:
    """A changed module that claims to be faster and still has to prove it."""

    rules: tuple[str, ...]
    title: str
    explanation: str
    module_text: str
    adversarial: tuple[str, ...] = ()
    relaxations: tuple[Relaxation, ...] = ()

    @property
    def origin(self) -> str:
        return "rule:" + "+".join(self.rules)


@dataclass(frozen=True)
class Rule:
    """A rewrite with its reason.

    ``rewrite`` yields the ways in which the function can be changed; it is pure and sees one
    function. ``libraries`` must be in use in the workspace for the rule to be tried. A ``small``
    rule saves little wherever it fits and is left out where it does not pay.
    """

    name: str
    title: str
    explanation: str
    rewrite: Callable[[Target], Iterator[Rewrite]] = field(repr=False)
    libraries: frozenset[str] = frozenset()
    small: bool = False

    def apply(self, module_text: str, qualname: str, facts: Facts | None = None) -> list[Proposal]:
        """Proposals for one function of a module; none where the rule does not fit or text is broken."""
        facts = facts or Facts()
        target = find_target(module_text, qualname, facts)
        if target is None or target.is_unrolled or not self.libraries <= facts.libraries:
            return []
        proposals: list[Proposal] = []
        for rewrite in self.rewrite(target):
            text = rewritten(target, rewrite)
            if text is None or text == module_text or any(text == p.module_text for p in proposals):
                continue
            proposals.append(
                Proposal(
                    (self.name,),
                    self.title,
                    self.explanation,
                    text,
                    tuple(rewrite.adversarial),
                    tuple(rewrite.relaxations),
                )
            )
            if len(proposals) == PROPOSALS_PER_RULE_MAX:
                break
        return proposals


def rewritten(target: Target, rewrite: Rewrite) -> str | None:
    """Text of the module after a rewrite; none where the result would not be valid Python."""
    function = pattern.replace(target.function, rewrite.changes)
    if not _means_python(target, function):
        return None
    body = _swapped(target.module.body, target.function, function)
    module = _with_statements(target.module.with_changes(body=body), target, rewrite)
    text = module.code
    try:
        compile(text, "<proposal>", "exec", dont_inherit=True, flags=ast.PyCF_ONLY_AST)
    except (SyntaxError, ValueError, RecursionError):
        return None
    return text


def _means_python(target: Target, function: cst.CSTNode) -> bool:
    """Whether names of Python's own that the rewrite brought in still mean Python's own."""
    brought = names(function) - target.all_names
    return all(target.is_builtin(name) for name in brought & BUILTINS)


def _swapped(
    body: Sequence[cst.CSTNode], old: cst.FunctionDef, new: cst.CSTNode
) -> list[cst.CSTNode]:
    """The statements with the function replaced, wherever in nested classes it stands."""
    swapped: list[cst.CSTNode] = []
    for node in body:
        if node is old:
            node = new
        elif isinstance(node, cst.ClassDef):
            inner = _swapped(node.body.body, old, new)
            if any(a is not b for a, b in zip(inner, node.body.body, strict=True)):
                node = node.with_changes(body=node.body.with_changes(body=inner))
        swapped.append(node)
    return swapped


def _with_statements(module: cst.Module, target: Target, rewrite: Rewrite) -> cst.Module:
    body = list(module.body)
    if rewrite.constants:
        index = _index_of_top_level(module, target.qualname.split(".")[0])
        constants = [
            cst.parse_statement(text, module.config_for_parsing) for text in rewrite.constants
        ]
        lines = list(getattr(body[index], "leading_lines", ()))
        comments = list(dropwhile(lambda line: line.comment is None, lines))
        above = lines[: len(lines) - len(comments)]
        constants[0] = constants[0].with_changes(leading_lines=above if index else [])
        gap = [cst.EmptyLine(indent=False)] * 2
        body[index] = body[index].with_changes(leading_lines=[*gap, *comments])
        body[index:index] = constants
    if rewrite.imports:
        index = _index_after_imports(body)
        imports = [cst.parse_statement(text, module.config_for_parsing) for text in rewrite.imports]
        body[index:index] = imports
        following = index + len(imports)
        if index == 0 and following < len(body) and not _is_import(body[following]):
            first = body[following]
            lines = list(getattr(first, "leading_lines", ()))
            if not lines or lines[0].comment is not None:
                gap = [cst.EmptyLine(indent=False)] * 2
                body[following] = first.with_changes(leading_lines=[*gap, *lines])
    return module.with_changes(body=body)


def _index_of_top_level(module: cst.Module, name: str) -> int:
    for index in range(len(module.body) - 1, -1, -1):
        node = module.body[index]
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)) and node.name.value == name:
            return index
    return len(module.body)


def _index_after_imports(body: Sequence[cst.CSTNode]) -> int:
    """Where an import belongs: after the docstring and the first run of imports."""
    index = 0
    for position, statement in enumerate(body):
        if _is_import(statement):
            index = position + 1
        elif position == 0 and _is_docstring(statement):
            index = 1
        else:
            break
    return index


def _is_import(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and all(
        isinstance(node, (cst.Import, cst.ImportFrom)) for node in statement.body
    )


def _is_docstring(statement: cst.CSTNode) -> bool:
    return (
        isinstance(statement, cst.SimpleStatementLine)
        and isinstance(statement.body[0], cst.Expr)
        and isinstance(statement.body[0].value, (cst.SimpleString, cst.ConcatenatedString))
    )
