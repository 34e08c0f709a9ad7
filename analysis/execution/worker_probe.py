"""Worker, part 6: rewrites the syntax tree of the module to count branches or to break it on purpose; it changes text of nobody's file."""

from __future__ import annotations

import ast
import copy
from typing import Any

PROBE, PROBE_LOOP = "__assist_probe__", "__assist_loop__"
COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
}  # fmt: skip
ARITHMETIC: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.Mod: ast.Add,
    ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Coverage:
    """Which sides of which branches were taken; a site is ``(line, text, side)``."""

    def __init__(self) -> None:
        self.sites: list[list[Any]] = []
        self.hits: set[int] = set()

    def site(self, line: int, text: str) -> int:
        self.sites.append([line, text])
        return len(self.sites) - 1

    def probe(self, when_true: int, when_false: int, value: Any) -> Any:
        self.hits.add(when_true if value else when_false)
        return value

    def loop(self, entered: int, iterable: Any) -> Any:
        """Many loops cannot be empty, so only that one was entered is asked for."""
        for item in iterable:
            self.hits.add(entered)
            yield item


class ProbeInserter(ast.NodeTransformer):
    """Wraps tests and loops of the chosen lines; each statement's own value stays as it was."""

    def __init__(self, coverage: Coverage, lines: set[int]) -> None:
        self.coverage = coverage
        self.lines = lines
        self.depth = self.loops = 0

    def _wrap(self, test: ast.expr, both: bool = True) -> ast.expr:
        if isinstance(test, ast.Constant) or test.lineno not in self.lines or not self.depth:
            return test
        when_true = self.coverage.site(test.lineno, "condition never true")
        when_false = self.coverage.site(test.lineno, "condition never false") if both else when_true
        numbers: list[ast.expr] = [ast.Constant(when_true), ast.Constant(when_false), test]
        return ast.copy_location(ast.Call(ast.Name(PROBE, ast.Load()), numbers, []), test)

    def _mark(self, body: list[ast.stmt], text: str) -> list[ast.stmt]:
        if not body or body[0].lineno not in self.lines:
            return body
        number = ast.Constant(self.coverage.site(body[0].lineno, text))
        call = ast.Call(ast.Name(PROBE, ast.Load()), [number, number, ast.Constant(True)], [])
        return [ast.copy_location(ast.Expr(call), body[0]), *body]

    def visit_FunctionDef(self, node: Any) -> Any:
        node.decorator_list = [self.visit(each) for each in node.decorator_list]
        self.depth += 1
        node.body = [self.visit(each) for each in node.body]
        skip = 1 if ast.get_docstring(node) is not None else 0
        node.body[skip:] = self._mark(node.body[skip:], "function never entered")
        self.depth -= 1
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_If(self, node: Any) -> Any:
        self.generic_visit(node)
        node.test = self._wrap(node.test)
        return node

    visit_While = visit_IfExp = visit_If

    def visit_BoolOp(self, node: Any) -> Any:
        self.generic_visit(node)
        node.values = [*(self._wrap(value) for value in node.values[:-1]), node.values[-1]]
        return node

    def visit_comprehension(self, node: Any) -> Any:
        self.generic_visit(node)
        node.ifs = [self._wrap(test) for test in node.ifs]
        return node

    def visit_For(self, node: Any) -> Any:
        self.generic_visit(node)
        if node.lineno in self.lines and self.depth:
            entered = ast.Constant(self.coverage.site(node.lineno, "loop never entered"))
            call = ast.Call(ast.Name(PROBE_LOOP, ast.Load()), [entered, node.iter], [])
            node.iter = ast.copy_location(call, node.iter)
        return node

    def visit_match_case(self, node: Any) -> Any:
        self.generic_visit(node)
        node.body = self._mark(node.body, "case never taken")
        return node


