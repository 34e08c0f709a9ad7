"""The state of one connection with an editor: documents, folders, settings, engine and lane; it speaks no protocol."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assist.analysis.document import Document, Edit
from assist.analysis.uris import innermost, path_of
from assist.cache.rows import ProposalRow
from assist.server import messages
from assist.server.convert import Encoding
from assist.server.engine_process import EngineProcess, EngineState, opened
from assist.server.proposals import Proposals
from assist.server.request import Request as Request
from assist.server.reuse import Reuse
from assist.server.scheduler import Lane
from assist.server.settings import (
    Settings,
    editor_source,
    environment_source,
    language_enabled,
    pyproject_source,
    resolve,
    restart_key,
)

logger = logging.getLogger(__name__)

DOCUMENTS_MAX = 512
PAUSED_MAX = 1024
# Code points before a proposal that was taken by which it is found again.
ACCEPTED_HEAD_MAX = 200
STATISTICS_EVERY_S = 5.0
BACKGROUND_MAX = 64
CONFIGURATION_S_MAX = 3.0


@dataclass(frozen=True)
class Answer:
    """Proposals, and the ids by which editors say what became of them (none: nobody counts)."""

    items: tuple[messages.Item, ...] = ()
    ids: tuple[str, ...] = ()


async def _no_configuration() -> dict[str, Any]:
    return {}


@dataclass
class Session:
    """Everything that lives between messages. ``on_change`` hears when the status may be different,
    ``on_problems`` when other settings are wrong than before."""

    on_change: Callable[[], None] = lambda: None
    on_problems: Callable[[], None] = lambda: None
    pull_configuration: Callable[[], Awaitable[dict[str, Any]]] = _no_configuration
    encoding: Encoding = "utf-16"
    client_options: dict[str, Any] = field(default_factory=dict)
    pushed: object = None
    documents: dict[str, Document] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    cursor: messages.Cursor | None = None
    paused: set[str] = field(default_factory=set)
    settings: Settings = field(default_factory=Settings)
    folder_settings: dict[str, Settings] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    proposals: Proposals = field(default_factory=Proposals)
    last_completion: dict[str, Any] | None = None
    is_busy: bool = False
    names_serial: int = 0
    leave: asyncio.Event = field(default_factory=asyncio.Event)
    engine: EngineProcess = field(init=False)
    lane: Lane[messages.Completed] = field(init=False)
    reuse: Reuse = field(init=False)
    _is_over: bool = False
    _settled: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.engine = EngineProcess(self._greeting, self._engine_changed)
        self.lane = Lane(self._busy_changed)
        self.reuse = Reuse(
            self.engine, self.lane, self.settings_for, self.documents, self.background
        )

    def open(self, document: Document) -> None:
        """Take a document; the oldest ones go when there are too many."""
        self.documents.pop(document.uri, None)
        while len(self.documents) >= DOCUMENTS_MAX:
            self.close(next(iter(self.documents)))
        self.documents[document.uri] = document
        self.engine.send(opened(document))
        self.focus(document.uri)
        self.point(document, None)

    def change(self, document: Document, edit: Edit) -> None:
        """Replace a document by its new version, which ``edit`` made of the old one."""
        self.documents[document.uri] = document
        self.reuse.rhythm.changed(time.monotonic(), edit.text)
        span = edit.span
        change = messages.Changed(document.uri, document.version, span.start, span.end, edit.text)
        self.engine.send(change)
        self.proposals.edited(document.uri, edit)
        self.focus(document.uri)
        self.point(document, span.start + len(edit.text))

    def focus(self, uri: str) -> None:
        """Take note of the document that the user is at, as far as an editor lets us know."""
        if uri != self.lane.focus:
            self.lane.focus = uri
            self.on_change()

    def point(self, document: Document, offset: int | None) -> None:
        """Take note of where the cursor is (none: somewhere), so that its prompt is read in idle time."""
        if not self.is_paused(document):
            tokens = self.settings_for(document.uri).context_tokens
            self.cursor = messages.Cursor(document.uri, offset, tokens)
            self.engine.send(self.cursor)

    def close(self, uri: str) -> None:
        if self.documents.pop(uri, None) is not None:
            self.lane.drop_document(uri)
            self.proposals.closed(uri)
            self.engine.send(messages.Closed(uri))

    async def complete(self, request: Request) -> Answer:
        """Answer to one request, empty where a newer one took its place or the engine has none."""
        settings = self.settings_for(request.document.uri)
        started = time.monotonic()
        completed = await self.reuse.complete(request)
        if completed is None:
            return Answer()
        self.last_completion = completed.report
        if not settings.statistics_enabled:
            return Answer(completed.items)
        latency_ms = (time.monotonic() - started) * 1e3
        return Answer(completed.items, self._offer(request, completed, latency_ms))

    def _offer(
        self, request: Request, completed: messages.Completed, latency_ms: float
    ) -> tuple[str, ...]:
        """Count an answer; the ids of its items."""
        document = request.document
        self.proposals.asked(document.language, is_empty=not completed.items)
        row = ProposalRow(
            id="",
            at=time.time(),
            language=document.language,
            model=str(completed.report["model"].get("name", "")),
            origin="",
            trigger=request.priority.name.lower(),
            latency_ms=round(latency_ms, 1),
            characters=0,
            lines=0,
        )
        return tuple(self.proposals.offer(document, item, row) for item in completed.items)

    def accepted(self, id_: str, length: int | None = None) -> None:
        """The user took a proposal, or (``length`` code points) its beginning."""
        proposal = self.proposals.accepted(id_, length)
        document = self.documents.get(proposal.uri) if proposal else None
        if proposal is None or document is None:
            return
        start = proposal.span.start
        above = document.text.rfind("\n", max(start - ACCEPTED_HEAD_MAX, 0), start)
        head = document.text[max(above + 1, start - ACCEPTED_HEAD_MAX, 0) : start]
        text = proposal.text[: proposal.span.length]
        self.engine.send(messages.Accepted(document.language, head, text))

    async def record_statistics(self) -> None:
        """Look after accepted proposals and hand what is new to the engine, until cancelled."""
        while True:
            await asyncio.sleep(STATISTICS_EVERY_S)
            await asyncio.to_thread(self.proposals.look, dict(self.documents))
            self._send_statistics()

    def _send_statistics(self) -> None:
        if self.engine.pid is None:
            return
        proposals, requests = self.proposals.take_rows()
        if self.settings.statistics_enabled and (proposals or requests):
            self.engine.send(messages.Record(tuple(proposals), tuple(requests)))

    def settings_for(self, uri: str) -> Settings:
        """Settings of the innermost workspace folder of ``uri``."""
        return self.folder_settings.get(innermost(uri, self.folder_settings), self.settings)

    def pause(self, name: str, paused: bool | None = None) -> bool:
        """Pause (true), resume (false) or toggle (none) a document's URI or a language id."""
        paused = name not in self.paused if paused is None else paused
        if paused and len(self.paused) < PAUSED_MAX:
            self.paused.add(name)
            self.lane.drop_document(name)
        elif not paused:
            self.paused.discard(name)
        self.on_change()
        return name in self.paused

    def is_paused(self, document: Document) -> bool:
        """Whether a document gets no proposals: paused by hand or turned off in the settings."""
        if document.uri in self.paused or document.language in self.paused:
            return True
        return not language_enabled(self.settings_for(document.uri), document.language)

    async def load_settings(self) -> None:
        """Read all sources again; a running engine is replaced where a value needs that."""
        try:
            pulled = await asyncio.wait_for(self.pull_configuration(), CONFIGURATION_S_MAX)
        except Exception as error:
            logger.warning("The editor gave no configuration (%s).", type(error).__name__)
            pulled = {}
        problems: list[str] = []
        resolved: dict[str, Settings] = {}
        for folder in ["", *self.folders]:
            path = path_of(folder)
            project, wrong = await asyncio.to_thread(_project_source, path)
            initial = editor_source(self._initial_settings())
            editor = editor_source(pulled.get(folder, self.pushed))
            settings, more = resolve([project, environment_source(), initial, editor])
            resolved[folder] = settings
            problems += [*wrong, *more]
        before = restart_key(self.settings)
        self.settings = resolved.pop("")
        self.folder_settings = resolved
        if (found := tuple(dict.fromkeys(problems))) != self.problems:
            self.problems = found
            self.on_problems()
        self.engine.send(self._configuration())
        self.reuse.clear()
        if self.engine.pid is not None and restart_key(self.settings) != before:
            await self.restart_engine()
        self._settled.set()
        self.on_change()

    def _initial_settings(self) -> dict[str, Any]:
        """What the editor said when it connected: settings, and whether the workspace is trusted."""
        given = self.client_options.get("settings")
        values = dict(given) if isinstance(given, dict) else {}
        if isinstance(self.client_options.get("trusted"), bool):
            values["workspace.trusted"] = self.client_options["trusted"]
        return values

    async def settled(self) -> None:
        """Wait until the settings were read for the first time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), 2 * CONFIGURATION_S_MAX)

    def start_engine(self) -> None:
        """Start the engine, unless the session is over."""
        if not self._is_over:
            self.engine.start(self.settings)

    async def restart_engine(self) -> None:
        if not self._is_over:
            await self.engine.restart(self.settings)

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` beside everything else until it or the session ends."""
        if len(self._tasks) >= BACKGROUND_MAX:
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """End everything; nobody hears of it any more."""
        self._is_over = True
        self.on_change = lambda: None
        for task in list(self._tasks):
            if task is not asyncio.current_task():
                task.cancel()
        await self.lane.close()
        self._send_statistics()
        await self.engine.stop()

    def _greeting(self) -> Iterator[messages.ToEngine]:
        yield self._configuration()
        yield from map(opened, self.documents.values())
        if self.cursor is not None:
            yield self.cursor

    def _configuration(self) -> messages.Configure:
        told = [uri for uri in self.folders if self.settings_for(uri).context_workspace]
        environment = self.settings.names_environment
        return messages.Configure(tuple(self.folders), environment, tuple(told))

    def _engine_changed(self, _state: EngineState) -> None:
        self.on_change()

    def _busy_changed(self, is_busy: bool) -> None:
        self.is_busy = is_busy
        self.on_change()


def _project_source(path: Path | None) -> Any:
    return pyproject_source(path or Path("/nonexistent"))
