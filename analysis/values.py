"""Turns what jedi infers into plain facts: members, signatures, keys; open wherever something is not understood."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from jedi import parser_utils
from jedi.inference.imports import Importer
from parso.parser import ParserSyntaxError

from assist.analysis.certainty import certain_values, is_none
from assist.analysis.facts import OPEN, Parameter, Signature, Value
from assist.analysis.literal_types import annotated_strings
from assist.analysis.members import MemberCache, defines

SIGNATURES_MAX = 12
VALUES_MAX = 8
PARAMETERS_MAX = 100

# their constructors follow from the fields that a subclass declares
_FIELD_CLASSES = frozenset({"NamedTuple", "TypedDict"})
_PLAIN_CALLABLES = frozenset(
    {
        "FunctionValue",
        "MethodValue",
        "BoundMethod",
        "OverloadedFunctionValue",
        "ClassValue",
        "DataclassWrapper",
        "CompiledValue",
    }
)
_PLATFORM = re.compile(r"version_info|hexversion|sys\.platform|os\.name|python_version|hasattr\(")
_NARROWING = ("isinstance", "issubclass", "hasattr", "callable", "type", "match")
_KINDS = {
    "POSITIONAL_ONLY": "positional",
    "POSITIONAL_OR_KEYWORD": "either",
    "KEYWORD_ONLY": "keyword",
    "VAR_POSITIONAL": "arguments",
    "VAR_KEYWORD": "keywords",
}


def value_of(script: Any, expression: str, position: tuple[int, int], cache: MemberCache) -> Value:
    """What ``expression`` is at a position (line from 1, column) of a script."""
    # one column on: at its very start the leaf would be the line end before
    inside = (position[0], position[1] + 1)
    leaf = script._module_node.get_leaf_for_position(inside, include_prefixes=True)
    if leaf is None:
        return OPEN
    context = script._get_module_context().create_context(leaf)
    node = parse_expression(context, expression, leaf)
    if node is None:
        return OPEN
    if _is_narrowed(context, node) or _is_for_another_platform(leaf):
        return OPEN
    values = [value for value in certain_values(context, node) or () if not is_none(value)]
    strings = _strings(context, node)
    if not values or len(values) > VALUES_MAX:
        return replace(OPEN, strings=strings)
    return replace(describe(values, context, cache), strings=strings)


def _strings(context: Any, node: Any) -> frozenset[str] | None:
    """The strings that a variable can be, by the annotations of all its definitions."""
    if node.type != "name":
        return None
    names = [annotated_strings(name) for name in context.goto(node, position=node.start_pos)]
    known = [strings for strings in names if strings is not None]
    return frozenset().union(*known) if known and len(known) == len(names) else None


def module_of(script: Any, name: str, cache: MemberCache) -> Value:
    """What a module offers to ``from name import`` and ``import name.``; leading dots are relative
    to the script."""
    path = name.lstrip(".")
    level = len(name) - len(path)
    context = script._get_module_context()
    importer = Importer(
        context.inference_state,
        import_path=tuple(path.split(".")) if path else (),
        module_context=context,
        level=level,
    )
    modules = [value for value in importer.follow() if value.is_module() or value.is_namespace()]
    if not modules:
        return OPEN
    submodules: set[str] = set()
    for module in modules:
        if hasattr(module, "sub_modules_dict"):
            submodules.update(module.sub_modules_dict())
    return replace(describe(modules, context, cache), submodules=frozenset(submodules))


def _is_narrowed(context: Any, node: Any) -> bool:
    """Whether the code around asks for the type of an expression; jedi does not follow that."""
    scope = context.tree_node
    asked = f"hasattr({node.get_code(include_prefix=False)},"
    if any(asked in line for line in context.get_root_context().code_lines or ()):
        return True
    code = scope.get_code() if scope.type in ("funcdef", "lambdef") else ""
    if not any(word in code for word in _NARROWING):
        return False
    text = re.escape(node.get_code(include_prefix=False))
    return bool(re.search(rf"(?:{'|'.join(_NARROWING)})[ (]\s*{text}\b", code))


def _is_for_another_platform(leaf: Any) -> bool:
    """Whether the code around is for a version or platform that may not be the one we read."""
    node = leaf.parent
    while node is not None:
        if node.type == "if_stmt":
            tests = [child for child in node.children if child.type not in ("suite", "keyword")]
            if any(_PLATFORM.search(test.get_code()) for test in tests):
                return True
        node = node.parent
    return False


def parse_expression(context: Any, expression: str, leaf: Any) -> Any:
    """The tree of an expression, put where ``leaf`` is; none if it does not parse."""
    try:
        node = context.inference_state.grammar.parse(
            expression, start_symbol="eval_input", error_recovery=False
        )
    except ParserSyntaxError:
        return None
    parser_utils.move(node, leaf.start_pos[0] - 1)
    node.parent = leaf.parent
    return node.children[0]


def describe(values: list[Any], context: Any, cache: MemberCache) -> Value:
    """Facts that hold for every one of ``values``."""
    kinds = {_kind(value) for value in values}
    return Value(
        members=_members(values, context, cache),
        signatures=_signatures(values, context, cache),
        keys=_keys(values),
        kind=kinds.pop() if len(kinds) == 1 else "",
        exception=_is_exception(values, context, cache),
    )


def _members(values: list[Any], context: Any, cache: MemberCache) -> frozenset[str] | None:
    names: set[str] = set()
    for value in values:
        found = cache.members(value, context)
        if found is None:
            return None
        names.update(found)
    return frozenset(names)


# --- calls -------------------------------------------------------------------------------------


def _signatures(
    values: list[Any], context: Any, cache: MemberCache
) -> tuple[Signature, ...] | None:
    """Every way to call any of the values; an empty tuple if none can be called."""
    found: list[Signature] = []
    for value in values:
        if not _has_known_call(value, context, cache):
            return None
        found += [_signature(signature) for signature in value.get_signatures()]
    if not found and any(_may_be_called(value) for value in values):
        return None
    return tuple(found[:SIGNATURES_MAX]) if len(found) <= SIGNATURES_MAX else None


def _has_known_call(value: Any, context: Any, cache: MemberCache) -> bool:
    if value.is_module():
        return True
    if type(value).__name__ not in _PLAIN_CALLABLES and not value.is_instance():
        return False
    if value.is_class():
        is_open = cache.members(value, context) is None
        return not is_open and not _has_hidden_constructor(value)
    if value.is_instance():
        return cache.members(value, context) is not None
    node = getattr(value, "tree_node", None)
    if node is None or node.type not in ("funcdef", "lambdef"):
        return bool(value.is_compiled()) and bool(value.get_signatures())
    return bool(value.is_stub()) or node.parent.type != "decorated"


def _has_hidden_constructor(cls: Any) -> bool:
    """Whether how a class is called does not follow from its own ``__init__``."""
    for base in cls.py__mro__():
        node = base.tree_node if not base.is_compiled() else None
        if base.py__name__() == "object":
            return False
        if node is None or node.type != "classdef":
            return True
        if not base.is_stub() and node.parent.type == "decorated":
            return True
        if defines(base, "__new__"):
            return True
        if defines(base, "__init__"):
            return base.py__name__() in _FIELD_CLASSES
    return True


def _may_be_called(value: Any) -> bool:
    if value.is_module():
        return False
    return value.is_class() or not value.is_instance() or bool(value.py__getattribute__("__call__"))


def _signature(signature: Any) -> Signature:
    parameters = []
    for name in signature.get_param_names(resolve_stars=False)[:PARAMETERS_MAX]:
        kind = _KINDS[name.get_kind().name]
        has_default = getattr(name, "default_node", None) is not None or "=" in name.to_string()
        text = name.string_name
        if kind == "either" and text.startswith("__") and not text.endswith("__"):
            kind = "positional"
        parameters.append(Parameter(text, kind, has_default, annotated_strings(name)))
    return Signature(tuple(parameters), signature.to_string())


# --- strings and exceptions --------------------------------------------------------------------


def _keys(values: list[Any]) -> frozenset[str] | None:
    names: set[str] = set()
    for value in values:
        if type(value).__name__ != "TypedDict":
            return None
        names.update(str(key.get_safe_value()) for key in value.get_key_values())
    return frozenset(names)


def _is_exception(values: list[Any], context: Any, cache: MemberCache) -> bool | None:
    answers = set()
    for value in values:
        if value.is_module():
            return None
        cls = value if value.is_class() else value.py__class__()
        if cache.members(cls, context) is None:
            return None
        answers.add(any(base.py__name__() == "BaseException" for base in cls.py__mro__()))
    return answers.pop() if len(answers) == 1 else None


def _kind(value: Any) -> str:
    if value.is_module():
        return "module"
    if value.is_class():
        return "class"
    return "instance" if value.is_instance() else "function"
