"""Which attributes a value that jedi inferred has, and whether those are all; kept by class and the file's time of change."""

from __future__ import annotations

import abc
import enum
import importlib
import importlib.machinery
import re
import sys
import sysconfig
from collections import OrderedDict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from jedi.inference.gradual.conversion import convert_values
from jedi.inference.imports import Importer
from jedi.parser_utils import get_parent_scope

BASES_MAX = 60
CLASSES_MAX = 2_000
MEMBERS_MAX = 4_000

_DYNAMIC = re.compile(r"setattr\(|__dict__|__getattr__|__getattribute__|locals\(\)")
_PLAIN_METACLASSES = frozenset({"type", "ABCMeta", "EnumMeta", "EnumType", "_ProtocolMeta"})
_LOOSE_CLASSES = frozenset(
    {"SimpleNamespace", "Namespace", "Mock", "MagicMock", "ModuleType", "Callable"}
)
_READ_OF_SELF = re.compile(r"\b(?:self|cls)\.([^\W\d]\w*)(?!\w)(?!\s*(?:[-+*/|&]?=(?!=)|:[^=]*=))")
_ASSIGNED_ON_SELF = re.compile(r"\b(?:self|cls)\.([^\W\d]\w*)\s*(?:=(?!=)|:|,|\))")
_ASSIGNED = re.compile(r"\b[^\W\d]\w*\.([^\W\d]\w*)\s*(?:=(?!=)|:[^=\n]*=(?!=))")
_SLOTS = re.compile(r"^\s*__slots__\s*=\s*([^\n]*(?:\n\s*['\")\]}][^\n]*)*)", re.MULTILINE)
_WORD_IN_QUOTES = re.compile(r"['\"]([^\W\d]\w*)['\"]")
_STUBS_WITHOUT_SOURCE = frozenset({"builtins", "typing", "_typeshed", "typing_extensions"})
# what classes have through the usual metaclasses
_CLASS_MEMBERS = frozenset(dir(type)) | frozenset(dir(abc.ABCMeta)) | frozenset(dir(enum.EnumMeta))

_EXTENSIONS = str(Path(sysconfig.get_path("stdlib")) / "lib-dynload")

Key = tuple[str, float, str]


class MemberCache:
    """Members of classes and modules by file, place and the file's time of change; those of the
    open document are forgotten with its version."""

    def __init__(self) -> None:
        self._known: OrderedDict[Key, frozenset[str] | None] = OrderedDict()
        self._own: dict[str, frozenset[str] | None] = {}
        self._own_root: Any = None

    def members(self, value: Any, context: Any) -> frozenset[str] | None:
        """Names of all attributes of a value; none if it may have more."""
        owner, what = _owner(value)
        if owner is None:
            return None
        root = owner.get_root_context()
        start = getattr(getattr(owner, "tree_node", None), "start_pos", "")
        name = f"{what} {owner.py__name__()} {start}"
        own_root = context.get_root_context().tree_node
        if root.tree_node is not None and root.tree_node is own_root:
            if self._own_root is not own_root:
                self._own, self._own_root = {}, own_root
            if name not in self._own:
                self._own[name] = _closed_members(value, context)
            return self._own[name]
        key = _key(root, name)
        if key is None:
            return _closed_members(value, context)
        if key not in self._known:
            self._known[key] = _closed_members(value, context)
            while len(self._known) > CLASSES_MAX:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    def forget_own(self) -> None:
        """The open document changed."""
        self._own, self._own_root = {}, None


def _owner(value: Any) -> tuple[Any, str]:
    """The module or class that decides about a value's attributes; functions have none, they carry
    what one puts on them."""
    if value.is_module():
        return value, "module"
    if value.is_class():
        return value, "class"
    return (value.py__class__(), "instance") if value.is_instance() else (None, "")


def _key(root: Any, name: str) -> Key | None:
    path = root.py__file__()
    if path is None:
        return None
    try:
        return str(path), Path(path).stat().st_mtime, name
    except OSError:
        return None


def _closed_members(value: Any, context: Any) -> frozenset[str] | None:
    if _is_open(value):
        return None
    names = frozenset(names_of(value, context))
    if not 0 < len(names) <= MEMBERS_MAX:
        return None
    return None if not value.is_module() and _is_mixin(value, names) else names


def names_of(value: Any, context: Any) -> Iterator[str]:
    """Attributes of a value in its stub and in its source."""
    if value.is_class():
        yield from _CLASS_MEMBERS
    if value.is_module():
        yield from extension_names(value)
    both = [value, *(other for other in convert_values({value}) if other is not value)]
    for one in both:
        for filter_ in one.get_filters(origin_scope=context.tree_node):
            for name in filter_.values():
                yield name.string_name
    if not value.is_module():
        yield from _written_names(value if value.is_class() else value.py__class__())


def _written_names(cls: Any) -> Iterator[str]:
    """Attributes in the source of a class and its bases that jedi does not find: slots, what is
    assigned to a new instance that is not called self, and what the stub of a base leaves out."""
    for base in list(cls.py__mro__())[:BASES_MAX]:
        for source in convert_values({base}) if has_source(base) else [base]:
            node = None if source.is_compiled() else source.tree_node
            if node is None or node.type != "classdef" or source.is_stub():
                continue
            code = _code(source)
            yield from _ASSIGNED.findall(code)
            for slots in _SLOTS.findall(code):
                yield from _WORD_IN_QUOTES.findall(slots)


