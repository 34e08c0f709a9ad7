"""What an annotation says of a value when jedi's answer is the whole truth: itself, and what it holds; it infers nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jedi import parser_utils
from parso.parser import ParserSyntaxError

_CONTAINERS = frozenset(
    {
        "list",
        "dict",
        "tuple",
        "Tuple",
        "deque",
        "defaultdict",
        "OrderedDict",
        "Sequence",
        "MutableSequence",
        "Mapping",
        "MutableMapping",
    }
)
_HOLDERS = _CONTAINERS | {"List", "Dict", "Set", "set", "frozenset", "FrozenSet", "Deque"}
# how jedi calls the values of annotations with types in brackets
_DESCRIBED = frozenset({"_GenericInstanceWrapper", "Tuple"})


def is_certain_annotation(context: Any, annotation: Any) -> bool:
    """Whether every name in an annotation is known."""
    leaf = annotation.get_first_leaf()
    end = annotation.get_last_leaf()
    while True:
        if leaf.type == "string" and not _is_in_literal(leaf):
            forward = _forward_reference(context, leaf)
            if forward is None or not is_certain_annotation(context, forward):
                return False
        if leaf.type == "name":
            if leaf.value in ("Any", "object") and not _is_held(leaf):
                return False
            if leaf.parent.type != "trailer" and leaf.value != "Any":
                values = context.infer_node(leaf)
                if not values or any(_is_type_variable(value) for value in values):
                    return False
        if leaf is end:
            return True
        leaf = leaf.get_next_leaf()


def holds_what_is_known(values: Iterable[Any] | None) -> bool:
    """Whether there are values, and none is of a container whose annotation says that it holds
    anything."""
    found = list(values or ())
    return bool(found) and all(
        _is_known_class(held)
        for value in found
        if type(value).__name__ in _DESCRIBED
        for held in value.py__class__().get_generics()
    )


def is_described_container(value: Any) -> bool:
    """Whether a value comes from an annotation that says what it holds, by position or key."""
    is_described = type(value).__name__ in _DESCRIBED
    return is_described and value.py__class__().py__name__() in _CONTAINERS


def _is_known_class(classes: Iterable[Any]) -> bool:
    found = list(classes)
    return bool(found) and not any(
        _is_type_variable(cls) or cls.py__name__() == "object" for cls in found
    )


def _is_held(leaf: Any) -> bool:
    """Whether a name is directly between the brackets of a container's annotation: what it holds
    says nothing about the container itself."""
    node = leaf
    while node is not None and not (node.type == "trailer" and node.children[0] == "["):
        node = node.parent
    before = node.get_previous_leaf() if node is not None else None
    return before is not None and before.value in _HOLDERS


def _is_in_literal(leaf: Any) -> bool:
    node = leaf
    while node is not None and node.type != "trailer":
        node = node.parent
    before = node.get_previous_leaf() if node is not None else None
    return before is not None and before.value == "Literal"


def _forward_reference(context: Any, leaf: Any) -> Any:
    """The tree of an annotation in quotes; none if it does not parse."""
    try:
        node = context.inference_state.grammar.parse(
            leaf.value.strip("\"'"), start_symbol="eval_input", error_recovery=False
        )
    except ParserSyntaxError:
        return None
    parser_utils.move(node, leaf.start_pos[0] - 1)
    node.parent = leaf.parent
    return node.children[0]


def _is_type_variable(value: Any) -> bool:
    return type(value).__name__ in ("TypeVar", "NewTypeFunction", "AnyClass")
