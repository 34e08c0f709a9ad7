"""Turns what jedi infers into plain facts: members, signatures, keys; open wherever something is not understood."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jedi import parser_utils
from jedi.inference.imports import Importer
from jedi.parser_utils import get_parent_scope
from parso.parser import ParserSyntaxError

from assist.analysis.certainty import certain_values, is_none
from assist.analysis.facts import OPEN, Parameter, Signature, Value
from assist.analysis.literal_types import annotated_strings
from assist.analysis.members import MemberCache, defines, has_source
from assist.analysis.narrowing import asked_of
from assist.analysis.platforms import may_be_for_another

SIGNATURES_MAX = 12
VALUES_MAX = 8
PARAMETERS_MAX = 100

# their constructors follow from the fields that a subclass declares
_FIELD_CLASSES = frozenset({"NamedTuple", "TypedDict"})
_BASES_WITHOUT_CONSTRUCTOR = frozenset({"Generic", "Protocol"})
_PLAIN_METACLASSES = frozenset({"type", "ABCMeta"})
# not what is compiled: its parameters are guessed from its documentation
_PLAIN_CALLABLES = frozenset(
    {
        "FunctionValue",
        "MethodValue",
        "BoundMethod",
        "OverloadedFunctionValue",
        "ClassValue",
        "DataclassWrapper",
    }
)
_METHODS_OF_CLASSES = frozenset({"ClassMethodGet", "MethodValue", "OverloadedFunctionValue"})
_METHOD_DECORATORS = frozenset({"classmethod", "staticmethod"})
# they leave a function as it is called
_CLEAR_DECORATORS = _METHOD_DECORATORS | {
    "overload",
    "typing.overload",
    "abstractmethod",
    "abc.abstractmethod",
}
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
    asked = asked_of(context, node)
    version = context.inference_state.environment.version_info[:2]
    if asked is None or may_be_for_another(leaf, version):
        return OPEN
    values = [
        value
        for value in certain_values(context, node) or ()
        if not is_none(value) and asked.allows(value)
    ]
    strings = _strings(context, node)
    if not values or len(values) > VALUES_MAX:
        return replace(OPEN, strings=strings)
    value = describe([*values, *asked.values], context, cache)
    if expression.startswith("super(") and any(_is_of_object(found) for found in values):
        value = replace(value, signatures=None)  # a sibling of the class comes before object
    members = None if value.members is None else value.members | asked.names
    return replace(value, members=members, strings=strings)


def _is_of_object(method: Any) -> bool:
    node = getattr(method, "tree_node", None)
    scope = get_parent_scope(node) if node is not None else None
    return scope is not None and scope.type == "classdef" and scope.name.value == "object"


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
        found += [_signature(signature) for signature in _ways_to_call(value)]
    if not found and any(_may_be_called(value) for value in values):
        return None
    return tuple(found[:SIGNATURES_MAX]) if len(found) <= SIGNATURES_MAX else None


def _has_known_call(value: Any, context: Any, cache: MemberCache) -> bool:
    if value.is_module():
        return True
    if type(value).__name__ == "Decoratee":
        return _is_method_of_class(value)
    if type(value).__name__ not in _PLAIN_CALLABLES and not value.is_instance():
        return False
    if value.is_class():
        is_open = cache.members(value, context) is None
        return not is_open and bool(_constructor(value))
    if value.is_instance():
        return cache.members(value, context) is not None
    node = getattr(value, "tree_node", None)
    if node is None or node.type not in ("funcdef", "lambdef"):
        return False
    return bool(value.is_stub()) or not _decorators(node)


def _is_method_of_class(value: Any) -> bool:
    """Whether a decorated value is a class method or a static method and nothing more."""
    node = getattr(value._original_value, "tree_node", None)
    is_bound = type(value._wrapped_value).__name__ in _METHODS_OF_CLASSES
    if node is None or node.type != "funcdef" or not is_bound:
        return False
    decorators = _decorators(node)
    return decorators <= _CLEAR_DECORATORS and len(decorators & _METHOD_DECORATORS) == 1


def _decorators(node: Any) -> frozenset[str]:
    """Names of the decorators of a function, with their arguments."""
    found = node.get_decorators() if node.type == "funcdef" else ()
    return frozenset(decorator.get_code().strip().removeprefix("@") for decorator in found)


def _ways_to_call(value: Any) -> list[Any]:
    """jedi's signatures of a value, without the receiver."""
    if not value.is_class() or _constructor(value) != "__new__":
        return list(value.get_signatures())
    # jedi looks for __init__ only
    makers = value.py__getattribute__("__new__")
    return [signature.bind(value) for maker in makers for signature in maker.get_signatures()]


def _constructor(cls: Any) -> str:
    """The method that tells how a class is called; empty where it is not known."""
    # Stubs of installed packages leave out how a class is made that users do not make.
    is_described = False
    for base in cls.py__mro__():
        name = base.py__name__()
        if name == "object":
            return "" if is_described else "__init__"
        is_described = is_described or has_source(base)
        if name in _BASES_WITHOUT_CONSTRUCTOR:
            continue
        node = base.tree_node if not base.is_compiled() else None
        if node is None or node.type != "classdef":
            return ""
        if not base.is_stub() and node.parent.type == "decorated":
            return ""
        if _is_from(cls, "__new__", base):
            return "__new__" if _makes_plainly(cls) else ""
        if _is_from(cls, "__init__", base):
            return "" if name in _FIELD_CLASSES else "__init__"
    return ""


def _is_from(cls: Any, method: str, base: Any) -> bool:
    """Whether a class has a method from one of its bases; for another version of Python the base
    may have others."""
    if not defines(base, method):
        return False
    nodes = [getattr(found, "tree_node", None) for found in cls.py__getattribute__(method)]
    known = [node for node in nodes if node is not None]
    return not known or any(get_parent_scope(node) is base.tree_node for node in known)


def _makes_plainly(cls: Any) -> bool:
    """Whether calling a class does call its ``__new__``, and that is a function as it is written."""
    metaclasses = cls.get_metaclasses() if hasattr(cls, "get_metaclasses") else ()
    if any(meta.py__name__() not in _PLAIN_METACLASSES for meta in metaclasses):
        return False
    makers = list(cls.py__getattribute__("__new__"))
    return bool(makers) and all(
        type(maker).__name__ in _METHODS_OF_CLASSES
        and (maker.is_stub() or not _decorators(maker.tree_node))
        for maker in makers
    )


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
