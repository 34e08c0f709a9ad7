"""Reuse with an engine that writes one character at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from assist.analysis.document import Document, Edit, Span
from assist.server import messages, reuse
from assist.server.engine_process import EngineProcess
from assist.server.request import Request
from assist.server.reuse import Reuse
from assist.server.rhythm import Rhythm
from assist.server.scheduler import Lane, Priority
from assist.server.settings import Settings

pytestmark = pytest.mark.asyncio
URI = "file:///a.py"


class ScriptedEngine:
    """Writes the answer of the script for the text before the cursor, a character per ``pace_s``."""

    def __init__(self, script: dict[str, str], documents: dict[str, Document]) -> None:
        self.script = script
        self.documents = documents
        self.asked: list[str] = []
        self.cancelled: list[str] = []
        self.pace_s = 0.002

    async def is_ready(self) -> bool:
        return True

    async def complete(
        self, make: Callable[[int], messages.Complete], on_partial: Callable[[str], None]
    ) -> messages.Completed:
        message = make(1)
        text = self.documents[message.uri].text
        taken = message.selected_text or ""
        before = text[: message.selected_start] + taken
        self.asked.append(before)
        answer = next((a for key, a in self.script.items() if before.endswith(key)), "")
        try:
            for end in range(1, len(answer) + 1):
                on_partial(answer[:end])
                await asyncio.sleep(self.pace_s)
        except asyncio.CancelledError:
            self.cancelled.append(before)
            raise
        item = messages.Item(taken + answer, message.selected_start, message.offset, 0.9, "model")
        return messages.Completed(1, (item,) if answer else (), {})


class Writer:
    """A user with a document, and what the proposals answered."""

    def __init__(self, text: str, script: dict[str, str]) -> None:
        self.offset = text.index("$0")
        self.documents = {URI: Document(URI, text.replace("$0", ""))}
        self.engine = ScriptedEngine(script, self.documents)
        self.tasks: list[asyncio.Task[None]] = []
        lane: Lane[messages.Completed] = Lane(lambda _: None)
        self.answers = Reuse(
            cast(EngineProcess, self.engine),
            lane,
            lambda _: Settings(),
            self.documents,
            self.background,
            rhythm=Rhythm(),
        )

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

    def type(self, text: str) -> None:
        edit = Edit(Span(self.offset, self.offset), text)
        self.documents[URI] = self.documents[URI].apply([edit])
        self.offset += len(text)

    def ask(self) -> asyncio.Task[str]:
        request = Request(self.documents[URI], self.offset, Priority.AUTOMATIC)

        async def answer() -> str:
            completed = await self.answers.complete(request)
            return completed.items[0].text if completed and completed.items else ""

        return asyncio.create_task(answer())


async def test_typing_through_asks_the_engine_once() -> None:
    writer = Writer("x = $0\n", {"x = ": "foo(1)"})
    assert await writer.ask() == "foo(1)"
    writer.type("fo")
    assert await writer.ask() == "o(1)"
    assert writer.engine.asked == ["x = "]


async def test_a_request_joins_the_one_that_still_fits() -> None:
    writer = Writer("x = $0\n", {"x = ": "foo(1)"})
    first = writer.ask()
    await asyncio.sleep(0.006)
    writer.type("f")
    first.cancel()
    second = writer.ask()
    assert await second == "oo(1)"
    assert writer.engine.asked == ["x = "] and not writer.engine.cancelled


async def test_a_request_that_does_not_fit_is_computed_anew() -> None:
    writer = Writer("x = $0\n", {"x = ": "foo(1)", "x = b": "ar"})
    first = writer.ask()
    await asyncio.sleep(0.006)
    writer.type("b")
    first.cancel()
    assert await writer.ask() == "ar"
    assert writer.engine.cancelled == ["x = "]


async def test_a_joined_answer_that_goes_another_way_is_left() -> None:
    writer = Writer("x = $0\n", {"x = ": "fo" + "o" * 300, "x = fob": "ar"})
    first = writer.ask()
    await asyncio.sleep(0.003)
    writer.type("fob")
    first.cancel()
    assert await asyncio.wait_for(writer.ask(), 5) == "ar"


async def test_a_cancelled_request_ends_when_nobody_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reuse, "GRACE_S", 0.02)
    writer = Writer("x = $0\n", {"x = ": "f" + "o" * 3000})
    first = writer.ask()
    await asyncio.sleep(0.006)
    first.cancel()
    await asyncio.sleep(0.006)
    assert writer.engine.cancelled == ["x = "]
    second = writer.ask()
    await asyncio.sleep(0.006)
    writer.type("f")
    second.cancel()
    await asyncio.sleep(0.2)
    assert writer.engine.cancelled == ["x = "] * 2


async def test_what_follows_a_proposal_is_known_when_it_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reuse, "AHEAD_AFTER_S", 0.0)
    writer = Writer("x = $0\n", {"x = ": "foo", "x = foo": "(1)"})
    assert await writer.ask() == "foo"
    await asyncio.gather(*writer.tasks)
    writer.type("foo")
    asked = len(writer.engine.asked)
    assert await writer.ask() == "(1)"
    assert len(writer.engine.asked) == asked == 2


async def test_other_places_are_not_looked_ahead_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuse, "AHEAD_AFTER_S", 0.01)
    writer = Writer("x = $0\n", {"x = ": "foo", "x = foo": "(1)"})
    assert await writer.ask() == "foo"
    writer.type("b")
    await asyncio.gather(*writer.tasks)
    assert writer.engine.asked == ["x = "]
