"""Asks jedi about one workspace; it is the only user of jedi, runs in the worker process, and never executes user code."""

from __future__ import annotations

import gc
import importlib.machinery
import os
import sys
import sysconfig
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jedi
from jedi.api.environment import InterpreterEnvironment
from jedi.inference import InferenceState
from parso.grammar import load_grammar

from assist.analysis.document import Document, Position
from assist.analysis.environment import Environment, importable_modules
from assist.analysis.facts import OPEN, Description, Name, Value
from assist.analysis.members import MemberCache
from assist.analysis.values import module_of, value_of

NAMES_MAX = 1_000
DOCUMENTS_MAX = 40
DOCUMENT_CODE_POINTS_MAX = 400_000
VERSIONS_PER_STATE_MAX = 300
DOCUMENTATION_CODE_POINTS_MAX = 4_000

_SAFE_FINDERS = (
    importlib.machinery.BuiltinImporter,
    importlib.machinery.FrozenImporter,
    importlib.machinery.PathFinder,
)


class _ReadEnvironment(InterpreterEnvironment):  # type: ignore[misc]
    """Our interpreter with the user's version; only the standard library's own extensions load."""

    version_info: Any

    def __init__(self, environment: Environment) -> None:
        super().__init__()
        self._safe_path = [
            path
            for path in (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
            if path
        ]
        self._safe_path += [str(Path(path) / "lib-dynload") for path in self._safe_path]
        major, minor = environment.version
        try:
            load_grammar(version=f"{major}.{minor}")
        except NotImplementedError:
            return
        self.version_info = self.version_info._replace(major=major, minor=minor, micro=0)

    def get_sys_path(self) -> list[str]:
        return list(dict.fromkeys(self._safe_path))


@dataclass
class _Opened:
    document: Document
    script: Any = None
    values: dict[tuple[str, Position], Value] = field(default_factory=dict)


class Inference:
    """jedi over one workspace and environment; documents are set by the caller, newest text wins.

    One inference state serves many versions of the documents, so that what was learned about
    imports and built-ins is kept; it is renewed when files change and after some versions.
    """

    def __init__(
        self, workspace: Path | None, environment: Environment, cache_directory: Path
    ) -> None:
        jedi.settings.cache_directory = str(cache_directory)
        jedi.settings.auto_import_modules = []
        jedi.settings.allow_unsafe_interpreter_executions = False
        jedi.settings.dynamic_params_for_other_modules = False
        self.environment = environment
        self._read = _ReadEnvironment(environment)
        self._project = jedi.Project(
            workspace or Path(os.devnull).parent / "nowhere",
            sys_path=list(environment.search_path),
            smart_sys_path=workspace is not None,
            load_unsafe_extensions=False,
        )
        self._documents: OrderedDict[str, _Opened] = OrderedDict()
        self._state: InferenceState | None = None
        self._versions = 0
        self._completions: list[Any] = []
        self._members = MemberCache()
        self._workspace = workspace

    def set_document(self, document: Document) -> None:
        """Hold the newest text of a document; the least used ones are let go."""
        self._documents[document.uri] = _Opened(document)
        self._documents.move_to_end(document.uri)
        while len(self._documents) > DOCUMENTS_MAX:
            self._documents.popitem(last=False)

    def document(self, uri: str) -> Document | None:
        opened = self._documents.get(uri)
        return None if opened is None else opened.document

    def forget_files(self) -> None:
        """Files changed on disk: what was learned from them no longer holds."""
        self._state = None
        for opened in self._documents.values():
            opened.script = None
            opened.values = {}
        gc.collect()

    def complete(self, uri: str, position: Position) -> list[Name]:
        """Names that fit at a position, with the text typed so far as their start."""
        script = self.script(uri)
        if script is None:
            return []
        self._completions = script.complete(position.line + 1, position.column)[:NAMES_MAX]
        return [
            Name(item.name_with_symbols, _kind(item), item.description)
            for item in self._completions
        ]

    def describe(self, index: int) -> Description:
        """Signatures and documentation of the completion at ``index`` of the last answer."""
        if not 0 <= index < len(self._completions):
            return Description()
        item = self._completions[index]
        signatures = tuple(signature.to_string() for signature in item.get_signatures())
        return Description(signatures, item.docstring(raw=True)[:DOCUMENTATION_CODE_POINTS_MAX])

    def signatures(self, uri: str, position: Position) -> list[tuple[str, int]]:
        """Signatures of the call around a position, each with the index of the parameter (-1: none)."""
        script = self.script(uri)
        if script is None:
            return []
        return [
            (signature.to_string(), -1 if signature.index is None else signature.index)
            for signature in script.get_signatures(position.line + 1, position.column)
        ]

    def value(self, uri: str, expression: str, position: Position) -> Value:
        """What an expression is at a position of a document; open when that is not certain."""
        script = self.script(uri)
        if script is None:
            return OPEN
        known = self._documents[uri].values
        key = (expression, position)
        if key not in known:
            place = (position.line + 1, position.column)
            known[key] = value_of(script, expression, place, self._members)
        return known[key]

    def module(self, uri: str, name: str) -> Value:
        """What a module offers to an import statement of a document."""
        script = self.script(uri)
        return OPEN if script is None else module_of(script, name, self._members)

    def modules(self) -> frozenset[str]:
        """Top-level modules that the workspace and its environment offer."""
        folders = (str(self._workspace), *self.environment.search_path)
        return importable_modules(folders if self._workspace else folders[1:])

    def script(self, uri: str) -> Any:
        """jedi's script of a document's newest text; none for an unknown or a huge document."""
        opened = self._documents.get(uri)
        if opened is None or len(opened.document.text) > DOCUMENT_CODE_POINTS_MAX:
            return None
        self._documents.move_to_end(uri)
        if opened.script is None:
            self._members.forget_own()
            self._versions += 1
            if self._versions > VERSIONS_PER_STATE_MAX:
                self._versions = 0
                self.forget_files()
            opened.script = jedi.Script(
                opened.document.text,
                path=path_of(uri),
                environment=self._read,
                project=self._project,
            )
            if self._state is None:
                self._state = opened.script._inference_state
        state = self._state
        assert state is not None
        # jedi bounds its work per script; a state that lives longer needs its counts cleared
        state.inferred_element_counts = {}
        state.reset_recursion_limitations()
        state.script_path = opened.script.path
        opened.script._inference_state = state
        return opened.script


def path_of(uri: str) -> Path | None:
    """File of a ``file:`` address; none for other documents."""
    parts = urlsplit(uri)
    if parts.scheme != "file":
        return None
    path = unquote(parts.path)
    if os.name == "nt":
        path = path.lstrip("/")
    return Path(path) if path else None


def only_safe_finders() -> None:
    """Keep import hooks of installed packages from answering for the user's modules."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder in _SAFE_FINDERS]


def _kind(item: Any) -> str:
    try:
        return str(item.type)
    except Exception:  # jedi may fail on one item; the name is still right
        return "statement"
