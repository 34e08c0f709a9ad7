"""The shape of one document's text, through tree-sitter: incremental and tolerant of broken code; it knows no types and reads no other file."""

from __future__ import annotations

import ast
import importlib
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import tree_sitter

from assist.analysis.document import Document, Edit, Span
from assist.analysis.languages import KINDS, LANGUAGES, PYTHON_BLOCK_OWNERS, Kind

SOURCE_CODE_POINTS_MAX = 2_000_000
DEPTH_MAX = 400
INDENT_SAMPLE_LINES_MAX = 400

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_LINE_INDENT = re.compile(r"^([ \t]+)\S", re.MULTILINE)
_DEDENT_AFTER = re.compile(r"(return|raise|pass|break|continue)\b")
_TRAILING_COMMENT = re.compile(r"\s#[^'\"]*\Z")
# a header on one line, or the last line of one that was wrapped in brackets
_PYTHON_HEADER_END = re.compile(
    r"\s*((async|class|def|if|elif|else|for|while|try|except|finally|with|match|case)\b|[)\]}]).*:\Z"
)
_CLOSERS_ONLY = re.compile(r"[\s)\]}:;,\"'`>]*\Z")


class Region(Enum):
    """What the text around an offset is."""

    CODE = "code"
    STRING = "string"
    COMMENT = "comment"


class Extent(Enum):
    """How much a completion at a place should write: to the end of the line, or a block."""

    LINE = "line"
    BLOCK = "block"


@dataclass(frozen=True)
class Part:
    """A node of the tree that has one of our kinds; ``depth`` counts such parts around it."""

    kind: Kind
    span: Span
    depth: int


@dataclass(frozen=True)
class Block:
    """A module, class, function or other block around a place.

    ``name`` is empty where there is none; ``body`` is the span of what it contains, without
    the header; ``indent`` the column of its header.
    """

    kind: Kind
    name: str
    span: Span
    body: Span
    indent: int


@dataclass(frozen=True)
class Syntax:
    """A parsed document; ``tree`` is none for languages without a grammar and for huge files."""

    document: Document
    tree: tree_sitter.Tree | None


def parse(document: Document) -> Syntax:
    """Parse from scratch; never raises, whatever the text."""
    return Syntax(document, _parse_tree(document, None))


def reparse(syntax: Syntax, document: Document, edits: Iterable[Edit]) -> Syntax:
    """Parse ``document``, which is ``syntax.document.apply(edits)``, at the cost of the edits."""
    if syntax.tree is None or len(document.text) > SOURCE_CODE_POINTS_MAX:
        return parse(document)
    tree = syntax.tree.copy()
    before = syntax.document
    for edit in edits:
        after = before.apply([edit])
        start = min(max(edit.span.start, 0), len(before.text))
        old_end = min(max(edit.span.end, start), len(before.text))
        new_end = start + len(edit.text)
        tree.edit(
            start_byte=start,
            old_end_byte=old_end,
            new_end_byte=new_end,
            start_point=_point(before, start),
            old_end_point=_point(before, old_end),
            new_end_point=_point(after, new_end),
        )
        before = after
    if before.text != document.text:
        return parse(document)
    return Syntax(document, _parse_tree(document, tree))


def error_count(syntax: Syntax) -> int:
    """Number of places that the grammar could not read or had to invent; 0 without a grammar."""
    if syntax.tree is None:
        return 0
    count = 0
    stack = [syntax.tree.root_node]
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            count += 1
        if node.has_error:
            stack.extend(node.children)
    return count


def is_parsable(text: str, language: str) -> bool:
    """Whether a whole file is free of syntax errors.

    Python is judged by CPython's own parser (tree-sitter forgives wrong indentation), other
    languages by their grammar; a language without a grammar is always parsable.
    """
    if language == "python":
        return _python_parses(text)
    return error_count(parse(Document("", text, language=language))) == 0


def parts(syntax: Syntax, within: Span | None = None) -> Iterator[Part]:
    """Parts in order of their start, outer before inner, that overlap ``within``."""
    if syntax.tree is None:
        return
    stack = [(syntax.tree.root_node, 0)]
    while stack:
        node, depth = stack.pop()
        if within is not None and (node.end_byte < within.start or node.start_byte > within.end):
            continue
        kind = _kind(node)
        if kind is not None:
            yield Part(kind, Span(node.start_byte, node.end_byte), depth)
            depth += 1
        stack.extend((child, depth) for child in reversed(node.children))


