"""The engine process: holds completion, models and cache, answers messages on a pipe; it knows no editor and starts no process."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from assist.analysis.document import Document, Edit, Span
from assist.analysis.uris import path_of
from assist.analysis.workspace_index import Workspaces
from assist.cache.kv import Reuse, ReusePolicy
from assist.cache.store import open_store
from assist.completion.answer import Threshold
from assist.completion.candidate import Candidate
from assist.completion.engine import (
    Completion,
    CompletionOptions,
    EngineSession,
    complete,
    prewarm,
)
from assist.completion.ranker import load_ranker
from assist.models.errors import ModelError
from assist.models.kv_session import KvSession
from assist.models.llama import KeyType, LlamaOptions
from assist.models.model import Abort, Aborted
from assist.models.open import open_model
from assist.server import messages
from assist.server.messages import Message, encode
from assist.server.names import NameQuestions
from assist.server.pipes import own_pipes, read_messages
from assist.server.reports.completion import completion_report
from assist.server.settings import Settings
from assist.server.statistics_writer import StatisticsWriter

# The server sends one request at a time; more can only be waiting while a model loads.
WORK_MAX = 64
# Room in the model's memory for an answer, its candidates and the refresh of a chunk.
SPARE_TOKENS = 512
# Idle work starts this long after the last request.
IDLE_S = 0.3
# Open documents whose imports are looked up.
RECENT_MAX = 16
PYTHON_SUFFIXES = (".py", ".pyi", ".toml")
PARENT_GONE = 0


Work = tuple[messages.Load | messages.Complete, Document | None]


@dataclass
class Engine:
    """What the process holds: documents as the server sent them, the model, and the running request.

    The reader thread applies documents and cancellations at once; the main thread computes.
    """

    write: Callable[[Message], None]
    documents: dict[str, Document] = field(default_factory=dict)
    work: queue.Queue[Work] = field(default_factory=lambda: queue.Queue(WORK_MAX))
    names: NameQuestions = field(init=False)
    workspaces: Workspaces = field(default_factory=Workspaces)
    statistics: StatisticsWriter = field(default_factory=StatisticsWriter)
    session: EngineSession | None = None
    # Where the user is, until the prompt for that place was read.
    cursor: messages.Cursor | None = None
    # Set when anything came that idle work must make way for.
    stirred: threading.Event = field(default_factory=threading.Event)
    cancelled: set[int] = field(default_factory=set)
    arrived: dict[int, float] = field(default_factory=dict)
    running: int | None = None
    finished: int = 0
    moved_at: float = 0.0
    stall_s_max: float = 0.0

    def __post_init__(self) -> None:
        self.names = NameQuestions(self.write)

    def move(self) -> None:
        """Note that the lane is alive; called between steps of native code."""
        now = time.monotonic()
        if self.moved_at:
            self.stall_s_max = max(self.stall_s_max, now - self.moved_at)
        self.moved_at = now


def main() -> None:
    """Serve messages on standard input and output until the server closes them."""
    source, target = own_pipes()
    lock = threading.Lock()

    def write(message: Message) -> None:
        with lock:
            target.write(encode(message))
            target.flush()

    engine = Engine(write)
    threading.Thread(target=_read, args=(engine, source), daemon=True).start()
    while True:
        message, document = _next(engine)
        if isinstance(message, messages.Load):
            _load(engine, Settings(**_settings_values(message)))
        else:
            _answer(engine, message, document)


def _next(engine: Engine) -> Work:
    """The next request; until it comes, idle work that it and every keystroke interrupt."""
    while True:
        engine.stirred.clear()
        try:
            return engine.work.get(timeout=IDLE_S)
        except queue.Empty:
            if engine.session is not None:
                _work_idle(engine, engine.session)
        engine.stirred.wait()


def _work_idle(engine: Engine, session: EngineSession) -> None:
    """Learn what open files import, read what the next request needs, make shifted keys exact,
    write what is new to disk, go on with the walk over the workspace."""
    kv, abort = session.kv, engine.stirred.is_set
    recent = list(engine.documents.values())[-RECENT_MAX:]
    # Idle work must never cost the process.
    with contextlib.suppress(Exception):
        engine.workspaces.learn(recent, abort)
    try:
        if _prewarm(engine, session, abort) and kv.refresh(abort):
            kv.persist(abort)
    except Exception:
        # The next request starts from an empty cache.
        kv.reset()
    with contextlib.suppress(Exception):
        if engine.workspaces.explore(abort):
            session.refresh_drafts(abort)


def _prewarm(engine: Engine, session: EngineSession, abort: Abort) -> bool:
    cursor = engine.cursor
    document = engine.documents.get(cursor.uri) if cursor is not None else None
    if cursor is None or document is None:
        return True
    options = CompletionOptions(context_tokens_max=cursor.context_tokens)
    finished = prewarm(session, document, cursor.offset, options, abort=abort)
    if finished and engine.cursor is cursor:
        engine.cursor = None
    return finished


def _read(engine: Engine, source: BinaryIO) -> None:
    try:
        for message in read_messages(source):
            receive(engine, message)
    finally:
        # The server is gone or talks nonsense; native code of the main thread cannot be waited for.
        engine.names.scopes.close()
        engine.statistics.close()
        os._exit(PARENT_GONE)


def receive(engine: Engine, message: Message) -> None:
    """Take one message of the server: apply it, or put it where the main thread finds it."""
    documents = engine.documents
    match message:
        case messages.Opened():
            documents[message.uri] = Document(
                message.uri, message.text, message.version, message.language
            )
            engine.stirred.set()
        case messages.Changed():
            if document := documents.get(message.uri):
                edit = Edit(Span(message.start, message.end), message.text)
                documents[message.uri] = document.apply([edit], version=message.version)
        case messages.Closed():
            documents.pop(message.uri, None)
        case messages.Cursor():
            engine.cursor = message
            engine.stirred.set()
        case messages.Configure():
            engine.names.scopes.configure(message.folders, message.environment)
            engine.workspaces.configure(_paths(message.told))
            engine.stirred.set()
        case messages.FilesChanged():
            if any(uri.endswith(PYTHON_SUFFIXES) for uri in message.uris):
                engine.names.scopes.files_changed()
            engine.workspaces.changed(_paths(message.uris))
            engine.stirred.set()
        case messages.Accepted():
            if engine.session is not None:
                engine.session.library.accept(message.language, message.head, message.text)
        case messages.Record():
            engine.statistics.put(message)
        case messages.AskNames():
            engine.names.ask(message, documents.get(message.uri))
        case messages.AskDescription():
            engine.names.describe(message)
        case messages.Cancel():
            if not engine.names.cancel(message.id) and message.id > engine.finished:
                engine.cancelled.add(message.id)
        case messages.Ping():
            stalled_s = time.monotonic() - engine.moved_at if engine.running is not None else 0.0
            engine.write(messages.Pong(message.id, stalled_s, engine.stall_s_max, _figures(engine)))
        case messages.Load():
            engine.work.put((message, None))
            engine.stirred.set()
        case messages.Complete():
            engine.arrived[message.id] = time.monotonic()
            document = documents.get(message.uri)
            if document is None or document.version != message.version:
                document = None
            else:
                engine.cursor = _cursor_of(message)
            engine.work.put((message, document))
            engine.stirred.set()
        case _:
            raise messages.MessageError(f"{type(message).__name__} is no message for the engine")


def _paths(uris: Iterable[str]) -> list[Path]:
    return [path for uri in uris if (path := path_of(uri)) is not None]


def _load(engine: Engine, settings: Settings) -> None:
    started = time.monotonic()
    engine.write(messages.Loading(0.0, "Loading the model"))
    try:
        options = LlamaOptions(
            context_tokens=settings.model_context or settings.context_tokens + SPARE_TOKENS,
            threads_prefill=settings.model_threads,
            threads_decode=settings.model_threads,
            key_type=cast(KeyType, settings.kv_type),
        )
        opened = open_model(settings.model_name, options=options)
    except ModelError as error:
        engine.write(messages.Failed(str(error)))
        return
    model = opened.model
    kv = KvSession(
        model,
        ReusePolicy(cast(Reuse, settings.kv_reuse)),
        memory_bytes_max=settings.kv_memory_mb << 20,
        store=open_store(settings.kv_disk_mb << 20) if settings.kv_disk else None,
    )
    engine.session = EngineSession(kv, opened.template, engine.workspaces)
    load_ranker()
    seconds = time.monotonic() - started
    engine.write(messages.Ready(model.name, model.file, opened.reason, seconds))


def _answer(engine: Engine, request: messages.Complete, document: Document | None) -> None:
    waited_ms = (time.monotonic() - engine.arrived.pop(request.id)) * 1e3
    if engine.session is None or document is None or request.id in engine.cancelled:
        engine.cancelled.discard(request.id)
        engine.write(messages.Stopped(request.id))
        return
    deadline = time.monotonic() + request.milliseconds / 1e3

    def abort() -> bool:
        engine.move()
        return request.id in engine.cancelled or time.monotonic() > deadline

    def progress(text: str) -> None:
        engine.write(messages.Partial(request.id, text))

    engine.moved_at = time.monotonic()
    engine.running = request.id
    try:
        options = CompletionOptions(
            tokens_max=request.tokens,
            context_tokens_max=request.context_tokens,
            decode_ms_max=request.milliseconds,
            multiline=request.invoked,
            monitors=request.monitors,
            candidates=request.candidates,
            # Whoever asks wants to see what there is.
            threshold="all" if request.invoked else cast(Threshold, request.threshold),
            first_pass=not request.invoked,
        )
        seen, offset = _with_selected(request, document)
        position = seen.position_at(offset)
        facts = None
        if request.monitors and document.language == "python":
            facts = engine.names.scopes.facts_of(document.uri).at(seen, offset)
        completion = complete(
            engine.session,
            seen,
            position,
            options,
            facts=facts,
            progress=progress,
            abort=abort,
        )
        completed = _completed(request, engine.session, document, completion)
        if engine.cursor == _cursor_of(request) and not completion.is_first_pass:
            engine.cursor = None
        completed.report["waited_ms"] = waited_ms
        engine.write(completed)
    except Aborted:
        engine.write(messages.Stopped(request.id))
    except Exception as error:
        # One request must never cost the process; the server logs it.
        engine.write(messages.Stopped(request.id, f"{type(error).__name__}: {error}"))
    finally:
        engine.running, engine.finished = None, request.id
        engine.moved_at = 0.0
        engine.cancelled.discard(request.id)


def _cursor_of(request: messages.Complete) -> messages.Cursor:
    return messages.Cursor(request.uri, request.offset, request.context_tokens)


def _with_selected(request: messages.Complete, document: Document) -> tuple[Document, int]:
    """The document as if the highlighted entry of the editor's list had been taken, and the cursor."""
    if request.selected_text is None:
        return document, request.offset
    span = Span(request.selected_start, request.offset)
    offset = span.start + len(request.selected_text)
    return document.apply([Edit(span, request.selected_text)]), offset