class MutantMaker(ast.NodeTransformer):
    """Numbers every possible break of the chosen lines; makes the one that is ``wanted``.

    ``calls`` breaks calls too. Leaving out ``set(...)`` is often no error, so that is for
    lines in which there is nothing else to break.
    """

    def __init__(self, lines: set[int], wanted: int = -1, calls: bool = False) -> None:
        self.lines = lines
        self.calls = calls
        self.wanted = wanted
        self.made: list[list[Any]] = []
        self.depth = 0

    def _is_wanted(self, node: Any, text: str) -> bool:
        if not self.depth or getattr(node, "lineno", 0) not in self.lines:
            return False
        self.made.append([node.lineno, text])
        return len(self.made) - 1 == self.wanted

    def visit_FunctionDef(self, node: Any) -> Any:
        docstring = ast.get_docstring(node) is not None
        self.depth += 1
        kept = node.body[:1] if docstring else []
        rest = node.body[1:] if docstring else node.body
        changed: list[Any] = []
        for each in rest:
            result = self.visit(each)
            changed += result if isinstance(result, list) else [result]
        node.body = kept + (changed or [ast.Pass()])
        self.depth -= 1
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Compare(self, node: Any) -> Any:
        self.generic_visit(node)
        for index, operator in enumerate(node.ops):
            for other in COMPARISONS.get(type(operator), ()):
                if self._is_wanted(node, f"{type(operator).__name__} to {other.__name__}"):
                    node.ops[index] = other()
        return node

    def visit_BinOp(self, node: Any) -> Any:
        self.generic_visit(node)
        other = ARITHMETIC.get(type(node.op))
        if other and self._is_wanted(node, f"{type(node.op).__name__} to {other.__name__}"):
            node.op = other()
        return node

    visit_AugAssign = visit_BinOp

    def visit_BoolOp(self, node: Any) -> Any:
        self.generic_visit(node)
        if self._is_wanted(node, "and/or swapped"):
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return node

    def visit_UnaryOp(self, node: Any) -> Any:
        self.generic_visit(node)
        if isinstance(node.op, (ast.Not, ast.USub)) and self._is_wanted(node, "operator dropped"):
            return node.operand
        return node

    def visit_Constant(self, node: Any) -> Any:
        if type(node.value) is int and self._is_wanted(node, f"{node.value} to {node.value + 1}"):
            return ast.copy_location(ast.Constant(node.value + 1), node)
        if type(node.value) is bool and self._is_wanted(node, f"{node.value} negated"):
            return ast.copy_location(ast.Constant(not node.value), node)
        if type(node.value) is str and self._is_wanted(node, "text changed"):
            return ast.copy_location(ast.Constant(node.value + "?"), node)
        return node

    def visit_JoinedStr(self, node: Any) -> Any:
        return node

    def visit_If(self, node: Any) -> Any:
        self.generic_visit(node)
        if self._is_wanted(node, "condition always true"):
            node.test = ast.copy_location(ast.Constant(True), node.test)
        if self._is_wanted(node, "condition always false"):
            node.test = ast.copy_location(ast.Constant(False), node.test)
        return node

    def visit_IfExp(self, node: Any) -> Any:
        self.generic_visit(node)
        if self._is_wanted(node, "branches swapped"):
            node.body, node.orelse = node.orelse, node.body
        return node

    def visit_Call(self, node: Any) -> Any:
        self.generic_visit(node)
        kept = node.args[0] if node.args else getattr(node.func, "value", None)
        if not self.calls or kept is None or isinstance(kept, ast.Starred):
            return node
        return kept if self._is_wanted(node, "call left out") else node

    def visit_Return(self, node: Any) -> Any:
        self.generic_visit(node)
        empty = node.value is None or getattr(node.value, "value", 0) is None
        if not empty and self._is_wanted(node, "returns None"):
            node.value = ast.copy_location(ast.Constant(None), node.value)
        return node

    def visit_Expr(self, node: Any) -> Any:
        self.generic_visit(node)
        if self._is_wanted(node, "statement dropped"):
            return ast.copy_location(ast.Pass(), node)
        return node

    visit_Assert = visit_Delete = visit_Expr

    def visit_comprehension(self, node: Any) -> Any:
        self.generic_visit(node)
        for index, test in enumerate(node.ifs):
            if self._is_wanted(test, "filter dropped"):
                node.ifs[index] = ast.copy_location(ast.Constant(True), test)
        return node

    def visit_Break(self, node: Any) -> Any:
        return (
            ast.copy_location(ast.Continue(), node)
            if self._is_wanted(node, "break to continue")
            else node
        )

    def visit_Continue(self, node: Any) -> Any:
        return (
            ast.copy_location(ast.Break(), node)
            if self._is_wanted(node, "continue to break")
            else node
        )

    def visit_AnnAssign(self, node: Any) -> Any:
        node.value = self.visit(node.value) if node.value is not None else None
        return node


def transformed_tree(tree: ast.Module, transform: Any, coverage: Coverage) -> ast.Module:
    """``transform``: None, ``{"probe": lines}`` or ``{"mutant": number, "lines": lines}``."""
    if not transform:
        return tree
    tree = copy.deepcopy(tree)
    if "probe" in transform:
        tree = ProbeInserter(coverage, set(transform["probe"])).visit(tree)
    else:
        lines = set(transform["lines"])
        calls = not _breaks(copy.deepcopy(tree), lines, False)
        tree = MutantMaker(lines, transform["mutant"], calls).visit(tree)
    return ast.fix_missing_locations(tree)


def _breaks(tree: ast.Module, lines: set[int], calls: bool) -> list[list[Any]]:
    maker = MutantMaker(lines, calls=calls)
    maker.visit(tree)
    return maker.made


def possible_mutants(text: str, lines: list[int]) -> list[list[Any]]:
    """``[line, description]`` of every mutant, in the order of their numbers."""
    chosen = set(lines)
    return _breaks(ast.parse(text), chosen, False) or _breaks(ast.parse(text), chosen, True)