def enclosing(syntax: Syntax, offset: int) -> tuple[Block, ...]:
    """Module, classes, functions and blocks around an offset, outermost first.

    In Python a blank line after a body belongs to the blocks whose header is to the left of
    the cursor's column, as an editor shows it.
    """
    if syntax.tree is None:
        return ()
    document = syntax.document
    text = document.text
    offset = min(max(offset, 0), len(text))
    anchor = max(len(text[:offset].rstrip()) - 1, 0)
    node = syntax.tree.root_node.descendant_for_byte_range(anchor, anchor + 1)
    colon = node if node is not None and node.type == ":" else None
    column = document.position_at(offset).column
    python = document.language == "python"
    blocks: list[Block] = []
    depth = 0
    while node is not None and depth < DEPTH_MAX:
        block = _block(document, node)
        if block is not None:
            if python:
                inside = offset <= block.span.end or block.indent < column
                if block.kind is Kind.BLOCK:
                    after_colon = colon is not None and colon.parent == node
                    inside = inside and (offset >= block.body.start or after_colon)
                    inside = inside and not (blocks and blocks[-1].indent == block.indent)
            else:
                inside = block.span.start <= offset < block.span.end
            if inside or block.kind is Kind.MODULE:
                blocks.append(block)
        node = node.parent
        depth += 1
    return tuple(reversed(blocks))


def region_at(syntax: Syntax, offset: int) -> Region:
    """Whether the text just before ``offset`` and the text typed there is code, string or comment."""
    if syntax.tree is None or offset <= 0:
        return Region.CODE
    node = syntax.tree.root_node.descendant_for_byte_range(offset - 1, offset)
    depth = 0
    while node is not None and depth < DEPTH_MAX:
        kind = _kind(node)
        if kind is Kind.INTERPOLATION:
            return Region.CODE
        if kind is Kind.COMMENT:
            block_end = node.end_byte == offset and syntax.document.text[
                node.start_byte : offset
            ].endswith("*/")
            return Region.CODE if block_end else Region.COMMENT
        if kind is Kind.STRING:
            return Region.STRING if node.start_byte < offset < node.end_byte else Region.CODE
        node = node.parent
        depth += 1
    return Region.CODE


def indent_unit(document: Document) -> str:
    """One step of indentation in this document: its smallest common step, else the language's."""
    language = LANGUAGES.get(document.language)
    widths: list[int] = []
    for count, match in enumerate(_LINE_INDENT.finditer(document.text)):
        if count >= INDENT_SAMPLE_LINES_MAX:
            break
        if "\t" in match[1]:
            return "\t"
        widths.append(len(match[1]))
    steps = [
        abs(after - before)
        for before, after in zip([0, *widths], widths, strict=False)
        if abs(after - before) in (2, 3, 4, 8)
    ]
    if steps:
        return " " * max(set(steps), key=steps.count)
    return language.indent if language else "    "


def indentation_at(document: Document, offset: int) -> str:
    """Indentation that a new statement on the line of ``offset`` would normally have."""
    line = document.position_at(offset).line
    above = _line_above(document, line)
    if above is None:
        return ""
    text = document.line_text(above)
    indent = text[: len(text) - len(text.lstrip())]
    unit = indent_unit(document)
    if _opens_block(document, text):
        return indent + unit
    if document.language == "python" and _DEDENT_AFTER.match(text.strip()):
        return indent.removesuffix(unit)
    return indent


def extent_at(document: Document, offset: int) -> Extent:
    """Whether a completion at ``offset`` should write a line or a whole block.

    A block where one was just opened and has no body yet, after its docstring, and below a
    comment that stands alone; a line everywhere else.
    """
    position = document.position_at(offset)
    line_span = document.line_span(position.line)
    head = document.text[line_span.start : offset]
    tail = document.text[offset : line_span.end]
    if not _CLOSERS_ONLY.match(tail):
        return Extent.LINE
    if head.strip():
        opened = _opens_block(document, head) and not tail.strip()
        return _block_without_body(document, position.line, position.line, opened)
    above = _line_above(document, position.line)
    if above is None:
        return Extent.LINE
    text = document.line_text(above)
    language = LANGUAGES.get(document.language)
    marker = language.line_comment if language else "#"
    if text.strip().startswith(marker):
        return Extent.BLOCK
    opened = _opens_block(document, text) or _ends_docstring(document, above)
    return _block_without_body(document, above, position.line, opened)


def _block_without_body(document: Document, header: int, line: int, opened: bool) -> Extent:
    if not opened:
        return Extent.LINE
    below = line + 1
    while below < document.line_count and not document.line_text(below).strip():
        below += 1
    if below >= document.line_count:
        return Extent.BLOCK
    has_body = _indent_width(document.line_text(below)) > _indent_width(document.line_text(header))
    if document.language == "python" and _ends_docstring(document, header):
        has_body = _indent_width(document.line_text(below)) >= _indent_width(
            document.line_text(header)
        )
    return Extent.LINE if has_body else Extent.BLOCK


