"""Questions about names on their way to the jedi workers and back, without waiting; it knows neither jedi nor editors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from assist.analysis.document import Document
from assist.analysis.scope import Scope, description_from, names_from
from assist.server import messages
from assist.server.scopes import Scopes


class NameQuestions:
    """Open questions of the engine process; answers are written by the workers' threads."""

    def __init__(self, write: Callable[[messages.FromEngine], None]) -> None:
        self.scopes = Scopes()
        self._write = write
        self._lock = threading.Lock()
        self._open: dict[int, tuple[Scope, Future[Any]]] = {}

    def ask(self, message: messages.AskNames, document: Document | None) -> None:
        """Ask for the names at a place; a document that is not open has none."""
        if document is None:
            self._write(messages.Names(message.id, ()))
            return
        scope = self.scopes.of(message.uri)
        position = document.position_at(message.offset)
        future = scope.ask_names(document, position)
        self._wait(message.id, scope, future, partial(_names, message.id))

    def describe(self, message: messages.AskDescription) -> None:
        """Ask for signatures and documentation of one name of the last answer."""
        scope = self.scopes.of(message.uri)
        future = scope.ask({"kind": "describe", "index": message.index})
        self._wait(message.id, scope, future, partial(_described, message.id))

    def cancel(self, id_: int) -> bool:
        """Withdraw a question; false when there is none with this id."""
        with self._lock:
            scope, future = self._open.pop(id_, (None, None))
        if scope is None or future is None:
            return False
        scope.withdraw(future)
        return True

    def _wait(
        self,
        id_: int,
        scope: Scope,
        future: Future[Any],
        answer: Callable[[Any], messages.FromEngine],
    ) -> None:
        with self._lock:
            self._open[id_] = (scope, future)

        def done(future: Future[Any]) -> None:
            with self._lock:
                wanted = self._open.pop(id_, None) is not None
            if wanted:
                self._write(answer(future.result()))

        future.add_done_callback(done)


def _names(id_: int, result: Any) -> messages.Names:
    items = [messages.NameItem(name.text, name.kind, name.detail) for name in names_from(result)]
    return messages.Names(id_, tuple(items))


def _described(id_: int, result: Any) -> messages.Described:
    description = description_from(result)
    return messages.Described(id_, description.signatures, description.documentation)
