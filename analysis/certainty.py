"""Values of an expression when jedi's answer is the whole truth, because every definition that reaches it is understood; else it says nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jedi.inference.base_value import ContextualizedNode, ValueSet, iterate_values
from jedi.inference.syntax_tree import infer_trailer
from jedi.inference.value.iterable import Sequence

from assist.analysis.annotations import (
    holds_what_is_known,
    is_certain_annotation,
    is_described_container,
)

DEPTH_MAX = 5
DEFINITIONS_MAX = 12
ITEMS_SET_MAX = 40
RETURNS_MAX = 1
VALUES_MAX = 8

_DISPLAYS = frozenset("([{")
_OPERATIONS = frozenset(
    {
        "arith_expr",
        "term",
        "expr",
        "xor_expr",
        "and_expr",
        "shift_expr",
        "factor",
        "power",
    }
)
_TRUTHS = frozenset({"not_test"})


def certain_values(context: Any, node: Any, depth: int = DEPTH_MAX) -> list[Any] | None:
    """Every value that ``node`` can have in ``context``; none when that is not certain.

    jedi leaves out what it does not understand: the value of ``x`` after ``x = None`` in one
    branch and ``x = unknown()`` in the other is just ``None``. Here every definition that can
    reach the expression has to be understood, through names, attributes, annotations and calls.
    """
    if depth <= 0:
        return None
    kind = node.type
    if kind == "name":
        return _name_values(context, node, depth)
    if kind == "atom_expr":
        return _chain_values(context, node, depth)
    if kind == "atom" and node.children[0].value == "(" and len(node.children) == 3:
        inner = node.children[1]
        if inner.type not in ("testlist_comp", "yield_expr"):
            return certain_values(context, inner, depth)
    if kind in ("or_test", "and_test", "test"):
        return _union(
            certain_values(context, child, depth - 1)
            for child in node.children
            if child.type not in ("operator", "keyword") and not _is_condition(node, child)
        )
    if kind == "namedexpr_test":
        return certain_values(context, node.children[2], depth)
    return list(context.infer_node(node)) or None if _is_plain(context, node, depth) else None


def _is_plain(context: Any, node: Any, depth: int) -> bool:
    """Whether jedi can be trusted with a literal, a display or an operation on certain values."""
    kind = node.type
    if kind in ("number", "string", "strings", "fstring", "lambdef"):
        return True
    if kind == "keyword":
        return node.value in ("True", "False", "None")
    if kind == "atom":
        return node.children[0].value in _DISPLAYS
    if kind in _TRUTHS:
        return True
    return kind in _OPERATIONS and all(
        certain_values(context, child, depth - 1) is not None
        for child in node.children
        if child.type not in ("operator", "keyword")
    )


def _is_condition(node: Any, child: Any) -> bool:
    return bool(node.type == "test" and child is node.children[2])


def _union(parts: Iterable[list[Any] | None]) -> list[Any] | None:
    found: list[Any] = []
    for part in parts:
        if part is None:
            return None
        found += [value for value in part if value not in found]
    return found or None


def _name_values(context: Any, node: Any, depth: int) -> list[Any] | None:
    names = _definitions(context, node)
    if not names or len(names) > DEFINITIONS_MAX:
        return None
    return _union(definition_values(name, depth - 1) for name in names)


def _definitions(context: Any, node: Any) -> list[Any]:
    """The definitions that reach a name. For jedi ``name[key] = value`` is one too; what reaches
    that is meant."""
    found: list[Any] = []
    waiting = list(context.goto(node, position=node.start_pos))
    for _ in range(ITEMS_SET_MAX):
        if not waiting:
            return found
        name = waiting.pop()
        if not _sets_item(name):
            found += [name] if name not in found else []
            continue
        before = _scope_of(name).goto(name.tree_name, position=name.tree_name.start_pos)
        waiting += [other for other in before if other not in waiting]
    return []


def _sets_item(name: Any) -> bool:
    tree_name = getattr(name, "tree_name", None)
    return (
        tree_name is not None
        and tree_name.get_definition(import_name_always=True) is None
        and tree_name.get_definition(import_name_always=True, include_setitem=True) is not None
    )


def definition_values(name: Any, depth: int) -> list[Any] | None:
    """Every value that a definition gives to its name; none when that is not certain."""
    tree_name = getattr(name, "tree_name", None)
    is_member_of_enum = type(name).__name__ == "ValueName"
    if tree_name is not None and not is_member_of_enum and not name.get_root_context().is_stub():
        definition = tree_name.get_definition(import_name_always=True, include_setitem=False)
        if definition is None:
            return None
        if definition.type == "expr_stmt":
            return _assigned_values(name, definition, depth)
        if not _is_certain_definition(name, definition, depth):
            return None
    return list(name.infer()) or None


def _is_certain_definition(name: Any, definition: Any, depth: int) -> bool:
    kind = definition.type
    context, tree_name = name.parent_context, name.tree_name
    if kind in ("import_name", "import_from"):
        return _is_certain_import(name, depth)
    if kind == "funcdef":
        return _has_known_decorators(definition)
    if kind == "param":
        return _is_certain_parameter(name, definition)
    if kind in ("for_stmt", "sync_comp_for"):
        values = certain_values(context, definition.children[3], depth)
        return tree_name.parent is definition and holds_what_is_known(values)
    if kind == "with_stmt":
        item = tree_name.parent
        return item.type == "with_item" and _is_certain(context, item.children[0], depth)
    if kind == "namedexpr_test":
        return _is_certain(context, definition.children[2], depth)
    return kind in ("classdef", "try_stmt")


def _is_certain(context: Any, node: Any, depth: int) -> bool:
    return certain_values(context, node, depth) is not None


def _is_certain_import(name: Any, depth: int) -> bool:
    """An imported module is certain; an imported name as far as its definition is."""
    targets = list(name.goto())
    return bool(targets) and all(
        getattr(target, "tree_name", None) is None
        or target.tree_name is name.tree_name
        or definition_values(target, depth - 1) is not None
        for target in targets
        if depth > 0
    )


def _is_certain_parameter(name: Any, definition: Any) -> bool:
    function = definition.parent.parent
    if definition.star_count:
        return True
    if definition.annotation is not None:
        return is_certain_annotation(name.parent_context, definition.annotation)
    return is_receiver(function, definition)


def is_receiver(function: Any, parameter: Any) -> bool:
    """Whether a parameter is the ``self`` or ``cls`` of a method."""
    if function.type != "funcdef" or function.get_params()[:1] != [parameter]:
        return False
    scope = function.parent
    decorators = []
    if scope.type == "async_funcdef":
        scope = scope.parent
    if scope.type == "decorated":
        decorators = scope.children[0].get_code()
        scope = scope.parent
    return (
        scope.type == "suite"
        and scope.parent.type == "classdef"
        and "staticmethod" not in decorators
    )


def _assigned_values(name: Any, statement: Any, depth: int) -> list[Any] | None:
    """Values of ``name = value``, ``self.name = value`` and annotated assignments."""
    context, tree_name = name.parent_context, name.tree_name
    children = statement.children
    annotation = children[1] if children[1].type == "annassign" else None
    if annotation is not None:
        certain = is_certain_annotation(context, annotation.children[1])
        return (list(name.infer()) or None) if certain else None
    if children[1].type == "operator" and children[1].value != "=":
        return None
    if not any(child is tree_name or _ends_with(child, tree_name) for child in children[:-1:2]):
        return None
    return certain_values(_scope_of(name), statement.get_rhs(), depth)


def _scope_of(name: Any) -> Any:
    """The context in which the statement of a definition runs; for ``self.x`` the method's."""
    root = name.parent_context.get_root_context()
    return root.create_context(name.tree_name)


