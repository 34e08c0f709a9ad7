"""Turns what jedi infers into plain facts: members, signatures, keys; open wherever something is not understood."""

from __future__ import annotations

import abc
import enum
import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from jedi import parser_utils
from jedi.inference.gradual.conversion import convert_values
from jedi.inference.imports import Importer
from jedi.parser_utils import get_parent_scope
from parso.parser import ParserSyntaxError

from assist.analysis.certainty import certain_values, is_none
from assist.analysis.facts import OPEN, Parameter, Signature, Value
from assist.analysis.literal_types import annotated_strings

MEMBERS_MAX = 4_000
SIGNATURES_MAX = 12
VALUES_MAX = 8
BASES_MAX = 60
CLASS_CODE_POINTS_MAX = 200_000
CACHED_CLASSES_MAX = 2_000
PARAMETERS_MAX = 100

_DYNAMIC = re.compile(r"setattr\(|__dict__|__getattr__|__getattribute__|locals\(\)")
_PLAIN_METACLASSES = frozenset({"type", "ABCMeta", "EnumMeta", "EnumType", "_ProtocolMeta"})
_LOOSE_CLASSES = frozenset({"SimpleNamespace", "Namespace", "Mock", "MagicMock", "ModuleType"})
_READ_OF_SELF = re.compile(r"\b(?:self|cls)\.([^\W\d]\w*)(?!\w)(?!\s*(?:[-+*/|&]?=(?!=)|:[^=]*=))")
_ASSIGNED_ON_SELF = re.compile(r"\b(?:self|cls)\.([^\W\d]\w*)\s*(?:=(?!=)|:|,|\))")
_NARROWING = ("isinstance", "issubclass", "hasattr", "callable", "type", "match")
# what classes have through the usual metaclasses
_CLASS_MEMBERS = frozenset(dir(type)) | frozenset(dir(abc.ABCMeta)) | frozenset(dir(enum.EnumMeta))
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
    if _is_narrowed(context, node):
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
    code = scope.get_code() if scope.type in ("funcdef", "lambdef") else ""
    if not any(word in code for word in _NARROWING):
        return False
    text = re.escape(node.get_code(include_prefix=False))
    return bool(re.search(rf"(?:{'|'.join(_NARROWING)})[ (]\s*{text}\b", code))


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
        signatures=_signatures(values),
        keys=_keys(values),
        kind=kinds.pop() if len(kinds) == 1 else "",
        exception=_is_exception(values),
    )


# --- members -----------------------------------------------------------------------------------


