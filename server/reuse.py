"""Gets answers for the cursor: one that is known, one that is being computed and still fits, or a new one; it computes nothing itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from assist.analysis.document import Document, Span
from assist.server import messages
from assist.server.answers import Answers
from assist.server.engine_process import EngineProcess
from assist.server.request import Request
from assist.server.rhythm import Rhythm
from assist.server.scheduler import Lane, Priority
from assist.server.settings import Settings

# Editors cancel a request before they send the one for the next key: where the key is what the
# model was writing, the computation waits so long for that request.
GRACE_S = 0.1
# What follows a proposal is computed once it was on screen for a moment, if it is likely taken.
AHEAD_AFTER_S = 0.25
AHEAD_SCORE_MIN = 0.5
WAITS_MAX = 4096


@dataclass(eq=False)
class Flight:
    """A request that is being computed, and its text so far."""

    request: Request
    text: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def grew(self, text: str) -> None:
        self.text = text
        self.changed.set()

    def fits(self, typed: str | None) -> bool:
        """Whether the answer may still be what follows ``typed``."""
        return typed is not None and (self.text.startswith(typed) or typed.startswith(self.text))


@dataclass
class Reuse:
    """Answers of one session. ``background`` runs work beside everything else."""

    engine: EngineProcess
    lane: Lane[messages.Completed]
    settings_for: Callable[[str], Settings]
    documents: dict[str, Document]
    background: Callable[[Coroutine[Any, Any, None]], None]
    answers: Answers = field(default_factory=Answers)
    rhythm: Rhythm = field(default_factory=Rhythm)
    flight: Flight | None = None
    # Milliseconds that requests have waited for work of earlier ones.
    waits_ms: deque[float] = field(default_factory=lambda: deque(maxlen=WAITS_MAX))

    async def complete(self, request: Request) -> messages.Completed | None:
        """Answer to one request, none where a newer one took its place or the engine has none."""
        if request.candidates > 1:
            return await self._compute(request)
        answer = self.answers.recall(request)
        answer = answer or await self._join(request)
        if answer is None:
            if request.priority is Priority.AUTOMATIC:
                await asyncio.sleep(self.rhythm.wait_s())
            answer = await self._compute(request)
        if answer and answer.items and request.priority is Priority.AUTOMATIC:
            self.background(self._look_ahead(request, answer.items[0]))
        return answer

    def clear(self) -> None:
        """Forget all answers, for instance because another model gives them now."""
        self.answers.clear()

    async def _join(self, request: Request) -> messages.Completed | None:
        """The answer that is being computed, if what was typed since is what it began with."""
        flight = self.flight
        if (
            flight is None
            or not flight.text
            or not flight.fits(request.typed_since(flight.request))
        ):
            return None
        typed = request.typed_since(flight.request)
        shared = asyncio.ensure_future(self._submit(flight.request))
        try:
            while not shared.done() and flight.fits(typed):
                flight.changed.clear()
                changed = asyncio.ensure_future(flight.changed.wait())
                await asyncio.wait({shared, changed}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
        finally:
            shared.cancel()
        return self.answers.recall(request)

    async def _compute(self, request: Request) -> messages.Completed | None:
        started = time.monotonic()
        waiting = asyncio.ensure_future(self._submit(request))
        try:
            answer = await asyncio.shield(waiting)
        except asyncio.CancelledError:
            if self._is_typed_through(request):
                self.background(self._hold(waiting))
            else:
                waiting.cancel()
            raise
        if answer is not None:
            self.rhythm.answered(time.monotonic() - started)
        return answer

    async def _submit(self, request: Request) -> messages.Completed | None:
        """The answer through the lane, kept for later."""
        settings = self.settings_for(request.document.uri)
        submitted = time.monotonic()

        async def compute() -> messages.Completed | None:
            if not await self.engine.is_ready():
                return None
            self.flight = flight = Flight(request)
            waited_ms = (time.monotonic() - submitted) * 1e3
            try:
                answer = await self.engine.complete(
                    lambda id_: _message(id_, request, settings), flight.grew
                )
                if answer is not None:
                    waited_ms += answer.report.pop("waited_ms", 0.0)
                    answer.report["waited_ms"] = round(waited_ms, 2)
                    self.answers.remember(request, answer)
                return answer
            finally:
                self.waits_ms.append(waited_ms)
                self.flight = None
                flight.changed.set()

        uri = request.document.uri
        return await self.lane.submit(uri, request.key, request.priority, compute)

    def _is_typed_through(self, request: Request) -> bool:
        """Whether the document has grown by what the model is writing."""
        flight, document = self.flight, self.documents.get(request.document.uri)
        if flight is None or flight.request is not request or document is None:
            return False
        offset = len(document.text) - len(request.after)
        now = Request(document, max(offset, 0), request.priority)
        typed = now.typed_since(request)
        return bool(typed) and bool(flight.text) and flight.fits(typed)

    async def _hold(self, waiting: asyncio.Future[Any]) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(waiting, GRACE_S)

    async def _look_ahead(self, request: Request, item: messages.Item) -> None:
        """Compute what follows once the proposal is taken."""
        if item.score < AHEAD_SCORE_MIN:
            return
        await asyncio.sleep(AHEAD_AFTER_S)
        document = self.documents.get(request.document.uri)
        if document is not request.document or self.lane.running or self.lane.waiting:
            return
        span = Span(item.start, item.end)
        taken = Request(document, item.end, Priority.AHEAD, 1, item.text, span)
        if self.answers.recall(taken) is None:
            await self._submit(taken)


def _message(id_: int, request: Request, settings: Settings) -> messages.Complete:
    return messages.Complete(
        id=id_,
        uri=request.document.uri,
        version=request.document.version,
        offset=request.offset,
        tokens=settings.completion_tokens,
        context_tokens=settings.context_tokens,
        candidates=request.candidates,
        milliseconds=settings.completion_milliseconds,
        invoked=request.priority is Priority.INVOKED,
        threshold=settings.completion_threshold,
        monitors=settings.monitors_enabled,
        selected_text=request.selected_text,
        selected_start=request.start,
    )
