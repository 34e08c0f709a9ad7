"""One session from initialize to exit, as a client counts in UTF-16 and as one that counts in UTF-8, on text where they differ."""

from __future__ import annotations

from typing import Any

import pytest
from lsprotocol import types as lsp

from support.lsp import Editor, editor

pytestmark = [pytest.mark.model, pytest.mark.asyncio]

BEFORE = 'NAME = "naïve 😀 café"\n\n\ndef list_names(folder):\n    return sorted(folder)\n\n\n'
LINE = 'x = "😀"; label = "é😀" + str(fol'
URI = "file:///project/walk.py"
REQUESTS_MAX = 10


def units(text: str, encoding: str) -> int:
    """Length of ``text`` in the code units of ``encoding``."""
    return len(text.encode("utf-16-le")) // 2 if encoding == "utf-16" else len(text.encode())


async def check(encoding: str) -> list[dict[str, Any]]:
    """Walk through the protocol; returns the statuses that the server reported."""
    async with editor(encodings=[encoding], uri=URI, folders=["file:///project"]) as session:
        await session.wait_for("ready")
        session.open(BEFORE)
        line = BEFORE.count("\n")
        await type_line(session, line, encoding)
        column = units(LINE, encoding)

        inline = await session.inline(line, column, is_invoked=True)
        items = inline.items if isinstance(inline, lsp.InlineCompletionList) else inline or []
        for item in items:
            assert item.range is None or item.range.end == lsp.Position(line, column)

        place = lsp.Position(4, units("    return sorted(fol", encoding))
        assert "folder" in await names_at(session, place)

        last = await session.command("assist.lastCompletion")
        assert last["tokens"]["prompt"] > 0
        status = await session.command("assist.status")
        assert status["documents"] == 1
        session.client.workspace_did_change_configuration(
            lsp.DidChangeConfigurationParams({"assist": {"completion": {"tokens": 16}}})
        )
        session.client.text_document_did_save(
            lsp.DidSaveTextDocumentParams(lsp.TextDocumentIdentifier(URI))
        )
        session.client.text_document_did_close(
            lsp.DidCloseTextDocumentParams(lsp.TextDocumentIdentifier(URI))
        )
        assert (await session.command("assist.status"))["documents"] == 0
        return session.statuses


async def names_at(session: Editor, place: lsp.Position) -> set[str]:
    """Labels at a place; a cold jedi on a busy machine may need more than one request."""
    for _ in range(REQUESTS_MAX):
        names = await session.client.text_document_completion_async(
            lsp.CompletionParams(lsp.TextDocumentIdentifier(URI), place)
        )
        labels = {item.label for item in names.items} if names else set()
        if "folder" in labels:
            break
    return labels


async def type_line(session: Editor, line: int, encoding: str) -> None:
    """One incremental change per character, as an editor sends them."""
    column = 0
    for character in LINE:
        session.change((line, column), (line, column), character)
        column += units(character, encoding)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8"])
async def test_from_initialize_to_exit(encoding: str) -> None:
    statuses = await check(encoding)
    assert [status["state"] for status in statuses].count("problem") == 0
