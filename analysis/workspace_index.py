"""What the files of a workspace that are not open define and call, learned in idle time and small steps; a question about it opens at most one file."""

from __future__ import annotations

import re
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from assist.analysis.definitions import Definition, definitions_of
from assist.analysis.document import Document
from assist.analysis.imports import Import, imports_of, places
from assist.analysis.languages import language_id
from assist.analysis.syntax import Syntax, parse
from assist.analysis.uris import path_of
from assist.analysis.workspace_files import (
    GIT_IGNORE,
    OWN_IGNORE,
    IgnoreRules,
    Stamp,
    is_source,
    is_walked,
    read_source,
    stamp_of,
    walk,
)

# Bytes read, and seconds of this thread, that one walk over a workspace may take.
WALK_BYTES_MAX = 32 * 2**20
WALK_SECONDS_MAX = 15.0
CALLED_NAMES_MAX = 2_000
OUTLINES_MAX = 256
CHANGED_MAX = 1_000
FOLDERS_MAX = 8
RE_EXPORTS_MAX = 3
USAGE_CODE_POINTS_MAX = 100
USAGE_FILES_MAX = 8

_CALL = re.compile(r"\b([^\W\d]\w*)\(")
_HEADER = re.compile(r"(?:export\s+)?(?:async\s+)?(?:def|class|function|func|fn)\b|#|//|\*|@")

Abort = Callable[[], bool]


@dataclass(frozen=True)
class Outline:
    """Definitions and imports of one version of a file."""

    path: Path
    definitions: tuple[Definition, ...]
    imports: tuple[Import, ...]

    def named(self, name: str, owner: str = "") -> Definition | None:
        """The last definition of a name: that is the one that counts."""
        return next(
            (
                definition
                for definition in reversed(self.definitions)
                if definition.name == name and definition.owner == owner
            ),
            None,
        )

    def members(self, owner: str) -> list[Definition]:
        return [definition for definition in self.definitions if definition.owner == owner]


@dataclass(frozen=True)
class Found:
    """Where an import leads: to a definition in ``outline``, or to the file as a whole."""

    outline: Outline
    definition: Definition | None


