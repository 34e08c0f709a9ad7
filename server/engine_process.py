"""Supervises the engine process: starts it, talks to it, replaces it when it crashes or hangs; it never computes an answer itself."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from assist.analysis.document import Document
from assist.server import messages
from assist.server.messages import Message, MessageError, encode
from assist.server.pipes import read_message
from assist.server.settings import Settings

logger = logging.getLogger(__name__)

EngineStatus = Literal["loading", "ready", "problem", "stopped"]

PING_S = 0.25
# A process that is alive answers a ping at once, whatever its native code does. It is counted in
# our own ticks: where the machine is so busy that we are late ourselves, the engine may be too.
PONGS_MISSED_MAX = 5
# Before the first answer an interpreter starts and imports, which a busy machine makes slow.
START_S_MAX = 30.0
# The lane has stalled when it did not move for this long, and for longer than ever before.
STALL_S_MIN = 2.0
STALL_FACTOR = 10
CANCEL_S_MAX = 1.0
# The first names of a large package take jedi a while; an editor asks again anyway.
NAMES_S_MAX = 4.0
TERMINATE_S_MAX = 0.5
CRASHES_MAX = 3
CRASH_WINDOW_S = 60.0
STDERR_LINES_MAX = 20
WRITE_BYTES_MAX = 256 * 1024 * 1024


@dataclass(frozen=True)
class EngineState:
    """What the engine is doing: ``message`` is for the user, ``model`` is none until it is loaded."""

    status: EngineStatus
    message: str = ""
    fraction: float = 0.0
    model: messages.Ready | None = None


@dataclass
class EngineProcess:
    """The supervised engine.

    ``greeting`` gives what a new process must know: folders and the server's copies of documents.
    ``on_state`` hears every change of state.
    """

    greeting: Callable[[], Iterable[messages.ToEngine]]
    on_state: Callable[[EngineState], None]
    state: EngineState = EngineState("loading", "Waiting for the editor")
    figures: dict[str, Any] = field(default_factory=dict)
    restarts: int = 0
    _process: asyncio.subprocess.Process | None = None
    _settings: Settings = field(default_factory=Settings)
    _settings_known: asyncio.Event = field(default_factory=asyncio.Event)
    # Whether the process was told folders, documents and settings; before that it hears nothing.
    _greeted: bool = False
    _answers: dict[int, asyncio.Future[messages.Answer | None]] = field(default_factory=dict)
    _partial: dict[int, Callable[[str], None]] = field(default_factory=dict)
    _next_id: int = 0
    _crashes: deque[float] = field(default_factory=lambda: deque(maxlen=CRASHES_MAX))
    _stderr: deque[str] = field(default_factory=lambda: deque(maxlen=STDERR_LINES_MAX))
    _pongs: int = 0
    _stalled_s: float = 0.0
    _stall_s_max: float = 0.0
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _supervisor: asyncio.Task[None] | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pid(self) -> int | None:
        """Process id, none where no process listens yet or any more."""
        process = self._process if self._greeted else None
        return process.pid if process and process.returncode is None else None

    def prepare(self) -> None:
        """Start the process, which loads its libraries and waits for the settings of :meth:`start`."""
        if self._supervisor is None:
            self._stopping.clear()
            self._supervisor = asyncio.create_task(self._supervise())

    def start(self, settings: Settings) -> None:
        """Start the process and keep it alive until :meth:`stop`; nothing if it was started."""
        if not self._settings_known.is_set():
            self._settings = settings
            self._settings_known.set()
            self.prepare()

    async def restart(self, settings: Settings) -> None:
        """Replace the process by one with new settings; running requests end without an answer."""
        await self.stop()
        self._crashes.clear()
        self.start(settings)

    async def stop(self) -> None:
        """End the process: politely by closing its pipe, then by force."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                await asyncio.wait_for(self._process.wait(), TERMINATE_S_MAX)
            except TimeoutError:
                self._kill()
        if self._supervisor is not None:
            await self._supervisor
            self._supervisor = None
        self._settings_known.clear()
        self._set_state(EngineState("stopped"))

    async def is_ready(self) -> bool:
        """Wait until the model is in memory; false when that will not happen by itself."""
        while self.state.status == "loading":
            await self._changed.wait()
        return self.state.status == "ready"

    def send(self, message: Message) -> None:
        """Queue a message; nothing happens while no process listens."""
        process = self._process if self._greeted else None
        if process is None or process.returncode is not None or process.stdin is None:
            return
        transport = process.stdin.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > WRITE_BYTES_MAX:
            logger.error("The engine does not read any more; it is replaced.")
            self._kill()
            return
        process.stdin.write(encode(message))

    async def complete(
        self,
        make: Callable[[int], messages.Complete],
        on_partial: Callable[[str], None] | None = None,
    ) -> messages.Completed | None:
        """Answer of one request, none where it was stopped or the process died.

        Cancelling the awaiting task stops the computation: it returns once the lane is free,
        or kills a process that does not stop.
        """
        answer = await self._ask(make, CANCEL_S_MAX, on_partial)
        return answer if isinstance(answer, messages.Completed) else None

    async def names(self, uri: str, offset: int) -> tuple[messages.NameItem, ...]:
        """Names that fit at a place; empty where they are not known in time."""
        answer = await self._ask_quickly(lambda id_: messages.AskNames(id_, uri, offset))
        return answer.names if isinstance(answer, messages.Names) else ()

    async def describe(self, uri: str, index: int) -> messages.Described | None:
        """Signatures and documentation of the ``index``-th name of the last answer for ``uri``."""
        answer = await self._ask_quickly(lambda id_: messages.AskDescription(id_, uri, index))
        return answer if isinstance(answer, messages.Described) else None

    async def _ask_quickly(
        self, make: Callable[[int], messages.ToEngine]
    ) -> messages.Answer | None:
        async def ask() -> messages.Answer | None:
            while self.pid is None and self.state.status == "loading":
                await self._changed.wait()
            return await self._ask(make)

        try:
            return await asyncio.wait_for(ask(), NAMES_S_MAX)
        except TimeoutError:
            return None

    async def _ask(
        self,
        make: Callable[[int], messages.ToEngine],
        cancel_s_max: float | None = None,
        on_partial: Callable[[str], None] | None = None,
    ) -> messages.Answer | None:
        """Answer to one message. ``cancel_s_max``: how long a cancelled one may go on, none: for ever."""
        if self.pid is None:
            return None
        self._next_id += 1
        id_ = self._next_id
        future: asyncio.Future[messages.Answer | None] = asyncio.get_running_loop().create_future()
        self._answers[id_] = future
        if on_partial is not None:
            self._partial[id_] = on_partial
        self.send(make(id_))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            self.send(messages.Cancel(id_))
            if cancel_s_max is not None:
                done, _ = await asyncio.wait([future], timeout=cancel_s_max * _patience())
                if not done:
                    logger.error(
                        "The engine did not stop within %s s; it is replaced.", cancel_s_max
                    )
                    self._kill()
            raise
        finally:
            self._answers.pop(id_, None)
            self._partial.pop(id_, None)

    async def _supervise(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._run_once()
            except OSError as error:
                self._set_state(EngineState("problem", f"The engine cannot be started: {error}."))
                return
            if self._stopping.is_set():
                return
            self._end_answers()
            self.restarts += 1
            now = time.monotonic()
            if len(self._crashes) == CRASHES_MAX and now - self._crashes[0] < CRASH_WINDOW_S:
                self._set_state(EngineState("problem", self._crash_message()))
                return
            self._crashes.append(now)

    async def _run_once(self) -> None:
        """One life of the process."""
        if self._settings_known.is_set():
            self._set_state(EngineState("loading", "Starting the engine"))
        self._stderr.clear()
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            # Never import from the current directory, which may be the user's workspace.
            "-P",
            "-m",
            "assist.server.engine_worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/" if os.name == "posix" else None,
        )
        if self._stopping.is_set():
            # Asked to stop while the process was being made, when there was nothing to stop yet.
            self._kill()
        assert process.stdout is not None and process.stderr is not None
        self._pongs = 0
        self._stalled_s = 0.0
        errors = asyncio.create_task(self._collect_errors(process.stderr))
        watch: asyncio.Task[None] | None = None
        try:
            if await self._knows_settings():
                self._greeted = True
                self._set_state(EngineState("loading", "Starting the engine"))
                self._has_changed()
                for message in self.greeting():
                    self.send(message)
                self.send(messages.Load(asdict(self._settings)))
                watch = asyncio.create_task(self._watch())
                await self._receive_all(process.stdout)
        except MessageError as error:
            logger.error("The engine talks nonsense (%s); it is replaced.", error)
        finally:
            self._greeted = False
            if watch is not None:
                watch.cancel()
            self._kill()
            code = await process.wait()
            await asyncio.wait([errors], timeout=TERMINATE_S_MAX)
            self._end_answers()
        if not self._stopping.is_set():
            logger.error("The engine ended (%s). %s", code, " | ".join(self._stderr))

    async def _knows_settings(self) -> bool:
        """Wait for the settings; false when the engine is stopped before they come."""
        waits = [asyncio.ensure_future(e.wait()) for e in (self._settings_known, self._stopping)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return not self._stopping.is_set()

    async def _receive_all(self, stdout: asyncio.StreamReader) -> None:
        while (message := await read_message(stdout)) is not None:
            self._receive(message)

    def _receive(self, message: Message) -> None:
        match message:
            case messages.Loading():
                self._set_state(EngineState("loading", message.message, message.fraction))
            case messages.Ready():
                self._set_state(EngineState("ready", model=message))
            case messages.Failed():
                self._set_state(EngineState("problem", message.message))
            case messages.Partial():
                if on_partial := self._partial.get(message.id):
                    on_partial(message.text)
            case messages.Completed() | messages.Names() | messages.Described():
                self._resolve(message.id, message)
            case messages.Stopped():
                if message.message:
                    logger.error("A completion failed: %s", message.message)
                self._resolve(message.id, None)
            case messages.Pong():
                self._pongs += 1
                self._stalled_s, self._stall_s_max = message.stalled_s, message.stall_s_max
                self.figures = message.figures
            case _:
                raise MessageError(f"{type(message).__name__} is no message of the engine")

    async def _watch(self) -> None:
        """Kill a process that answers no ping, or whose lane stands still."""
        missed = 0
        for number in range(sys.maxsize):
            pongs = self._pongs
            self.send(messages.Ping(number))
            await asyncio.sleep(PING_S)
            missed = missed + 1 if self._pongs == pongs else 0
            patience = _patience()
            missed_max = PONGS_MISSED_MAX * patience if self._pongs else START_S_MAX / PING_S
            stall_s_max = max(STALL_S_MIN * patience, STALL_FACTOR * self._stall_s_max)
            if missed >= missed_max or self._stalled_s > stall_s_max:
                logger.error("The engine hangs; it is replaced.")
                self._kill()
                return

    async def _collect_errors(self, stderr: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await stderr.readline()
            except ValueError:
                continue
            if not line:
                return
            self._stderr.append(line.decode("utf-8", "replace").rstrip())

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def _resolve(self, id_: int, answer: messages.Answer | None) -> None:
        future = self._answers.get(id_)
        if future is not None and not future.done():
            future.set_result(answer)

    def _end_answers(self) -> None:
        for id_ in list(self._answers):
            self._resolve(id_, None)

    def _set_state(self, state: EngineState) -> None:
        if state != self.state:
            self.state = state
            self._has_changed()
            self.on_state(state)

    def _has_changed(self) -> None:
        """Wake everybody who waits for another state or process."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _crash_message(self) -> str:
        return (
            f"The engine crashed {CRASHES_MAX + 1} times. Choose another model or look at the "
            "log; a change of the settings or the command assist.restart starts it again."
        )


def _patience() -> float:
    """How much slower than alone a process may be, because others want the same cores."""
    if not hasattr(os, "getloadavg"):
        return 1.0
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def opened(document: Document) -> messages.Opened:
    return messages.Opened(document.uri, document.language, document.version, document.text)
