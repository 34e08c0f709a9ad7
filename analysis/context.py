"""What a file says outside the part of it that a model sees: imports and signatures as plain lines; it reads no other file and knows no types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter

from assist.analysis.document import Span
from assist.analysis.languages import KINDS, LANGUAGES, Kind
from assist.analysis.syntax import Syntax

CODE_POINTS_MAX = 600
SIGNATURE_CODE_POINTS_MAX = 120
NODES_MAX = 2_000

_NAME = re.compile(r"[^\W\d]\w*")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Snippet:
    """One line about something that is out of sight; ``span`` is where the file says it."""

    text: str
    span: Span


def related_snippets(
    syntax: Syntax, window: Span, *, code_points_max: int = CODE_POINTS_MAX
) -> tuple[Snippet, ...]:
    """Lines about names the text of ``window`` may need, in the order of the file.

    First the imports whose names the window uses, then the members of the class around it, then
    definitions it names, then other definitions from near to far, until ``code_points_max``.
    """
    if syntax.tree is None:
        return ()
    text = syntax.document.text
    used = set(_NAME.findall(text[window.start : window.end]))
    ranked: list[tuple[int, int, Snippet]] = []
    for node, owner in declarations(syntax.tree.root_node):
        span = Span(node.start_byte, node.end_byte)
        if span.start < window.end and window.start < _header_end(text, node):
            continue
        distance = min(abs(span.start - window.start), abs(span.start - window.end))
        if node.type in ("import_statement", "import_from_statement"):
            line = _import_line(text, node, used)
            rank = 0
        else:
            line = signature(text, node)
            name = node.child_by_field_name("name")
            is_named = name is not None and text[name.start_byte : name.end_byte] in used
            rank = 2 if is_named else 3
            if owner is not None:
                if not (owner.start_byte <= window.end and window.start <= owner.end_byte):
                    continue
                rank = 1
        if line:
            ranked.append((rank, distance, Snippet(line, span)))
    kept: list[Snippet] = []
    left = code_points_max
    for _, _, snippet in sorted(ranked, key=lambda row: row[:2]):
        if len(snippet.text) < left:
            kept.append(snippet)
            left -= len(snippet.text) + 1
    return tuple(sorted(kept, key=lambda snippet: snippet.span))


def named_definitions(
    syntax: Syntax, names: frozenset[str], *, code_points_max: int = CODE_POINTS_MAX
) -> tuple[Snippet, ...]:
    """Signatures of the functions and classes of a file that are called one of ``names``.

    Methods only where their class is named too, so that a common word brings nothing.
    """
    if syntax.tree is None:
        return ()
    text = syntax.document.text
    kept: list[Snippet] = []
    left = code_points_max

    def is_named(node: tree_sitter.Node | None) -> bool:
        name = node.child_by_field_name("name") if node is not None else None
        return name is not None and text[name.start_byte : name.end_byte] in names

    for node, owner in declarations(syntax.tree.root_node):
        if not is_named(node) or (owner is not None and not is_named(owner)):
            continue
        line = signature(text, node)
        if line and len(line) < left:
            kept.append(Snippet(line, Span(node.start_byte, node.end_byte)))
            left -= len(line) + 1
    return tuple(kept)


def comment_lines(snippets: tuple[Snippet, ...], language: str) -> str:
    """The snippets as comments of ``language``, one line each; empty without snippets."""
    entry = LANGUAGES.get(language)
    marker = entry.line_comment if entry else "#"
    return "".join(f"{marker} {snippet.text}\n" for snippet in snippets)


def declarations(
    root: tree_sitter.Node, *, through_errors: bool = False
) -> Iterator[tuple[tree_sitter.Node, tree_sitter.Node | None]]:
    """Imports, functions and classes that other code can see, with the class that owns them."""
    stack: list[tuple[tree_sitter.Node, tree_sitter.Node | None]] = [
        (child, None) for child in reversed(root.children)
    ]
    for _ in range(NODES_MAX):
        if not stack:
            return
        node, owner = stack.pop()
        kind = KINDS.get(node.type) if node.is_named else None
        if node.type in ("import_statement", "import_from_statement") and owner is None:
            yield node, None
        elif kind is Kind.FUNCTION and node.child_by_field_name("name") is not None:
            yield node, owner
        elif kind is Kind.CLASS:
            yield node, None
            body = node.child_by_field_name("body")
            stack.extend((child, node) for child in reversed(body.children if body else []))
        elif (through_errors and node.is_error) or node.type.endswith(
            ("decorated_definition", "export_statement", "impl_item")
        ):
            stack.extend((child, owner) for child in reversed(node.children))


def _header_end(text: str, node: tree_sitter.Node) -> int:
    body = node.child_by_field_name("body")
    if body is None:
        return node.end_byte
    head = text[node.start_byte : body.start_byte]
    return node.start_byte + len(head.rstrip())


def signature(
    text: str, node: tree_sitter.Node, code_points_max: int = SIGNATURE_CODE_POINTS_MAX
) -> str:
    """The head of a definition as one line, without what opens its body; empty where it is longer."""
    line = (
        _SPACE.sub(" ", text[node.start_byte : _header_end(text, node)])
        .strip()
        .rstrip(":{")
        .strip()
    )
    return line if len(line) <= code_points_max else ""


def _import_line(text: str, node: tree_sitter.Node, used: set[str]) -> str:
    """The import reduced to the names that are used; empty when none is."""
    kept = []
    for name in node.children_by_field_name("name"):
        clause = text[name.start_byte : name.end_byte]
        if _NAME.findall(clause.split(" as ")[-1])[:1] and used.issuperset(
            _NAME.findall(clause.split(" as ")[-1])[:1]
        ):
            kept.append(clause)
    if not kept:
        return ""
    module = node.child_by_field_name("module_name")
    head = f"from {text[module.start_byte : module.end_byte]} " if module is not None else ""
    line = f"{head}import {', '.join(kept)}"
    return line if len(line) <= SIGNATURE_CODE_POINTS_MAX else ""
