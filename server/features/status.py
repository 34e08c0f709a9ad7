"""What the editor shows about the server: `assist/status` notifications, and progress while the model loads; it changes nothing."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from typing import Any, Literal

from lsprotocol import types as lsp

from assist.server.language_server import AssistServer
from assist.server.memory import resident_mb
from assist.server.reports.models import model_rows

logger = logging.getLogger(__name__)

STATUS_METHOD = "assist/status"
State = Literal["loading", "ready", "thinking", "paused", "problem"]
# Work that is over sooner is not worth a flicker in the status bar.
THINKING_DELAY_S = 0.15


def register(server: AssistServer) -> None:
    session = server.session
    sent: list[dict[str, Any]] = []
    pending: list[asyncio.TimerHandle] = []
    progress = Progress(server)

    def send() -> None:
        pending.clear()
        status = summary_of(server)
        if sent != [status]:
            sent[:] = [status]
            server.protocol.notify(STATUS_METHOD, status)

    def changed() -> None:
        progress.update()
        if not pending:
            loop = asyncio.get_running_loop()
            pending.append(loop.call_later(THINKING_DELAY_S if session.is_busy else 0, send))

    session.on_change = changed


def summary_of(server: AssistServer) -> dict[str, Any]:
    """``assist/status``: ``{"state": State, "message": str, "model": str | None, "version": str}``.

    ``paused`` speaks of the document that had the last request; ``message`` is for the user and
    says what to do about a ``problem``.
    """
    engine = server.session.engine.state
    return {
        "state": _state(server),
        "message": engine.message,
        "model": engine.model.model if engine.model else None,
        "version": server.version,
    }


async def status_of(server: AssistServer) -> dict[str, Any]:
    """``assist.status``: the summary, and figures of model, engine, memory, queue and settings.

    ``models`` has the rows of ``assist models list --json``. ``versions`` are those of server and extension. ``engine.cache`` has the
    figures of :class:`assist.models.kv_session.KvStatus`, ``memory_mb`` is resident memory.
    """
    session = server.session
    engine = session.engine
    model = engine.state.model
    return {
        **summary_of(server),
        "model": None
        if model is None
        else {
            "name": model.model,
            "file": model.file,
            "template": model.template,
            "load_seconds": model.seconds,
        },
        "models": await asyncio.to_thread(model_rows),
        "engine": {"pid": engine.pid, "restarts": engine.restarts, **engine.figures},
        "memory_mb": _memory(server),
        "queue": {
            "running": session.lane.running is not None,
            "waiting": len(session.lane.waiting),
            **_waits(session.reuse.waits_ms),
        },
        "documents": len(session.documents),
        "folders": list(session.folders),
        "paused": sorted(session.paused),
        "problems": list(session.problems),
        "versions": {
            "server": server.version,
            "extension": session.client_options.get("extensionVersion"),
        },
    }


def _waits(waits_ms: Iterable[float]) -> dict[str, float]:
    """How long requests waited for work of earlier ones."""
    waits = sorted(waits_ms) or [0.0]
    return {
        "waited_ms_p95": round(waits[int(0.95 * (len(waits) - 1))], 1),
        "waited_ms_max": round(waits[-1], 1),
    }


def _memory(server: AssistServer) -> dict[str, int]:
    """Resident memory of every process of this session."""
    engine = server.session.engine
    pids = {"server": os.getpid(), "engine": engine.pid}
    for number, pid in enumerate(engine.figures.get("workers", []), 1):
        pids[f"names {number}"] = pid
    figures = {name: resident_mb(pid) for name, pid in pids.items() if pid is not None}
    return {**figures, "total": sum(figures.values())}


class Progress:
    """Work-done progress of the engine's load, where the client shows such things."""

    def __init__(self, server: AssistServer) -> None:
        self._server = server
        self._count = 0
        self._token: str | None = None

    def update(self) -> None:
        """Begin, report or end, by the engine's state."""
        state = self._server.session.engine.state
        if state.status == "loading" and self._token is None and self._is_supported():
            self._count += 1
            self._token = f"assist-load-{self._count}"
            self._server.session.background(self._begin(self._token))
        elif state.status != "loading" and self._token is not None:
            self._send(self._token, lsp.WorkDoneProgressEnd(message=state.message or None))
            self._token = None
        elif self._token is not None:
            percentage = round(state.fraction * 100)
            self._send(
                self._token,
                lsp.WorkDoneProgressReport(message=state.message, percentage=percentage),
            )

    async def _begin(self, token: str) -> None:
        await self._server.work_done_progress.create_async(token)
        if self._token == token:
            state = self._server.session.engine.state
            value = lsp.WorkDoneProgressBegin(
                title="assist", message=state.message, percentage=0, cancellable=False
            )
            self._server.work_done_progress.begin(token, value)

    def _send(self, token: str, value: object) -> None:
        if token in self._server.work_done_progress.tokens:
            self._server.protocol.notify(lsp.PROGRESS, lsp.ProgressParams(token=token, value=value))

    def _is_supported(self) -> bool:
        window = self._server.client_capabilities.window
        return bool(window and window.work_done_progress)


def _state(server: AssistServer) -> State:
    session = server.session
    status = session.engine.state.status
    if status in ("problem", "stopped"):
        return "problem" if status == "problem" else "loading"
    document = session.documents.get(session.lane.focus)
    if document and session.is_paused(document):
        return "paused"
    if status == "loading":
        return "loading"
    return "thinking" if session.is_busy else "ready"
