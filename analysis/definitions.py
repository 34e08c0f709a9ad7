"""What a file defines, as plain data that outlives its tree: signatures, heads of docstrings and bodies, bases; it resolves nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

import tree_sitter

from assist.analysis.context import declarations, signature
from assist.analysis.languages import KINDS, Kind
from assist.analysis.syntax import Syntax

DEFINITIONS_MAX = 1_000
SIGNATURE_CODE_POINTS_MAX = 140
SIGNATURE_READ_MAX = 2_000
FIELDS_CODE_POINTS_MAX = 140
DOC_CODE_POINTS_MAX = 60
BODY_LINES_MAX = 2
BODY_LINE_CODE_POINTS_MAX = 80
BASES_MAX = 4

_DOCSTRING = re.compile(r"[rRuU]?(\"\"\"|'''|\"|')\s*(?P<head>[^\n]*)")
_NAME = re.compile(r"[^\W\d][\w.]*")


@dataclass(frozen=True)
class Definition:
    """A function or class that other code can see; ``owner`` is the class of a method.

    ``doc`` is the first line of its docstring, ``body`` the first lines of code, without the
    indentation they share; of a class it is one line with its annotated fields.
    """

    name: str
    owner: str
    is_class: bool
    signature: str
    doc: str = ""
    body: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """Signature, and what the docstring says first."""
        return f'{self.signature}: """{self.doc}"""' if self.doc else self.signature


def definitions_of(syntax: Syntax) -> tuple[Definition, ...]:
    """In the order of the file; a signature that is too long for a line loses its last parameters."""
    if syntax.tree is None:
        return ()
    text, found = syntax.document.text, list[Definition]()
    for node, owner in declarations(syntax.tree.root_node, through_errors=True):
        name = node.child_by_field_name("name")
        line = _shortened(signature(text, node, SIGNATURE_READ_MAX))
        kind = KINDS.get(node.type)
        if (
            name is None
            or not line
            or kind not in (Kind.FUNCTION, Kind.CLASS)
            or len(found) >= DEFINITIONS_MAX
        ):
            continue
        owner_name = owner.child_by_field_name("name") if owner is not None else None
        is_class = kind is Kind.CLASS
        doc, body = _body(text, node, syntax.document.language)
        found.append(
            Definition(
                _text(text, name),
                _text(text, owner_name) if owner_name is not None else "",
                is_class,
                line,
                doc,
                _fields(text, node) if is_class else body,
                _bases(text, node) if is_class else (),
            )
        )
    return tuple(found)


def _text(text: str, node: tree_sitter.Node) -> str:
    return text[node.start_byte : node.end_byte]


def _body(text: str, node: tree_sitter.Node, language: str) -> tuple[str, tuple[str, ...]]:
    """Head of the docstring, and the first lines of code after it."""
    body = node.child_by_field_name("body")
    if body is None:
        return "", ()
    start, doc = body.start_byte, ""
    if language == "python":
        first = next((child for child in body.children if child.type != "comment"), None)
        if first is not None and first.children and first.children[0].type == "string":
            match = _DOCSTRING.match(_text(text, first))
            doc = match["head"].replace(match[1], "").strip() if match else ""
            start = first.end_byte
    elif text[start : start + 1] == "{":
        start += 1
    lines = [line for line in text[start : body.end_byte].splitlines() if line.strip(" \t})]")]
    # The first line of a Python block starts behind its indentation.
    indent = min((len(line) - len(line.lstrip()) for line in lines[1:]), default=0)
    kept = []
    for number, line in enumerate(lines[:BODY_LINES_MAX]):
        plain = line.strip() if number == 0 else line[indent:].rstrip()
        if len(plain) > BODY_LINE_CODE_POINTS_MAX:
            break
        kept.append(plain)
    return doc if len(doc) <= DOC_CODE_POINTS_MAX else "", tuple(kept)


def _shortened(line: str) -> str:
    """The signature with as many parameters as fit, and an ellipsis for the rest."""
    line = line.replace("( ", "(").replace(", )", ")").replace(",)", ")")
    if len(line) <= SIGNATURE_CODE_POINTS_MAX:
        return line
    cut = line.rfind(", ", 0, SIGNATURE_CODE_POINTS_MAX - len(", ...)"))
    return f"{line[:cut]}, ...)" if cut > 0 and "(" in line[:cut] else ""


def _fields(text: str, node: tree_sitter.Node) -> tuple[str, ...]:
    """Annotated names in the body of a Python class, as many as fit in a line."""
    body = node.child_by_field_name("body")
    found: list[str] = []
    for child in body.children if body is not None else ():
        one = child.children[0] if child.type == "expression_statement" else child
        if one.type == "assignment" and one.child_by_field_name("type") is not None:
            field = _text(text, one)
            if sum(map(len, found)) + 2 * len(found) + len(field) > FIELDS_CODE_POINTS_MAX:
                break
            if "\n" not in field:
                found.append(field)
    return ("; ".join(found),) if found else ()


def _bases(text: str, node: tree_sitter.Node) -> tuple[str, ...]:
    bases = node.child_by_field_name("superclasses")
    if bases is None:
        return ()
    names = [_text(text, child) for child in bases.children if child.is_named]
    return tuple(name for name in names if _NAME.fullmatch(name))[:BASES_MAX]