class MemberCache:
    """Members of classes and modules by file, place and the file's time of change."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, float, str], frozenset[str] | None] = OrderedDict()

    def members(self, value: Any, context: Any) -> frozenset[str] | None:
        """Names of all attributes of a value; none if it may have more."""
        key = _key(value, context)
        if key is not None and key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        names = None if _is_open(value) else frozenset(names_of(value, context))
        if key is not None:
            self._known[key] = names
            while len(self._known) > CACHED_CLASSES_MAX:
                self._known.popitem(last=False)
        return names


def _key(value: Any, context: Any) -> tuple[str, float, str] | None:
    """Names the class or module of a value; none for what the open document itself defines."""
    if value.is_module():
        owner, what = value, "module"
    elif value.is_class():
        owner, what = value, "class"
    elif value.is_instance():
        owner, what = value.py__class__(), "instance"
    else:
        return None
    root = owner.get_root_context()
    if root.tree_node is not None and root.tree_node is context.get_root_context().tree_node:
        return None
    path = root.py__file__()
    node = getattr(owner, "tree_node", None)
    if path is None or node is None:
        return None
    try:
        changed = Path(path).stat().st_mtime
    except OSError:
        return None
    return str(path), changed, f"{what} {owner.py__name__()} {node.start_pos}"


def _members(values: list[Any], context: Any, cache: MemberCache) -> frozenset[str] | None:
    names: set[str] = set()
    for value in values:
        found = cache.members(value, context)
        if found is None:
            return None
        names.update(found)
        if len(names) > MEMBERS_MAX:
            return None
    return frozenset(names) if names else None


def names_of(value: Any, context: Any) -> Iterator[str]:
    """Attributes of a value in its stub and in its source."""
    if value.is_class():
        yield from _CLASS_MEMBERS
    both = [value, *(other for other in convert_values({value}) if other is not value)]
    for one in both:
        for filter_ in one.get_filters(origin_scope=context.tree_node):
            for name in filter_.values():
                yield name.string_name


def _is_open(value: Any) -> bool:
    """Whether a value may have attributes that its definition does not show."""
    if value.is_module():
        return _is_open_module(value)
    if not value.is_class() and not value.is_instance():
        return True  # functions carry what one puts on them
    cls = value if value.is_class() else value.py__class__()
    if cls.is_compiled():
        return False
    for position, base in enumerate(cls.py__mro__()):
        if position > BASES_MAX or base.py__name__() in _LOOSE_CLASSES:
            return True
        if base.is_compiled() or base.tree_node is None:
            continue
        if base.is_stub():
            # a stub names every base that matters; its generic bases are no plain classes
            if base.py__name__() != "object" and _defines(base, "__getattr__"):
                return True
        elif _DYNAMIC.search(_code(base.tree_node)) or _has_unknown_base(base):
            return True
    return _is_mixin(cls)


def _is_mixin(cls: Any) -> bool:
    """Whether a class reads attributes of its own that nothing it inherits from defines, so that
    they come from classes it is meant to be combined with."""
    node = cls.tree_node
    if cls.is_compiled() or cls.is_stub() or node is None or node.type != "classdef":
        return False
    if "mixin" in cls.py__name__().lower():
        return True
    read = set(_READ_OF_SELF.findall(_code(node)))
    if not read:
        return False
    known: set[str] = set()
    for filter_ in cls.get_filters(is_instance=True):
        known.update(name.string_name for name in filter_.values())
    known.update(_ASSIGNED_ON_SELF.findall("".join(_code(b.tree_node) for b in _sources(cls))))
    return not read <= known


def _sources(cls: Any) -> list[Any]:
    return [
        base
        for base in cls.py__mro__()
        if not base.is_compiled() and not base.is_stub() and base.tree_node is not None
    ]


def _is_open_module(module: Any) -> bool:
    if module.is_compiled():
        return False
    tree = module.tree_node
    if tree is None:
        return True
    if not module.is_stub() and "globals()" in _code(tree):
        return True
    if any(get_parent_scope(name.parent) is tree for name in _used(tree, "__getattr__")):
        return True
    return any(not star for star in _stars(module))


def _stars(module: Any) -> Iterator[Any]:
    """For every star import of a module, the modules it names; empty when they are not found."""
    for statement in module.tree_node.iter_imports():
        if statement.type == "import_from" and statement.is_star_import():
            yield Importer(
                module.inference_state,
                import_path=statement.get_paths()[-1],
                module_context=module.as_context(),
                level=statement.level,
            ).follow()


def _has_unknown_base(cls: Any) -> bool:
    tree = cls.tree_node
    if tree.type != "classdef":
        return True
    arguments = tree.get_super_arglist()
    if arguments is None:
        return False
    for base in cls.py__bases__():
        found = base.infer()
        if not found or any(not value.is_class() for value in found):
            return True
    metaclasses = cls.get_metaclasses() if hasattr(cls, "get_metaclasses") else []
    return any(meta.py__name__() not in _PLAIN_METACLASSES for meta in metaclasses)


def _defines(cls: Any, name: str) -> bool:
    scope = cls.tree_node
    return any(
        get_parent_scope(found.parent) is scope for found in _used(scope.get_root_node(), name)
    )


def _used(module_node: Any, name: str) -> Any:
    return module_node.get_used_names().get(name, ())


def _code(node: Any) -> str:
    start, end = node.start_pos[0], node.end_pos[0]
    if (end - start) * 40 > CLASS_CODE_POINTS_MAX:
        return ""
    return str(node.get_code(include_prefix=False))


# --- calls -------------------------------------------------------------------------------------


def _signatures(values: list[Any]) -> tuple[Signature, ...] | None:
    """Every way to call any of the values; an empty tuple if none can be called."""
    found: list[Signature] = []
    for value in values:
        if not _has_known_call(value):
            return None
        found += [_signature(signature) for signature in value.get_signatures()]
    if not found and any(_may_be_called(value) for value in values):
        return None
    return tuple(found[:SIGNATURES_MAX]) if len(found) <= SIGNATURES_MAX else None


def _has_known_call(value: Any) -> bool:
    if value.is_module():
        return True
    if value.is_class():
        return not _is_open(value) and not _has_hidden_constructor(value)
    if value.is_instance():
        return not _is_open(value)
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
        if _defines(base, "__new__"):
            return True
        if _defines(base, "__init__"):
            return False
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


def _is_exception(values: list[Any]) -> bool | None:
    answers = set()
    for value in values:
        cls = value if value.is_class() else value.py__class__()
        if value.is_module() or _is_open(cls):
            return None
        answers.add(any(base.py__name__() == "BaseException" for base in cls.py__mro__()))
    return answers.pop() if len(answers) == 1 else None


def _kind(value: Any) -> str:
    if value.is_module():
        return "module"
    if value.is_class():
        return "class"
    return "instance" if value.is_instance() else "function"
