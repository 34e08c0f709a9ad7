"""Facts about a place of a document for the monitors: fetched from the worker ahead of the decoder, never waited for longer than told."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from typing import Any

from assist.analysis.bindings import BindingCache, Names, names_at
from assist.analysis.document import Document
from assist.analysis.facts import OPEN, Json, Value, value_from_json
from assist.analysis.lexer import StatementIndex
from assist.analysis.placeholder import Placed, place
from assist.analysis.scope import AHEAD, URGENT, Scope
from assist.analysis.unbound import unbound_names

QUESTION_SECONDS_MAX = 0.015
COMPLETION_SECONDS_MAX = 0.030
AHEAD_MAX = 16
AHEAD_CODE_POINTS_BEFORE = 3_000
AHEAD_CODE_POINTS_AFTER = 600
DOCUMENTS_MAX = 40
MODULES_SECONDS_MAX = 60.0

# a dotted name that is followed by a dot or a call, not inside a longer one
_RECEIVER = re.compile(r"(?<![\w.'\"])([^\W\d]\w*(?:\.[^\W\d]\w*)*)(?=\.[^\W\d]|\()")

# a module whose names are being listed up to the end of the text
_IMPORTED_FROM = re.compile(
    r"^[ \t]*from[ \t]+([.\w]+)[ \t]+(?:[^()\n]*|import[ \t]*\([^()]*)\Z", re.M
)


class FactsSource:
    """Keeps for every document what can be used again for its next version.

    A question is waited for at most ``question_seconds``, all of a completion together at most
    ``completion_seconds``.
    """

    def __init__(
        self,
        scope: Scope,
        question_seconds: float = QUESTION_SECONDS_MAX,
        completion_seconds: float = COMPLETION_SECONDS_MAX,
    ) -> None:
        self.scope = scope
        self.question_seconds = question_seconds
        self.completion_seconds = completion_seconds
        self._documents: OrderedDict[str, _Kept] = OrderedDict()
        self._modules: Future[Any] | None = None
        self._modules_asked = 0.0
        self._known_modules: frozenset[str] | None = None

    def at(self, document: Document, offset: int, *, ahead: bool = True) -> DocumentFacts:
        """Facts for the statement at ``offset``; with ``ahead`` likely questions are asked at once.

        Typing inside one statement keeps the facts, because nothing outside it changed.
        """
        kept = self._documents.setdefault(document.uri, _Kept())
        self._documents.move_to_end(document.uri)
        while len(self._documents) > DOCUMENTS_MAX:
            self._documents.popitem(last=False)
        placed = place(document, offset, kept.index)
        facts = kept.facts
        if facts is None or facts.placed != placed:
            if facts is not None:
                facts.withdraw()
            facts = kept.facts = DocumentFacts(self, placed, kept)
        facts.seconds_left = self.completion_seconds
        if ahead:
            facts.ask_ahead(document.text, offset)
        return facts

    def ask_modules(self) -> None:
        """Ask which top-level modules there are, once in a while."""
        now = time.monotonic()
        if self._modules is None or now - self._modules_asked > MODULES_SECONDS_MAX:
            self._modules_asked = now
            self._modules = self.scope.ask({"kind": "modules"})

    def modules(self) -> frozenset[str] | None:
        """Top-level modules as they were within the last minutes; none while that is not known."""
        self.ask_modules()
        assert self._modules is not None
        try:
            result = self._modules.result(0.0 if self._known_modules else self.question_seconds)
        except FutureTimeoutError:
            return self._known_modules
        if result is not None:
            self._known_modules = frozenset(result)
        return self._known_modules


@dataclass
class _Kept:
    index: StatementIndex = field(default_factory=StatementIndex)
    placed_index: StatementIndex = field(default_factory=StatementIndex)
    bindings: BindingCache = field(default_factory=BindingCache)
    facts: DocumentFacts | None = None


class DocumentFacts:
    """The facts of one placeholder; an answer that comes late is there for the next question."""

    def __init__(self, source: FactsSource, placed: Placed, kept: _Kept) -> None:
        self.placed = placed
        self.seconds_left = source.completion_seconds
        self._source = source
        self._kept = kept
        self._names: Names | None = None
        self._unbound: frozenset[str] | None = None
        self._asked: dict[tuple[str, str], Future[Any]] = {}
        self._known: dict[tuple[str, str], Value] = {}
        self.forget_time()

    def forget_time(self) -> None:
        """Count anew how long answers were waited for: ``waited_seconds`` in all, and how many
        (``late``) came after the time of one question."""
        self.waited_seconds = 0.0
        self.late = 0

    def wait(self, seconds: float) -> None:
        """Wait until what was asked so far is answered, ``seconds`` at most."""
        wait_for(self._asked.values(), seconds)

    def names(self) -> frozenset[str] | None:
        """Every name that the statement can read; none where star imports bring unknown ones."""
        names = self._names_here()
        starred = self._starred(names)
        return None if starred is None else names.visible | starred

    def unbound(self) -> frozenset[str]:
        """Names that the rest of the file reads and nothing binds; empty where that is not known."""
        if self._unbound is None:
            names = self._names_here()
            starred = self._starred(names)
            if starred is None:
                return frozenset()
            self._unbound = unbound_names(self.placed.document.text, names.bound | starred)
        return self._unbound

    def _names_here(self) -> Names:
        if self._names is None:
            self._names = names_at(self.placed, self._kept.placed_index, self._kept.bindings)
        return self._names

    def _starred(self, names: Names) -> frozenset[str] | None:
        """Names that star imports bring; none where some may be unknown."""
        if not names.is_closed:
            return None
        starred: frozenset[str] = frozenset()
        for module in names.stars:
            members = self.module(module).members
            if members is None:
                return None
            starred |= members
        return starred

    def value(self, expression: str) -> Value:
        """What an expression is at the place; open when the answer does not come in time."""
        return self._answer("value", "expression", expression)

    def module(self, name: str) -> Value:
        """What a module offers to ``from name import``."""
        return self._answer("module", "name", name)

    def modules(self) -> frozenset[str] | None:
        """Top-level modules that can be imported."""
        return self._source.modules()

    def ask_ahead(self, text: str, offset: int) -> None:
        """Ask about the receivers and calls near the cursor, the nearest first, and about a module
        that something is being imported from."""
        imported = _IMPORTED_FROM.search(text, max(offset - AHEAD_CODE_POINTS_AFTER, 0), offset)
        if imported is not None:
            self._ask("module", "name", imported[1], AHEAD)
        for expression in _receivers_near(text, offset):
            self._ask("value", "expression", expression, AHEAD)
        self._source.ask_modules()

    def withdraw(self) -> None:
        """What was asked and has no answer yet is no longer wanted."""
        for future in self._asked.values():
            if not future.done():
                self._source.scope.withdraw(future)

    def _ask(self, kind: str, field_name: str, text: str, priority: int) -> Future[Any]:
        key = (kind, text)
        future = self._asked.get(key)
        if future is None:
            question: Json = {
                "kind": kind,
                field_name: text,
                "offset": self.placed.document.offset_at(self.placed.position),
            }
            future = self._source.scope.ask(question, self.placed.document, priority)
            self._asked[key] = future
        elif priority == URGENT and not future.done():
            self._source.scope.hurry(future)
        return future

    def _answer(self, kind: str, field_name: str, text: str) -> Value:
        key = (kind, text)
        if key in self._known:
            return self._known[key]
        future = self._ask(kind, field_name, text, URGENT)
        wait = (
            0.0
            if future.done()
            else min(self._source.question_seconds, max(self.seconds_left, 0.0))
        )
        started = time.perf_counter()
        try:
            result = future.result(wait)
        except FutureTimeoutError:
            return OPEN
        finally:
            self._count(time.perf_counter() - started)
        if result is None:
            del self._asked[key]  # a failure may be over at the next question
            return OPEN
        self._known[key] = value_from_json(result)
        return self._known[key]

    def _count(self, seconds: float) -> None:
        self.seconds_left -= seconds
        self.waited_seconds += seconds
        self.late += seconds >= QUESTION_SECONDS_MAX


def _receivers_near(text: str, offset: int) -> list[str]:
    start = max(offset - AHEAD_CODE_POINTS_BEFORE, 0)
    window = text[start : offset + AHEAD_CODE_POINTS_AFTER]
    cursor = offset - start
    distance: dict[str, int] = {}
    for match in _RECEIVER.finditer(window):
        expression = match[1]
        away = abs(match.start() - cursor)
        parts = expression.split(".")
        for end in range(1, len(parts) + 1):
            name = ".".join(parts[:end])
            distance[name] = min(distance.get(name, away), away)
    ordered = sorted(distance, key=lambda name: distance[name])
    return ordered[:AHEAD_MAX]