def _ends_with(target: Any, tree_name: Any) -> bool:
    """Whether a target like ``self.name`` assigns exactly this name."""
    return bool(
        target.type == "atom_expr"
        and target.children[-1].type == "trailer"
        and target.children[-1].children[-1] is tree_name
    )


def _chain_values(context: Any, node: Any, depth: int) -> list[Any] | None:
    """Values of ``a.b(c)[d]``, step by step."""
    children = node.children
    if children[0].type == "keyword":  # await
        return None
    iterable = _iterable_of_item(node)
    if iterable is not None:
        return _item_values(context, iterable, depth)
    values = certain_values(context, children[0], depth)
    receivers: list[Any] = []
    for trailer in children[1:]:
        if trailer.type != "trailer" or not values or len(values) > VALUES_MAX:
            return None
        opening = trailer.children[0].value
        if opening == ".":
            receivers = [value for value in values if not is_none(value)]
            name = trailer.children[1].value
            values = _union(_attribute_values(value, name, context, depth) for value in receivers)
        elif opening == "(":
            if not all(is_certain_call(value, depth) for value in values):
                return None
            if receivers and not holds_what_is_known(receivers):
                return None
            if any(isinstance(value, Sequence) for value in receivers) and not all(
                _returns_what_it_says(value) for value in values
            ):
                return None
            if all(_returns_self(value) for value in values):
                values = receivers or None
            elif any(_mentions_self_type(getattr(value, "tree_node", None)) for value in values):
                return None
            else:
                values = list(infer_trailer(context, ValueSet(values), trailer)) or None
        elif not all(_is_text(value) for value in values):
            values = _union(_described_items(value, trailer, context) for value in values)
    return values


