"""Lines for the head of a prompt about what its window does not show, from this, other open and other workspace files; they stay while the user types in one place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from assist.analysis.context import comment_lines, named_definitions, related_snippets
from assist.analysis.definitions import Definition
from assist.analysis.document import Span
from assist.analysis.imports import Import, imports_of
from assist.analysis.languages import LANGUAGES, Kind
from assist.analysis.outline import function_around
from assist.analysis.similar import most_similar
from assist.analysis.syntax import Syntax, enclosing
from assist.analysis.uris import path_of
from assist.analysis.workspace_files import IgnoreRules
from assist.analysis.workspace_index import Found, Outline, WorkspaceIndex
from assist.completion.lexical import lex

# About as many tokens as a third of these: what the embedded model was trained with.
CODE_POINTS_MAX = 600
FILES_MAX = 6
# Most of these that what is imported from the workspace, the function that is called, and lines
# like those at the cursor may take.
IMPORTED_CODE_POINTS_MAX = 280
CALL_CODE_POINTS_MAX = 220
SIMILAR_CODE_POINTS_MAX = 100
MEMBERS_MAX = 6
GROUPS_MAX = 40
SIMILAR_SCORE_MIN = 0.5
CALL_HEAD_CODE_POINTS_MAX = 1_000

# The longest marker of a comment on one line.
MARKER_MAX = len("//")

_NAME = re.compile(r"[^\W\d]\w*")
_CALLED = re.compile(r"(?<![\w.])([^\W\d][\w.]*)[ \t]*\Z")
_CLASS_HEADER = re.compile(r"\s*class\s+\w+\s*\(([^()]*)\)")


# A definition and lines about what is in it.
_Group = tuple[Definition, tuple[str, ...]]


@dataclass(frozen=True)
class Place:
    """Where the user writes: the function or class around the cursor, and the function that is called."""

    scope: str = ""
    called: str = ""


@dataclass(frozen=True)
class Context:
    """Lines about what is out of sight, from stable to volatile.

    ``imported`` are definitions of the workspace that the file imports, ``near`` those of this
    file and of open ones, ``similar`` lines like those at the cursor, ``called`` the function whose call
    the cursor is in. ``rules`` said what could be told when it was made.
    """

    marker: str = "#"
    imported: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    similar: tuple[str, ...] = ()
    called: tuple[str, ...] = ()
    place: Place | None = None
    rules: IgnoreRules | None = field(default=None, repr=False, compare=False)

    @property
    def text(self) -> str:
        """Comment lines, at most :data:`CODE_POINTS_MAX` code points; ``near`` gives way to the others."""
        special = self.imported + self.similar + self.called
        left = CODE_POINTS_MAX - sum(map(self._length, special))
        near = _that_fit(self.near, left, len(self.marker)) if special else self.near
        lines = self.imported + near + self.similar + self.called
        return "".join(f"{self.marker} {line}\n" for line in lines)

    def _length(self, line: str) -> int:
        return len(self.marker) + len(line) + 2


def next_context(
    context: Context | None,
    syntax: Syntax,
    window: Span,
    offset: int,
    others: Iterable[Syntax],
    workspace: WorkspaceIndex | None = None,
    *,
    is_recut: bool,
) -> Context:
    """What is told in the next prompt of a document: the same lines while the user stays in one place.

    ``context`` was told in the last one; ``others`` are open files, most recent first. Anew where the
    window starts elsewhere or other files may be read than before. Without that, only in another function or call, and only by what is
    not told yet, because each line that changes costs the model all that follows it.
    """
    document = syntax.document
    rules = workspace.rules if workspace else None
    if context is None or is_recut or context.rules is not rules:
        open_files = list(islice(others, FILES_MAX))
        entry = LANGUAGES.get(document.language)
        near = _near(syntax, window, open_files, workspace)
        fresh = Context(entry.line_comment if entry else "#", near=near, rules=rules)
        return _with_workspace(fresh, syntax, window, offset, open_files, workspace)
    if workspace is None or context.place == _place(syntax, window, offset):
        return context
    open_files = list(islice(others, FILES_MAX))
    return _with_workspace(context, syntax, window, offset, open_files, workspace)


def _with_workspace(
    context: Context,
    syntax: Syntax,
    window: Span,
    offset: int,
    others: Sequence[Syntax],
    workspace: WorkspaceIndex | None,
) -> Context:
    path = path_of(syntax.document.uri)
    if workspace is None or path is None:
        return context
    document = syntax.document
    place = _place(syntax, window, offset)
    workspace.take_open(others)
    view = _View(workspace, path, syntax, document.text[window.start : window.end])
    imported, called = view.imported_lines(offset), view.call_lines(place.called)
    if set(imported) <= set(context.imported):
        imported = context.imported
    similar = context.similar
    if context.place is None or context.place.scope != place.scope:
        similar = _similar_lines(syntax, offset, others, workspace) or similar
    told = set(imported)
    near = tuple(line for line in context.near if not any(_tells(one, line) for one in told))
    called = tuple(line for line in called if line not in told) or context.called
    return replace(
        context, imported=imported, near=near, similar=similar, called=called, place=place
    )


def _near(
    syntax: Syntax, window: Span, others: Sequence[Syntax], workspace: WorkspaceIndex | None
) -> tuple[str, ...]:
    """Definitions in ``others`` that the window names, then what is out of sight in this file."""
    document = syntax.document
    snippets = related_snippets(syntax, window, code_points_max=CODE_POINTS_MAX)
    left = CODE_POINTS_MAX - len(comment_lines(snippets, document.language))
    names = frozenset(_NAME.findall(document.text[window.start : window.end]))
    lines: list[str] = []
    for other in others:
        if other.document.language != document.language or left <= 0:
            continue
        if not _may_tell(workspace, other):
            continue
        found = named_definitions(other, names, code_points_max=left)
        left -= len(comment_lines(found, document.language))
        lines += [snippet.text for snippet in found]
    return (*lines, *(snippet.text for snippet in snippets))


def _may_tell(workspace: WorkspaceIndex | None, other: Syntax) -> bool:
    path = path_of(other.document.uri)
    return workspace is None or path is None or workspace.may_tell(path)


def _similar_lines(
    syntax: Syntax, offset: int, others: Sequence[Syntax], workspace: WorkspaceIndex
) -> tuple[str, ...]:
    document = syntax.document
    line = document.position_at(offset).line
    start = document.line_span(max(line - 6, 0)).start
    texts = [
        other.document.text
        for other in others
        if other.document.language == document.language and _may_tell(workspace, other)
    ]
    found = most_similar(document.text[start : document.line_span(line + 1).end], texts)
    if found is None or found.score < SIMILAR_SCORE_MIN:
        return ()
    lines = [text.rstrip() for text in found.lines if text.strip()]
    return _that_fit(lines, SIMILAR_CODE_POINTS_MAX, MARKER_MAX)


def _place(syntax: Syntax, window: Span, offset: int) -> Place:
    document = syntax.document
    if document.language == "python":
        text = document.text[window.start : window.end]
        scope = function_around(text, offset - window.start) or ""
    else:
        scope = ".".join(block.name for block in enclosing(syntax, offset) if block.name)
    return Place(scope, _called_at(document.text, offset, document.language))


def _called_at(text: str, offset: int, language: str) -> str:
    """Dotted name of the innermost function whose arguments are being written; may be empty."""
    start = text.rfind("\n", 0, max(offset - CALL_HEAD_CODE_POINTS_MAX, 0)) + 1
    head = text[start:offset]
    for opener in reversed(lex(head, language).stack):
        match = _CALLED.search(head, 0, opener) if head[opener] == "(" else None
        if match:
            before = head[: match.start()].split()[-1:]
            return "" if before and before[0] in ("def", "class", "function") else match[1]
    return ""


class _View:
    """The workspace as one file sees it: what its imports lead to."""

    def __init__(self, index: WorkspaceIndex, path: Path, syntax: Syntax, window: str) -> None:
        document = syntax.document
        self._index, self._path, self._syntax, self._window = index, path, syntax, window
        self._words = _NAME.findall(window)
        self._found: list[tuple[Import, Found]] = []
        for imported in imports_of(document.text, document.language):
            found = index.find(imported, path.parent, document.language)
            if found is not None and found.outline.path != path:
                self._found.append((imported, found))

    def imported_lines(self, offset: int) -> tuple[str, ...]:
        """Definitions that the window uses, those of the bases of the class at ``offset`` first."""
        used = Counter(self._words)
        groups = self._bases(offset)
        # What is only imported so far comes after what is used.
        for imported, found in sorted(
            self._found, key=lambda pair: used[pair[0].local.split(".")[0]] < 2
        ):
            if imported.local.split(".")[0] not in used and imported.member != "*":
                continue
            if found.definition is not None:
                groups.append(self._group(found.outline, found.definition))
            else:
                for definition in self._used_of(imported, found.outline):
                    groups.append(self._group(found.outline, definition))
        lines: list[str] = []
        left = IMPORTED_CODE_POINTS_MAX
        told: dict[Definition, tuple[str, ...]] = {}
        for definition, members in groups[:GROUPS_MAX]:
            told.setdefault(definition, members)
        for definition, members in told.items():
            head = _headline(definition, left)
            kept = _that_fit([*head, *members], left, MARKER_MAX) if head else ()
            left -= sum(len(line) + MARKER_MAX + 2 for line in kept)
            lines += kept
        return tuple(lines)

    def call_lines(self, called: str) -> tuple[str, ...]:
        """Signature, first lines and one usage of a function of another file; may be empty."""
        found = self._definition_called(called)
        if found is None or found.definition is None:
            return ()
        definition, outline = found.definition, found.outline
        if definition.is_class:
            definition = outline.named("__init__", definition.name) or definition
        head = _headline(definition, CALL_CODE_POINTS_MAX)
        usage = self._index.usage(found.definition, outline, self._path)
        body = ["    " + line for line in definition.body]
        # A usage tells more than the first lines, but stands behind them.
        kept = _that_fit(
            [*head, *([usage] if usage else ()), *body], CALL_CODE_POINTS_MAX, MARKER_MAX
        )
        return (
            *(line for line in kept if line != usage),
            *(line for line in kept if line == usage),
        )

    def _definition_called(self, called: str) -> Found | None:
        owner, _, name = called.rpartition(".")
        for imported, found in self._found:
            if imported.local == called and found.definition is not None:
                return found
            if owner and imported.local == owner:
                definition = found.definition
                member = found.outline.named(name, definition.name if definition else "")
                return Found(found.outline, member) if member else None
        if not owner or owner in ("self", "cls", "super()"):
            return None
        # The receiver's type is not known here: a method counts if no other class has one like it.
        outlines = {found.outline.path: found.outline for _, found in self._found}
        methods = [
            Found(outline, definition)
            for outline in outlines.values()
            for definition in outline.definitions
            if definition.owner and definition.name == name
        ]
        return methods[0] if len(methods) == 1 else None

    def _bases(self, offset: int) -> list[_Group]:
        classes = [b for b in enclosing(self._syntax, offset) if b.kind is Kind.CLASS]
        text = self._syntax.document.text
        header = _CLASS_HEADER.match(text, classes[-1].span.start) if classes else None
        groups: list[_Group] = []
        for base in header[1].split(",") if header else ():
            for imported, found in self._found:
                if imported.local == base.strip() and found.definition is not None:
                    members = found.outline.members(found.definition.name)[:MEMBERS_MAX]
                    lines = tuple("    " + member.signature for member in members)
                    groups.append((found.definition, lines))
        return groups

    def _used_of(self, imported: Import, outline: Outline) -> list[Definition]:
        if imported.member == "*":
            names = set(self._words)
        else:
            local = re.escape(imported.local)
            names = set(re.findall(rf"\b{local}\.([^\W\d]\w*)", self._window))
        return [one for one in outline.definitions if not one.owner and one.name in names]

    def _group(self, outline: Outline, definition: Definition) -> _Group:
        used = set(self._words)
        members = outline.members(definition.name) if definition.is_class else []
        wanted = [one for one in members if one.name == "__init__" or one.name in used]
        lines = [one.signature for one in wanted[:MEMBERS_MAX]]
        if definition.is_class and all(one.name != "__init__" for one in wanted):
            lines = [*definition.body, *lines]
        return definition, tuple("    " + line for line in lines)


def _headline(definition: Definition, code_points_max: int) -> tuple[str, ...]:
    """Signature with the head of its docstring, or alone, or nothing, as it fits."""
    lines = (definition.headline, definition.signature)
    return next(
        (fits for line in lines if (fits := _that_fit([line], code_points_max, MARKER_MAX))), ()
    )


def _tells(line: str, other: str) -> bool:
    return line.strip() == other or line.strip().startswith(other + ": ")


def _that_fit(lines: Iterable[str], code_points_max: int, marker: int) -> tuple[str, ...]:
    """The first of ``lines`` that fit as comments."""
    kept: list[str] = []
    for line in lines:
        size = len(line) + marker + 2
        if size <= code_points_max:
            kept.append(line)
            code_points_max -= size
    return tuple(kept)
