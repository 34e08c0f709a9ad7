"""What is in scope at a place, asked of the jedi worker without ever waiting longer than told; it holds no jedi itself."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import OrderedDict, deque
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import Any, BinaryIO

from assist.analysis.document import Document, Position
from assist.analysis.facts import Description, Json, Name
from assist.analysis.lexer import shared_length

OUTSTANDING_MAX = 256
HANG_SECONDS_MAX = 10.0
STARTS_MAX = 6
STARTS_PERIOD_SECONDS = 60.0
DOCUMENTS_MAX = 40
COMPLETE_TIMEOUT_SECONDS = 2.0
DESCRIBE_TIMEOUT_SECONDS = 2.0
CLOSE_TIMEOUT_SECONDS = 2.0
LINE_BYTES_MAX = 32_000_000

# Priorities of questions, most urgent first.
URGENT, WANTED, AHEAD = 0, 1, 2


class Scope:
    """The client of one worker, safe to use from several threads and from an event loop.

    The worker starts with the first question and again after a crash, a hang or when it used
    much memory; what it was asked meanwhile is answered with nothing.
    """

    def __init__(
        self,
        workspace: Path | None,
        cache_directory: Path,
        environment: str = "",
        worker: tuple[str, ...] = (),
    ) -> None:
        self._command = _command(workspace, cache_directory, environment, worker)
        self._ids = itertools.count(1)
        self._serials = itertools.count(1)
        self._outbox: queue.SimpleQueue[tuple[Json, Document | None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[Future[Any], float]] = {}
        self._sent: OrderedDict[str, tuple[Document, int]] = OrderedDict()
        self._process: subprocess.Popen[bytes] | None = None
        self._starts: deque[float] = deque(maxlen=STARTS_MAX)
        self._closed = False
        self._sender: threading.Thread | None = None

    def complete(
        self, document: Document, position: Position, timeout: float = COMPLETE_TIMEOUT_SECONDS
    ) -> tuple[Name, ...]:
        """Names that fit at a position; nothing when the answer does not come in time (seconds)."""
        return names_from(self.wait(self.ask_names(document, position), timeout))

    async def complete_async(
        self, document: Document, position: Position, timeout: float = COMPLETE_TIMEOUT_SECONDS
    ) -> tuple[Name, ...]:
        """:meth:`complete` for an event loop; cancelling it withdraws the question."""
        return names_from(await self.wait_async(self.ask_names(document, position), timeout))

    def describe(self, index: int, timeout: float = DESCRIBE_TIMEOUT_SECONDS) -> Description:
        """Signatures and documentation of the ``index``-th name of the last completion."""
        return description_from(self.wait(self.ask({"kind": "describe", "index": index}), timeout))

    async def describe_async(
        self, index: int, timeout: float = DESCRIBE_TIMEOUT_SECONDS
    ) -> Description:
        """:meth:`describe` for an event loop."""
        future = self.ask({"kind": "describe", "index": index})
        return description_from(await self.wait_async(future, timeout))

    async def signatures_async(
        self, document: Document, position: Position, timeout: float = COMPLETE_TIMEOUT_SECONDS
    ) -> tuple[tuple[str, int], ...]:
        """Signatures of the call around a position, each with its parameter's index (-1: none)."""
        question = {"kind": "signatures", "offset": document.offset_at(position)}
        result = await self.wait_async(self.ask(question, document), timeout)
        return tuple((text, index) for text, index in result or ())

    def files_changed(self) -> None:
        """Forget what was learned from files; call it when files of the workspace change."""
        self._outbox.put(({"kind": "changed"}, None))

    def ask(
        self, question: Json, document: Document | None = None, priority: int = WANTED
    ) -> Future[Any]:
        """Send a question about a document and return at once; the result is none on any failure."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        if self._is_hanging():
            self._end_process()
        with self._lock:
            if self._closed or len(self._waiting) >= OUTSTANDING_MAX or self._is_failing():
                future.set_result(None)
                return future
            number = next(self._ids)
            self._waiting[number] = (future, time.monotonic())
            if self._sender is None:
                self._sender = threading.Thread(target=self._send_all, daemon=True)
                self._sender.start()
        self._outbox.put(({**question, "id": number, "priority": priority}, document))
        return future

    def wait(self, future: Future[Any], timeout: float) -> Any:
        """The answer, or none after ``timeout`` seconds; then the question is withdrawn."""
        try:
            return future.result(timeout)
        except FutureTimeoutError:
            self.withdraw(future)
            return None

    async def wait_async(self, future: Future[Any], timeout: float) -> Any:
        """:meth:`wait` for an event loop."""
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(asyncio.wrap_future(future))
        except TimeoutError:
            self.withdraw(future)
            return None
        except asyncio.CancelledError:
            self.withdraw(future)
            raise

    def withdraw(self, future: Future[Any]) -> None:
        """The answer is no longer wanted; a worker that hangs is ended."""
        for number in self._numbers(future):
            self._outbox.put(({"cancel": number}, None))
        if self._is_hanging():
            self._end_process()

    def hurry(self, future: Future[Any]) -> None:
        """A question that was asked ahead is urgent now."""
        for number in self._numbers(future):
            self._outbox.put(({"hurry": number}, None))

    def close(self) -> None:
        """End the worker; questions from now on are answered with nothing."""
        with self._lock:
            self._closed = True
        self._outbox.put(None)
        self._end_process()
        if self._sender is not None:
            self._sender.join(CLOSE_TIMEOUT_SECONDS)

    @property
    def process_id(self) -> int | None:
        """Id of the worker while it runs."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def ask_names(self, document: Document, position: Position) -> Future[Any]:
        """Ask for the names that fit at a position; :func:`names_from` reads the result."""
        question = {"kind": "complete", "offset": document.offset_at(position)}
        return self.ask(question, document)

    def _numbers(self, future: Future[Any]) -> list[int]:
        with self._lock:
            return [number for number, item in self._waiting.items() if item[0] is future]

    # --- sending ---------------------------------------------------------------------------

    def _send_all(self) -> None:
        while True:
            item = self._outbox.get()
            if item is None:
                return
            question, document = item
            try:
                self._send(question, document)
            except (OSError, ValueError):
                self._fail(question.get("id"))

    def _send(self, question: Json, document: Document | None) -> None:
        if "id" not in question and self.process_id is None:
            return
        stream = self._running()
        if stream is None:
            self._fail(question.get("id"))
            return
        if document is not None:
            message, serial = self._document_message(document)
            if message is not None:
                stream.write(_line(message))
            question = {**question, "uri": document.uri, "serial": serial}
        stream.write(_line(question))
        stream.flush()

    def _document_message(self, document: Document) -> tuple[Json | None, int]:
        known = self._sent.get(document.uri)
        if known is not None and known[0].text == document.text:
            return None, known[1]
        serial = next(self._serials)
        self._sent[document.uri] = (document, serial)
        self._sent.move_to_end(document.uri)
        while len(self._sent) > DOCUMENTS_MAX:
            self._sent.popitem(last=False)
        if known is None:
            return {"kind": "open", "uri": document.uri, "text": document.text,
                    "version": serial}, serial  # fmt: skip
        before, after = known[0].text, document.text
        start = shared_length(before, after)
        tail = shared_length(before[start:][::-1], after[start:][::-1])
        return {
            "kind": "edit",
            "uri": document.uri,
            "start": start,
            "end": len(before) - tail,
            "text": after[start : len(after) - tail],
            "version": serial,
        }, serial

    def _running(self) -> BinaryIO | None:
        """Standard input of a worker that runs, started when needed."""
        with self._lock:
            process = self._process
            if self._closed:
                return None
            if process is not None and process.poll() is None:
                return process.stdin  # type: ignore[return-value]
            if self._is_failing():
                return None
            self._starts.append(time.monotonic())
        self._sent.clear()
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(sys.executable).parent,
            start_new_session=True,
        )
        with self._lock:
            self._process = process
        if self._is_closed():
            self._end_process()
            return None
        threading.Thread(target=self._receive, args=(process,), daemon=True).start()
        return process.stdin  # type: ignore[return-value]

    # --- receiving -------------------------------------------------------------------------

    def _receive(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            while True:
                line = stream.readline(LINE_BYTES_MAX)
                if not line:
                    break
                try:
                    message = json.loads(line)
                    self._resolve(message["id"], message["result"])
                except (ValueError, KeyError, TypeError):
                    break
        _kill(process)
        with self._lock:
            if self._process is process:
                self._process = None
            waiting = list(self._waiting)
        for number in waiting:
            self._fail(number)

    def _resolve(self, number: int, result: Any) -> None:
        with self._lock:
            item = self._waiting.pop(number, None)
        if item is not None and not item[0].done():
            item[0].set_result(result)

    def _fail(self, number: int | None) -> None:
        if number is not None:
            self._resolve(number, None)

    def _is_closed(self) -> bool:
        return self._closed

    def _is_failing(self) -> bool:
        """Whether the worker was started so often lately that another start makes no sense."""
        if self._process is not None or len(self._starts) < STARTS_MAX:
            return False
        return time.monotonic() - self._starts[0] < STARTS_PERIOD_SECONDS

    def _is_hanging(self) -> bool:
        now = time.monotonic()
        with self._lock:
            return any(now - asked > HANG_SECONDS_MAX for _, asked in self._waiting.values())

    def _end_process(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            _kill(process)


def _command(
    workspace: Path | None, cache: Path, environment: str, worker: tuple[str, ...]
) -> list[str]:
    # -I keeps the folder that the worker starts in, and PYTHON* variables, out of its imports
    program = worker or (sys.executable, "-I", "-m", "assist.analysis.worker")
    return [
        *program,
        "--workspace",
        str(workspace or ""),
        "--environment",
        environment,
        "--cache",
        os.fspath(cache),
    ]


def _line(message: Json) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def names_from(result: Any) -> tuple[Name, ...]:
    """Names of an answer of the worker; none of no answer."""
    return tuple(Name(text, kind, detail) for text, kind, detail in result or ())


def description_from(result: Any) -> Description:
    """The description of an answer of the worker."""
    if result is None:
        return Description()
    return Description(tuple(result[0]), result[1])
