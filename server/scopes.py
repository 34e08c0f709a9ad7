"""The jedi workers of the engine process, one per workspace folder that is in use; it analyses nothing itself."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from assist.analysis.document_facts import FactsSource
from assist.analysis.scope import Scope
from assist.analysis.uris import innermost, path_of
from assist.cache.paths import cache_directory

# A worker takes about 100 MB; folders beyond this many take turns.
SCOPES_MAX = 2


class Scopes:
    """Workers by folder. They start with the first question and end when others need the place.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._folders: tuple[str, ...] = ()
        self._environment = ""
        self._scopes: OrderedDict[str, Scope] = OrderedDict()
        self._facts: dict[Scope, FactsSource] = {}
        self._lock = threading.RLock()

    def configure(self, folders: tuple[str, ...], environment: str) -> None:
        """Take the workspace folders (URIs) and the setting that names the Python environment."""
        with self._lock:
            if environment != self._environment:
                self.close()
            self._folders, self._environment = folders, environment
            for folder in [folder for folder in self._scopes if folder and folder not in folders]:
                self._end(self._scopes.pop(folder))

    def of(self, uri: str) -> Scope:
        """The worker of the innermost folder around ``uri``; "" stands for files outside of all."""
        with self._lock:
            folder = innermost(uri, self._folders)
            scope = self._scopes.get(folder)
            if scope is None:
                while len(self._scopes) >= SCOPES_MAX:
                    self._end(self._scopes.popitem(last=False)[1])
                scope = Scope(path_of(folder), _jedi_cache(), self._environment)
                self._scopes[folder] = scope
            self._scopes.move_to_end(folder)
            return scope

    def facts_of(self, uri: str) -> FactsSource:
        """What the monitors ask the worker of ``uri``."""
        with self._lock:
            scope = self.of(uri)
            return self._facts.setdefault(scope, FactsSource(scope))

    @property
    def process_ids(self) -> list[int]:
        """Ids of the workers that run."""
        ids = [scope.process_id for scope in list(self._scopes.values())]
        return [id_ for id_ in ids if id_ is not None]

    def files_changed(self) -> None:
        for scope in self._scopes.values():
            scope.files_changed()

    def close(self) -> None:
        with self._lock:
            while self._scopes:
                self._end(self._scopes.popitem()[1])

    def _end(self, scope: Scope) -> None:
        self._facts.pop(scope, None)
        scope.close()


def _jedi_cache() -> Path:
    return cache_directory() / "jedi"