def _iterable_of_item(node: Any) -> Any:
    """``x`` of the expression ``[_ for _ in x][0]``, which stands for one item of ``x``."""
    first = node.children[0]
    if len(node.children) < 2 or first.type != "atom" or len(first.children) != 3:
        return None
    inner = first.children[1]
    if inner.type != "testlist_comp" or inner.children[1].type != "sync_comp_for":
        return None
    return inner.children[1].children[3]


def _returns_what_it_says(value: Any) -> bool:
    """Whether the type that a function returns does not depend on what its receiver holds; of a
    display more may be put in than jedi sees."""
    annotation = getattr(getattr(value, "tree_node", None), "annotation", None)
    return annotation is not None and is_certain_annotation(
        value.get_default_param_context(), annotation
    )


def _item_values(context: Any, iterable: Any, depth: int) -> list[Any] | None:
    values = certain_values(context, iterable, depth)
    if values is None or not holds_what_is_known(values):
        return None
    return list(iterate_values(ValueSet(values), ContextualizedNode(context, iterable))) or None


def is_none(value: Any) -> bool:
    """Whether a value is ``None``."""
    instance = value.is_instance() or value.is_compiled()
    return bool(instance) and value.py__class__().py__name__() == "NoneType"


def _attribute_values(value: Any, name: str, context: Any, depth: int) -> list[Any] | None:
    definitions = _first_definitions(value.get_filters(origin_scope=context.tree_node), name)
    if not definitions or len(definitions) > DEFINITIONS_MAX:
        return None
    selves = [_is_self_property(definition) for definition in definitions]
    if any(selves):
        plain = all(_is_plain_self(definition) for definition in definitions)
        return [value] if plain else None
    return _union(definition_values(definition, depth - 1) for definition in definitions)


def _is_plain_self(name: Any) -> bool:
    annotation = name.tree_name.get_definition().annotation
    return bool(annotation.get_code().strip() == "Self")


def _first_definitions(filters: Iterable[Any], name: str) -> list[Any]:
    found: list[Any] = []
    for filter_ in filters:
        found = list(filter_.get(name))
        if found:
            break
    return found


def _mentions_self_type(function: Any) -> bool:
    """Whether a function says that it returns its receiver's own type; for that jedi answers with
    the class that defines the function."""
    annotation = getattr(function, "annotation", None)
    return annotation is not None and "Self" in annotation.get_code()


def _returns_self(value: Any) -> bool:
    function: Any = getattr(value, "tree_node", None)
    return _mentions_self_type(function) and function.annotation.get_code().strip() == "Self"


def _is_self_property(name: Any) -> bool:
    tree_name = getattr(name, "tree_name", None)
    definition = tree_name.get_definition() if tree_name is not None else None
    return bool(
        definition is not None
        and definition.type == "funcdef"
        and definition.parent.type == "decorated"
        and "property" in definition.parent.children[0].get_code()
        and _mentions_self_type(definition)
    )


def is_certain_call(value: Any, depth: int) -> bool:
    """Whether calling a value gives exactly what jedi says."""
    if value.is_class():
        return True
    if value.is_compiled():
        return False
    if value.is_stub():
        return True
    function = getattr(value, "tree_node", None)
    if function is None or function.type not in ("funcdef", "lambdef"):
        return False
    if function.type == "funcdef" and function.parent.type == "decorated":
        return False
    annotation = function.annotation
    if annotation is not None:
        return is_certain_annotation(value.get_default_param_context(), annotation)
    if function.type == "lambdef" or function.is_generator() or depth <= 1:
        return False
    returns = list(function.iter_return_stmts())
    if len(returns) > RETURNS_MAX or any(len(node.children) < 2 for node in returns):
        return False
    return all(_is_certain(value.as_context(), node.children[1], depth - 2) for node in returns)


def _is_text(value: Any) -> bool:
    """Whether the items of a value have its own type; what other containers hold is not certain."""
    return bool(value.is_instance()) and value.py__class__().py__name__() in ("str", "bytes")


def _described_items(value: Any, trailer: Any, context: Any) -> list[Any] | None:
    """Values of ``container[key]`` where an annotation says what the container holds."""
    if is_none(value):
        return [value]
    if not is_described_container(value) or not holds_what_is_known([value]):
        return None
    return list(infer_trailer(context, ValueSet([value]), trailer)) or None


def _has_known_decorators(function: Any) -> bool:
    parent = function.parent
    if parent.type == "async_funcdef":
        parent = parent.parent
    if parent.type != "decorated":
        return True
    text = str(parent.children[0].get_code())
    return text.count("@") == 1 and any(
        word in text for word in ("staticmethod", "classmethod", "property", "contextmanager")
    )
