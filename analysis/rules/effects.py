"""Which code can be moved, repeated or dropped: purity, invariance and mutation, read from syntax; doubt is settled by the verifier."""

from __future__ import annotations

import libcst as cst

from assist.analysis.rules.kinds import base, kind_of
from assist.analysis.rules.target import Target, descendants, names, stores

PURE_BUILTINS = frozenset(
    [
        "abs",
        "all",
        "any",
        "ascii",
        "bin",
        "bool",
        "bytes",
        "callable",
        "chr",
        "complex",
        "dict",
        "divmod",
        "enumerate",
        "filter",
        "float",
        "format",
        "frozenset",
        "hash",
        "hex",
        "int",
        "isinstance",
        "issubclass",
        "len",
        "list",
        "map",
        "max",
        "min",
        "oct",
        "ord",
        "pow",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "slice",
        "sorted",
        "str",
        "sum",
        "tuple",
        "type",
        "zip",
    ]
)
PURE_MODULES = frozenset(["math", "cmath", "operator", "itertools"])
PURE_METHODS = frozenset(
    [
        "capitalize",
        "casefold",
        "center",
        "count",
        "encode",
        "decode",
        "endswith",
        "expandtabs",
        "find",
        "format",
        "index",
        "isalnum",
        "isalpha",
        "isascii",
        "isdecimal",
        "isdigit",
        "isidentifier",
        "islower",
        "isnumeric",
        "isprintable",
        "isspace",
        "istitle",
        "isupper",
        "join",
        "ljust",
        "lower",
        "lstrip",
        "partition",
        "removeprefix",
        "removesuffix",
        "replace",
        "rfind",
        "rindex",
        "rjust",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "swapcase",
        "title",
        "translate",
        "upper",
        "zfill",
        "get",
        "keys",
        "values",
        "items",
        "copy",
        "union",
        "intersection",
        "difference",
        "symmetric_difference",
        "issubset",
        "issuperset",
        "isdisjoint",
        "bit_length",
        "is_integer",
        "conjugate",
    ]
)
MUTATING_METHODS = frozenset(
    [
        "append",
        "extend",
        "insert",
        "pop",
        "popitem",
        "remove",
        "clear",
        "sort",
        "reverse",
        "add",
        "discard",
        "update",
        "setdefault",
        "appendleft",
        "popleft",
        "extendleft",
        "rotate",
        "difference_update",
        "intersection_update",
        "symmetric_difference_update",
        "write",
        "writelines",
        "send",
        "throw",
        "close",
    ]
)


def is_pure(target: Target, node: cst.CSTNode) -> bool:
    """Whether evaluating an expression looks free of effects (it may still raise)."""
    for below in descendants(node):
        if isinstance(below, (cst.Await, cst.Yield, cst.NamedExpr)):
            return False
        if isinstance(below, cst.Call) and not is_pure_call(target, below):
            return False
    return True


def is_pure_call(target: Target, call: cst.Call) -> bool:
    """Whether the called thing is known to have no effect."""
    func = call.func
    if isinstance(func, cst.Name):
        if func.value in PURE_BUILTINS:
            return target.is_builtin(func.value)
        return is_pure_function(target, func.value)
    if isinstance(func, cst.Attribute):
        if isinstance(func.value, cst.Name) and func.value.value in PURE_MODULES:
            return func.value.value not in target.local_names
        return func.attr.value in PURE_METHODS
    return False


def helper(target: Target, name: str) -> cst.FunctionDef | None:
    """The plain function of the module, or nested in this one, that a name means."""
    places: list[cst.CSTNode] = [
        *target.module.body,
        *(statement for block in target.blocks for statement in block),
    ]
    found = [
        node for node in places if isinstance(node, cst.FunctionDef) and node.name.value == name
    ]
    bound = sum(name == other for other in stores(target.function))
    if len(found) != 1 or found[0].decorators or found[0].asynchronous is not None:
        return None
    return found[0] if bound <= 1 and name not in target.parameters else None