def _candidates(request: messages.Complete, completion: Completion) -> Iterator[Candidate]:
    """Candidates as replacements of the document's own text."""
    for item in completion.candidates[: request.candidates]:
        if request.selected_text is None:
            yield item
            continue
        added = len(request.selected_text) - (request.offset - request.selected_start)
        if item.span.start >= request.offset + added:
            span = Span(request.selected_start, item.span.end - added)
            yield replace(item, text=request.selected_text + item.text, span=span)


def _completed(
    request: messages.Complete, session: EngineSession, document: Document, completion: Completion
) -> messages.Completed:
    candidates = tuple(_candidates(request, completion))
    items = tuple(
        messages.Item(item.text, item.span.start, item.span.end, item.score, item.origin)
        for item in candidates
    )
    report = completion_report(document, session.kv.model, completion, candidates)
    return messages.Completed(request.id, items, report)


def _figures(engine: Engine) -> dict[str, object]:
    session = engine.session
    cache = asdict(session.kv.status()) if session else {}
    return {
        "documents": len(engine.documents),
        "cache": cache,
        "drafts": session.drafts.totals if session else {},
        "workers": engine.names.scopes.process_ids,
    }


def _settings_values(message: messages.Load) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in message.settings.items()
    }


if __name__ == "__main__":
    main()
