"""What the code around an expression asks about its type, which jedi does not follow; where the answer could be anything it says nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from assist.analysis.certainty import certain_values, is_receiver
from assist.analysis.members import used

CLASSES_MAX = 8

_QUESTION = r"\b(?:isinstance|issubclass|callable|type)\s*\(\s*{}\s*(?:[,)]|:=)|\bmatch[ (]\s*{}\b"
_WORDS = ("isinstance", "issubclass", "callable", "type", "match")
_ATTRIBUTE = r"\bhasattr\s*\(\s*{}\s*,(?:\s*['\"](\w+)['\"]\s*\))?"


@dataclass(frozen=True)
class Asked:
    """What an expression may be besides what its definition says: ``values`` are instances of the
    classes that it is tested for, ``names`` attributes; and the classes of ``denied`` it is not."""

    values: tuple[Any, ...] = ()
    names: frozenset[str] = frozenset()
    denied: tuple[Any, ...] = ()

    def allows(self, value: Any) -> bool:
        """Whether a value is of none of the classes that the tests before have ruled out."""
        if not self.denied or not value.is_instance():
            return True
        bases = [base.tree_node for base in value.py__class__().py__mro__()]
        return not any(
            other.py__class__().tree_node in bases
            for other in self.denied
            if other.py__class__().tree_node is not None
        )


def asked_of(context: Any, node: Any) -> Asked | None:
    """What the function around asks of an expression; none where it could then be anything."""
    text = node.get_code(include_prefix=False)
    names = _attributes_asked(context, text)
    if names is None:
        return None
    scope = context.tree_node
    code = scope.get_code() if scope.type in ("funcdef", "lambdef") else ""
    if not any(word in code for word in _WORDS):
        return Asked((), names)
    escaped = re.escape(text)
    questions = len(re.findall(_QUESTION.format(escaped, escaped), code))
    if not questions:
        return Asked((), names)
    tested = list(_classes_tested(scope, text))
    if len(tested) != questions or len(tested) > CLASSES_MAX:
        return None
    possible: list[Any] = []
    denied: list[Any] = []
    for cls in tested:
        instances = _instances(context, cls)
        if instances is None:
            return None
        (denied if _is_denied(node, cls, text) else possible).extend(instances)
    return Asked(tuple(possible), names, tuple(denied))


def _is_denied(node: Any, cls: Any, text: str) -> bool:
    """Whether ``node`` stands where the test for ``cls`` has failed, in a later branch of its if."""
    call = cls.parent.parent.parent
    statement = call.parent
    if statement.type != "if_stmt" or node.type != "name":
        return False
    branch, parent = node, node.parent
    while parent is not None and parent is not statement:
        branch, parent = parent, parent.parent
    if parent is None:
        return False
    tests = [index for index, child in enumerate(statement.children) if child is call]
    suite = next((i for i, child in enumerate(statement.children) if child is branch), -1)
    changed = any(
        name.is_definition() and statement.start_pos <= name.start_pos < branch.end_pos
        for name in used(statement.get_root_node(), text)
    )
    return not changed and suite > tests[0] + 2


def _attributes_asked(context: Any, text: str) -> frozenset[str] | None:
    """Attributes that ``hasattr`` asks for anywhere in the module. Only a ``self`` is known to stay
    what it is where it has them; anything else may be of another type there."""
    code = "".join(context.get_root_context().code_lines or ())
    if "hasattr" not in code:
        return frozenset()
    names = re.findall(_ATTRIBUTE.format(re.escape(text)), code)
    if names and not (all(names) and _is_receiver(context.tree_node, text)):
        return None
    return frozenset(names)


def _is_receiver(scope: Any, text: str) -> bool:
    parameters = scope.get_params()[:1] if scope.type == "funcdef" else ()
    return any(
        parameter.name.value == text and is_receiver(scope, parameter) for parameter in parameters
    )


def _classes_tested(scope: Any, text: str) -> Iterator[Any]:
    """The second argument of every ``isinstance`` in ``scope`` whose first one is ``text``."""
    for name in used(scope.get_root_node(), "isinstance"):
        if not scope.start_pos <= name.start_pos < scope.end_pos:
            continue
        call = name.get_next_sibling()
        if call is None or call.type != "trailer" or call.children[1].type != "arglist":
            continue
        arguments = call.children[1].children
        if len(arguments) == 3 and arguments[0].get_code(include_prefix=False) == text:
            yield arguments[2]


def _instances(context: Any, cls: Any) -> list[Any] | None:
    """Instances of the classes that a second argument of ``isinstance`` names; none when one of
    them is not certain."""
    if cls.type == "atom" and cls.children[0] == "(" and len(cls.children) == 3:
        inner = cls.children[1]
        parts = inner.children if inner.type == "testlist_comp" else [inner]
    else:
        parts = cls.children if cls.type == "expr" else [cls]
    found: list[Any] = []
    for part in parts:
        if part.type == "operator":
            continue
        at_part = context.get_root_context().create_context(part)
        classes = certain_values(at_part, part)
        if not classes or not all(value.is_class() for value in classes):
            return None
        for value in classes:
            instances = list(value.execute_with_values())
            if not instances or not all(instance.is_instance() for instance in instances):
                return None
            found += instances
    return found
