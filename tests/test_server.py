"""The language server in its own process, with the embedded model, as editors use it."""

from __future__ import annotations

import pytest

from support.lsp import editor

pytestmark = [pytest.mark.model, pytest.mark.asyncio]

SAMPLE = "def add(a, b):\n    return a + b\n\n\ndef mul(a, b):\n    return a"


async def check(text: str, *, encoding: str = "utf-16") -> list[str]:
    """Ghost texts at ``$0`` of a document that was typed there, character by character."""
    before, _, after = text.partition("$0")
    line = before.count("\n")
    column = before.rsplit("\n", 1)[-1]
    units = len(column.encode(f"{encoding}-le" if encoding != "utf-8" else encoding))
    units //= {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    async with editor(encodings=[encoding]) as session:
        session.open(before + after)
        return await session.ghost_texts(line, units)


async def test_ghost_text_of_the_real_model() -> None:
    texts = await check(SAMPLE + "$0\n")
    assert texts and texts[0].strip().startswith("*")


async def test_a_change_is_seen() -> None:
    async with editor() as session:
        session.open(SAMPLE)
        session.change((4, 4), (4, 7), "subtract")
        session.change((5, 12), (5, 12), " -")
        assert (await session.ghost_texts(5, 14))[0].strip() == "b"
        report = await session.command("assist.lastCompletion")
        assert report["items"][0]["start"] == {"line": 6, "column": 15}
        assert report["model"]["file"].endswith(".gguf")


async def test_status_goes_from_loading_to_ready() -> None:
    async with editor() as session:
        await session.wait_for("ready")
        assert session.statuses[0]["state"] == "loading"
        status = await session.command("assist.status")
        assert status["state"] == "ready" and status["engine"]["restarts"] == 0