def has_source(base: Any) -> bool:
    """Whether a base comes from a stub and there may be Python code of it."""
    if base.is_compiled() or not base.is_stub():
        return False
    return base.get_root_context().py__name__() not in _STUBS_WITHOUT_SOURCE


def extension_names(module: Any) -> frozenset[str]:
    """What our own interpreter's extension module of the standard library offers, for the same or an
    older Python; empty for all others, which have a source to read or are not to be imported."""
    name = module.py__name__()
    version = module.inference_state.environment.version_info[:2]
    if name not in sys.stdlib_module_names or version > sys.version_info[:2]:
        return frozenset()
    return _extension_names(name)


@lru_cache(maxsize=64)
def _extension_names(name: str) -> frozenset[str]:
    spec = importlib.machinery.BuiltinImporter.find_spec(name)
    if spec is None:
        spec = importlib.machinery.PathFinder.find_spec(name, [_EXTENSIONS])
    if spec is None:
        return frozenset()
    return frozenset(dir(importlib.import_module(name)))


# --- whether there may be more ------------------------------------------------------------------


def _is_open(value: Any) -> bool:
    """Whether a value may have attributes that its definition does not show."""
    if value.is_module():
        return _is_open_module(value)
    cls = value if value.is_class() else value.py__class__()
    if cls.is_compiled():
        return False
    for position, base in enumerate(cls.py__mro__()):
        if position > BASES_MAX or base.py__name__() in _LOOSE_CLASSES:
            return True
        if base.is_compiled() or base.tree_node is None:
            continue
        if base.is_stub():
            # bases of a stub are often generic, which are no plain classes, but they are known
            if base.py__name__() != "object" and defines(base, "__getattr__"):
                return True
            if any(not found.infer() for found in base.py__bases__()):
                return True
        elif _DYNAMIC.search(_code(base)) or _has_unknown_base(base):
            return True
    return False


def _is_mixin(value: Any, names: frozenset[str]) -> bool:
    """Whether a class reads attributes of its own that nothing it inherits from defines, so that
    they come from classes it is meant to be combined with; ``names`` are the value's attributes."""
    cls = value if value.is_class() else value.py__class__()
    node = cls.tree_node
    if cls.is_compiled() or cls.is_stub() or node is None or node.type != "classdef":
        return False
    if "mixin" in cls.py__name__().lower():
        return True
    read = set(_READ_OF_SELF.findall(_code(cls)))
    if not read:
        return False
    known = set(names)
    if value.is_class():
        for filter_ in cls.get_filters(is_instance=True):
            known.update(name.string_name for name in filter_.values())
    if read <= known:
        return False
    for base in cls.py__mro__():
        if not base.is_compiled() and not base.is_stub() and base.tree_node is not None:
            known.update(_ASSIGNED_ON_SELF.findall(_code(base)))
    return not read <= known


def _is_open_module(module: Any) -> bool:
    if module.is_compiled():
        return False
    tree = module.tree_node
    if tree is None:
        return True
    if module.is_stub() and all(other.is_stub() for other in convert_values({module})):
        return not extension_names(module)  # only described, for another version or platform
    if not module.is_stub() and any(_is_called(name) for name in used(tree, "globals")):
        return True
    if any(get_parent_scope(name.parent) is tree for name in used(tree, "__getattr__")):
        return True
    return any(not star for star in _stars(module))


def _is_called(name: Any) -> bool:
    """Whether a name is read to call it, and is no attribute, parameter or keyword."""
    before, after = name.get_previous_leaf(), name.get_next_leaf()
    return after == "(" and before not in (".", "def")


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
    if tree.get_super_arglist() is None:
        return False
    for base in cls.py__bases__():
        found = base.infer()
        if not found or any(not value.is_class() for value in found):
            return True
    if any(not name.infer() for name in _base_definitions(cls)):
        return True
    metaclasses = cls.get_metaclasses() if hasattr(cls, "get_metaclasses") else []
    return any(meta.py__name__() not in _PLAIN_METACLASSES for meta in metaclasses)


def _base_definitions(cls: Any) -> Iterator[Any]:
    """Every definition of the names that a class has as bases: of an import that fails and its
    substitute jedi knows the substitute only."""
    arguments = cls.tree_node.get_super_arglist()
    for node in arguments.children if arguments.type == "arglist" else [arguments]:
        if node.type == "name":
            yield from cls.parent_context.goto(node, position=node.start_pos)


def defines(cls: Any, name: str) -> bool:
    """Whether the body of a class itself defines a name."""
    scope = cls.tree_node
    return any(
        get_parent_scope(found.parent) is scope for found in used(scope.get_root_node(), name)
    )


def used(module_node: Any, name: str) -> Any:
    """Leaves of a module that are this name."""
    return module_node.get_used_names().get(name, ())


def _code(cls: Any) -> str:
    """Source of a class; its tree could tell too, but slowly."""
    lines = cls.get_root_context().code_lines or ()
    node = cls.tree_node
    return "".join(lines[node.start_pos[0] - 1 : node.end_pos[0]])