def _opens_block(document: Document, line: str) -> bool:
    code = line.rstrip()
    language = LANGUAGES.get(document.language)
    if language is None or not language.braces:
        return bool(_PYTHON_HEADER_END.match(_TRAILING_COMMENT.sub("", code)))
    code = code.partition(" //")[0].rstrip()
    return code.endswith("{")


def _ends_docstring(document: Document, line: int) -> bool:
    """Whether a docstring that follows a ``def`` or ``class`` header ends on this line."""
    if document.language != "python":
        return False
    text = document.line_text(line).strip()
    quote = text[-3:]
    if quote not in ('"""', "'''"):
        return False
    first = line
    if not (text.startswith(quote) and len(text) >= 6):
        first -= 1
        while first >= 0 and quote not in document.line_text(first):
            first -= 1
    if first < 0 or not document.line_text(first).strip().lstrip("rRuU").startswith(quote):
        return False
    above = _line_above(document, first)
    return above is not None and _opens_block(document, document.line_text(above))


def _line_above(document: Document, line: int) -> int | None:
    line -= 1
    while line >= 0 and not document.line_text(line).strip():
        line -= 1
    return line if line >= 0 else None


def _indent_width(line: str) -> int:
    expanded = line.expandtabs(8)
    return len(expanded) - len(expanded.lstrip())


def _kind(node: tree_sitter.Node) -> Kind | None:
    return KINDS.get(node.type) if node.is_named else None


def _block(document: Document, node: tree_sitter.Node) -> Block | None:
    kind = _kind(node)
    python = document.language == "python"
    if python and node.type in PYTHON_BLOCK_OWNERS:
        kind = Kind.BLOCK
    elif node.type == "lambda" or (kind is Kind.BLOCK and (python or _is_body_of_scope(node))):
        return None
    if kind not in (Kind.MODULE, Kind.CLASS, Kind.FUNCTION, Kind.BLOCK):
        return None
    span = Span(node.start_byte, node.end_byte)
    body = node.child_by_field_name("body") or next(
        (child for child in node.children if child.type == "block"), None
    )
    name = node.child_by_field_name("name") or node.child_by_field_name("declarator")
    header = node
    if kind is Kind.BLOCK and not python and node.parent is not None:
        header = node.parent
    indent = _indent_width(document.line_text(document.position_at(header.start_byte).line))
    return Block(
        kind=kind,
        name=_name_text(document, name) if kind is not Kind.BLOCK else "",
        span=span,
        body=span if body is None else Span(body.start_byte, body.end_byte),
        indent=-1 if kind is Kind.MODULE else indent,
    )


def _name_text(document: Document, node: tree_sitter.Node | None) -> str:
    if node is None:
        return ""
    # a C declarator holds the parameters and the stars of a pointer
    return document.text[node.start_byte : node.end_byte].split("(")[0].strip("*& ")


def _is_body_of_scope(node: tree_sitter.Node) -> bool:
    parent = node.parent
    return parent is not None and _kind(parent) in (Kind.CLASS, Kind.FUNCTION)


def _python_parses(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _parse_tree(document: Document, old: tree_sitter.Tree | None) -> tree_sitter.Tree | None:
    if len(document.text) > SOURCE_CODE_POINTS_MAX:
        return None
    parser = _parser(document.language)
    if parser is None:
        return None
    source = _one_byte_each(document.text)
    return parser.parse(source) if old is None else parser.parse(source, old)


def _one_byte_each(text: str) -> bytes:
    """One byte for each code point, so that tree-sitter's byte offsets are our offsets.

    Grammars only care whether a code point beyond ASCII may be part of a name.
    """
    if text.isascii():
        return text.encode("ascii")
    return _NOT_ASCII.sub(lambda match: "x" if f"x{match[0]}".isidentifier() else "?", text).encode(
        "ascii"
    )


def _point(document: Document, offset: int) -> tuple[int, int]:
    # tree-sitter counts lines by "\n" alone
    text = document.text
    row = text.count("\n", 0, offset)
    return row, offset - (text.rfind("\n", 0, offset) + 1)


@lru_cache(maxsize=16)
def _parser(language: str) -> tree_sitter.Parser | None:
    entry = LANGUAGES.get(language)
    if entry is None:
        return None
    try:
        module = importlib.import_module(entry.grammar)
    except ImportError:
        return None
    return tree_sitter.Parser(tree_sitter.Language(getattr(module, entry.entry)()))