class WorkspaceIndex:
    """One folder. All methods belong to one thread, except :meth:`changed`."""

    _calls: dict[Path, frozenset[str]]
    _walk: Iterator[Path | None]
    _walk_bytes: int
    _walk_seconds: float

    def __init__(self, root: Path) -> None:
        self.root = root
        self._changed: deque[Path] = deque(maxlen=CHANGED_MAX)
        self._outlines: OrderedDict[Path, tuple[Stamp, Outline]] = OrderedDict()
        self._open: dict[Path, tuple[Syntax, Outline]] = {}
        # Changed files whose calls have to be read again, as an ordered set.
        self._stale: dict[Path, None] = {}
        self._start()

    @property
    def rules(self) -> IgnoreRules:
        """What may be read; another object once an ignore file has changed."""
        self._forget_changed()
        return self._rules

    def changed(self, paths: Iterable[Path]) -> None:
        """Files changed on disk; what was learned from them is forgotten before the next use."""
        self._changed.extend(paths)

    def may_read(self, path: Path) -> bool:
        """Whether the workspace's ignore files and the file's name let us read a file."""
        folders = [folder for folder in path.parents if folder.is_relative_to(self.root)]
        inside = all(is_walked(folder, self._rules) for folder in folders if folder != self.root)
        return inside and is_source(path, self._rules)

    def may_tell(self, path: Path) -> bool:
        """Whether an open file may be told of in the prompt of another one."""
        return not self._own_rules.ignores(path)

    def learn(self, documents: Iterable[Document], abort: Abort) -> bool:
        """Take in what the imports of open ``documents`` lead to; false where ``abort`` ended it."""
        self._forget_changed()
        for document in documents:
            path = path_of(document.uri)
            if path is None or not path.is_relative_to(self.root):
                continue
            for imported in imports_of(document.text, document.language):
                if abort():
                    return False
                self._learn(imported, path.parent, document.language, RE_EXPORTS_MAX)
        return True

    def explore(self, abort: Abort) -> bool:
        """Go on with the walk over the workspace; false where ``abort`` ended it before its end."""
        self._forget_changed()
        started = time.thread_time()
        try:
            while self._stale:
                stale = next(iter(self._stale))
                del self._stale[stale]
                if stale in self._calls or self.may_read(stale):
                    self._take_calls(stale)
                if abort():
                    return False
            for path in self._walk:
                if path is not None:
                    self._take_calls(path)
                spent = self._walk_seconds + time.thread_time() - started
                if spent > WALK_SECONDS_MAX or self._walk_bytes > WALK_BYTES_MAX:
                    self._walk = iter(())
                if abort():
                    return False
            return True
        finally:
            self._walk_seconds += time.thread_time() - started

    def take_open(self, syntaxes: Iterable[Syntax]) -> None:
        """Texts of open files, which stand for what is on disk."""
        open_now: dict[Path, tuple[Syntax, Outline]] = {}
        for syntax in syntaxes:
            path = path_of(syntax.document.uri)
            if path is None or not self.may_tell(path):
                continue
            known = self._open.get(path)
            if known is not None and known[0] is syntax:
                open_now[path] = known
            elif path in self._outlines:
                open_now[path] = syntax, _outline(path, syntax)
        self._open = open_now

    def find(
        self, imported: Import, folder: Path, language: str, hops: int = RE_EXPORTS_MAX
    ) -> Found | None:
        """Where an import of a file in ``folder`` leads, as far as it was learned."""
        for path, member in places(imported, folder, self.root, language):
            outline = self._outline(path)
            if outline is None:
                continue
            if member in ("", "*"):
                return Found(outline, None)
            definition = outline.named(member)
            if definition is not None:
                return Found(outline, definition)
            passed_on = [other for other in outline.imports if other.local == member]
            if passed_on and hops:
                return self.find(passed_on[-1], path.parent, language, hops - 1)
        return None

    def usage(self, definition: Definition, outline: Outline, except_for: Path) -> str:
        """A line of another file of the workspace that calls a definition; empty where none is known."""
        name, opened = definition.owner or definition.name, 0
        called = definition.name
        for path, names in self._calls.items():
            if called not in names or path in (outline.path, except_for):
                continue
            opened += 1
            if opened > USAGE_FILES_MAX:
                break
            found = read_source(self.root, path) if self.may_read(path) else None
            text = found[1] if found else ""
            # Another function may have the same name: the file must know the module or the class.
            if outline.path.stem in text or (definition.owner and name in text):
                line = _line_that_calls(text, called)
                if line:
                    return line
        return ""

    def files(self, language: str) -> Iterator[Path]:
        """Files of a language that the walk has found, near the root first."""
        return (path for path in self._calls if language_id(path.name) == language)

    def nearby(self, document: Document) -> Iterator[Path]:
        """Files of a document's language: what it imports first, then those of its folder, then others."""
        path = path_of(document.uri)
        if path is None:
            return
        imports = imports_of(document.text, document.language)
        found = [self.find(one, path.parent, document.language) for one in imports]
        imported = [one.outline.path for one in found if one is not None]
        known = sorted(self.files(document.language), key=lambda file: file.parent != path.parent)
        yield from dict.fromkeys([*imported, *known])

    def _start(self) -> None:
        self._rules = IgnoreRules(self.root)
        self._own_rules = IgnoreRules(self.root, (OWN_IGNORE,))
        self._calls = {}
        self._walk = walk(self.root, self._rules)
        self._walk_bytes, self._walk_seconds = 0, 0.0

    def _forget_changed(self) -> None:
        while self._changed:
            path = self._changed.popleft()
            self._outlines.pop(path, None)
            if path.name in (GIT_IGNORE, OWN_IGNORE):
                self._outlines.clear()
                self._start()
            else:
                self._stale[path] = None
                if len(self._stale) > CHANGED_MAX:
                    self._stale.pop(next(iter(self._stale)))

    def _outline(self, path: Path) -> Outline | None:
        if path in self._open:
            return self._open[path][1]
        known = self._outlines.get(path)
        return known[1] if known else None

    def _learn(self, imported: Import, folder: Path, language: str, hops: int) -> None:
        for path, member in places(imported, folder, self.root, language):
            outline = self._load(path)
            if outline is None:
                continue
            if member in ("", "*") or outline.named(member) is not None:
                return
            passed_on = [other for other in outline.imports if other.local == member]
            if passed_on:
                if hops:
                    self._learn(passed_on[-1], path.parent, language, hops - 1)
                return

    def _load(self, path: Path) -> Outline | None:
        """Definitions of a file on disk, read again only where it changed."""
        stamp, known = stamp_of(path), self._outlines.get(path)
        if known is not None and known[0] == stamp:
            self._outlines.move_to_end(path)
            return known[1]
        self._outlines.pop(path, None)
        found = read_source(self.root, path) if stamp and self.may_read(path) else None
        if found is None:
            return None
        document = Document(path.as_uri(), found[1], language=language_id(path.name))
        outline = _outline(path, parse(document))
        self._outlines[path] = found[0], outline
        while len(self._outlines) > OUTLINES_MAX:
            self._outlines.popitem(last=False)
        return outline

    def _take_calls(self, path: Path) -> None:
        found = read_source(self.root, path)
        if found is None:
            self._calls.pop(path, None)
            return
        self._walk_bytes += found[0][1]
        names: set[str] = set()
        for match in _CALL.finditer(found[1]):
            names.add(match[1])
            if len(names) >= CALLED_NAMES_MAX:
                break
        self._calls[path] = frozenset(names)