def is_pure_function(target: Target, name: str, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a function of this module only computes from its arguments and constants."""
    if name in seen:
        return True
    function = helper(target, name)
    if function is None:
        return False
    local = frozenset(stores(function)) | {
        node.name.value for node in descendants(function) if isinstance(node, cst.Param)
    }
    for node in descendants(function.body):
        if isinstance(
            node, (cst.Global, cst.Nonlocal, cst.Yield, cst.Await, cst.Import, cst.With, cst.Del)
        ):
            return False
        if isinstance(node, (cst.AssignTarget, cst.AugAssign)) and not isinstance(
            node.target, (cst.Name, cst.Tuple)
        ):
            return False
        if isinstance(node, cst.Call):
            func = node.func
            if isinstance(func, cst.Name) and func.value not in PURE_BUILTINS:
                if not is_pure_function(target, func.value, seen | {name}):
                    return False
            elif not isinstance(func, cst.Name) and not _is_local_method(target, func, local):
                return False
    return True


def _is_local_method(target: Target, func: cst.BaseExpression, local: frozenset[str]) -> bool:
    if not isinstance(func, cst.Attribute):
        return False
    if func.attr.value in PURE_METHODS:
        return True
    owner = func.value
    if isinstance(owner, cst.Name) and owner.value in PURE_MODULES:
        return True
    return (
        isinstance(owner, cst.Name) and owner.value in local and func.attr.value in MUTATING_METHODS
    )


def mutated(target: Target, root: cst.CSTNode) -> frozenset[str]:
    """Variables whose value may be changed in place below a node."""
    found: set[str] = set()
    for node in descendants(root):
        if isinstance(node, cst.Call):
            if isinstance(node.func, cst.Attribute) and node.func.attr.value not in PURE_METHODS:
                found |= _owner(node.func.value)
            if not is_pure_call(target, node) and not _only_adds(node):
                for argument in node.args:
                    found |= _handed_over(target, argument.value)
        elif isinstance(node, (cst.AssignTarget, cst.AugAssign)):
            if isinstance(node.target, (cst.Subscript, cst.Attribute)):
                found |= _owner(node.target.value)
            elif isinstance(node, cst.AugAssign):
                found |= _owner(node.target)
            elif isinstance(node.target, cst.Tuple):
                for element in node.target.elements:
                    if isinstance(element.value, (cst.Subscript, cst.Attribute)):
                        found |= _owner(element.value.value)
        elif isinstance(node, cst.Del):
            for below in descendants(node.target):
                if isinstance(below, cst.Subscript):
                    found |= _owner(below.value)
    return frozenset(found)


def _only_adds(call: cst.Call) -> bool:
    """Whether a call stores its arguments without touching them."""
    return isinstance(call.func, cst.Attribute) and call.func.attr.value in {
        "append", "add", "appendleft", "insert", "extend", "setdefault", "update",
    }  # fmt: skip


def _owner(node: cst.CSTNode) -> set[str]:
    while isinstance(node, (cst.Attribute, cst.Subscript)):
        node = node.value
    return {node.value} if isinstance(node, cst.Name) else set()


def _handed_over(target: Target, node: cst.CSTNode) -> set[str]:
    """Mutable variables that a call receives."""
    if not isinstance(node, cst.Name):
        return set()
    immutable = {"str", "int", "float", "bool", "tuple", "range", "bytes", "frozenset"}
    return set() if base(kind_of(target, node)) in immutable else {node.value}


def is_invariant(target: Target, expression: cst.CSTNode, loop: cst.CSTNode) -> bool:
    """Whether an expression has one value for all rounds of a loop."""
    used = names(expression)
    if used & frozenset(stores(loop)):
        return False
    return not used & mutated(target, loop)


def may_escape(target: Target, loop: cst.CSTNode) -> bool:
    """Whether a loop can be left early: by return, break, raise or yield."""
    return any(
        isinstance(node, (cst.Return, cst.Break, cst.Raise, cst.Yield, cst.Await))
        for node in descendants(loop)
    )
