"""The real server reads what the next request needs while nobody asks: on open, after an edit, where the cursor rests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from lsprotocol import types as lsp

from support.lsp import ANSWER_S_MAX, Editor, editor

pytestmark = [pytest.mark.model, pytest.mark.asyncio]

LINES = 300
LONG = "".join(f"value_{number} = {number}\n" for number in range(LINES))
OTHER = "file:///project/other.py"


async def check(session: Editor, is_reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait until the figures of the engine's cache are as wanted, without a single request."""
    async with asyncio.timeout(ANSWER_S_MAX):
        while True:
            status = await session.command("assist.status")
            cache = session.plain(status["engine"]).get("cache") or {}
            if cache and is_reached(cache):
                return dict(cache)
            await asyncio.sleep(0.2)


def at_rest(polls: int = 10) -> Callable[[dict[str, Any]], bool]:
    """Whether nothing was evaluated for some time."""
    seen: list[int] = []

    def is_reached(cache: dict[str, Any]) -> bool:
        seen.append(cache["evaluated"] + cache["refreshed"])
        return len(seen) >= polls and len(set(seen[-polls:])) == 1

    return is_reached


async def test_an_opened_document_is_read() -> None:
    async with editor() as session:
        session.open(LONG)
        cache = await check(session, lambda cache: cache["tokens"] > 400)
        assert cache["document"] == session.uri


async def test_an_edited_place_is_read_and_costs_nothing_when_asked_for() -> None:
    async with editor() as session:
        session.open(LONG)
        before = await check(session, lambda cache: cache["tokens"] > 400)
        session.change((LINES, 0), (LINES, 0), "total = value_1")
        await check(session, lambda cache: cache["evaluated"] > before["evaluated"])
        await check(session, at_rest())
        await session.ghost_texts(LINES, 15, is_invoked=True)
        report = session.plain(await session.command("assist.lastCompletion"))
        assert report["tokens"]["evaluated"] < report["tokens"]["prompt"] / 2


async def test_the_place_where_the_cursor_rests_is_read() -> None:
    async with editor() as session:
        session.open("a = 1\n")
        session.open(LONG, uri=OTHER)
        await check(session, lambda cache: cache["document"] == OTHER)
        place = lsp.Range(lsp.Position(0, 5), lsp.Position(0, 5))
        await session.client.text_document_code_action_async(
            lsp.CodeActionParams(
                lsp.TextDocumentIdentifier(session.uri), place, lsp.CodeActionContext([])
            )
        )
        await check(session, lambda cache: cache["document"] == session.uri)


async def test_a_paused_document_is_not_read() -> None:
    async with editor(settings={"completion": {"languages": ["c"]}}) as session:
        await session.wait_for("ready")
        session.open(LONG)
        session.open("x = 1\n", uri="file:///project/a.c", language="c")
        cache = await check(session, lambda cache: cache["document"] != "")
        assert cache["document"] == "file:///project/a.c"