class Workspaces:
    """The indexes of the folders that are open. All methods belong to one thread, except
    :meth:`configure` and :meth:`changed`."""

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self._folders = tuple(folders)
        self._indexes: dict[Path, WorkspaceIndex] = {}

    def configure(self, folders: Iterable[Path]) -> None:
        """Take the folders that may be read."""
        self._folders = tuple(folders)[:FOLDERS_MAX]

    def changed(self, paths: Iterable[Path]) -> None:
        """Files changed on disk."""
        known = list(paths)
        for index in list(self._indexes.values()):
            index.changed(path for path in known if path.is_relative_to(index.root))

    def of(self, uri: str) -> WorkspaceIndex | None:
        """The index of the innermost folder around a document."""
        path, folders = path_of(uri), self._folders
        around = [folder for folder in folders if path and path.is_relative_to(folder)]
        if not around:
            return None
        folder = max(around, key=lambda folder: len(folder.parts))
        if folder not in self._indexes:
            self._indexes = {
                known: self._indexes[known] for known in self._indexes if known in folders
            }
            self._indexes[folder] = WorkspaceIndex(folder)
        return self._indexes[folder]

    def learn(self, documents: Iterable[Document], abort: Abort) -> bool:
        """What the imports of open documents lead to; false where ``abort`` ended it."""
        by_index: dict[WorkspaceIndex, list[Document]] = {}
        for document in documents:
            index = self.of(document.uri)
            if index is not None:
                by_index.setdefault(index, []).append(document)
        return all(index.learn(group, abort) for index, group in by_index.items())

    def explore(self, abort: Abort) -> bool:
        """Go on with the walks over the folders in use; false where ``abort`` ended one."""
        return all(index.explore(abort) for index in list(self._indexes.values()))


def _outline(path: Path, syntax: Syntax) -> Outline:
    document = syntax.document
    return Outline(path, definitions_of(syntax), imports_of(document.text, document.language))


def _line_that_calls(text: str, name: str) -> str:
    for match in re.finditer(rf"^.*\b{re.escape(name)}\(.*$", text, re.MULTILINE):
        line = match[0].strip()
        if len(line) <= USAGE_CODE_POINTS_MAX and not _HEADER.match(line):
            return line
    return ""
