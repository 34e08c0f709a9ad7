"""The editor's completion list: names of the real jedi worker, and the proposal of the real model."""

from __future__ import annotations

import pytest
from lsprotocol import types as lsp

from support.lsp import Editor, editor

REQUESTS_MAX = 10

pytestmark = [pytest.mark.model, pytest.mark.asyncio]


async def check(session: Editor, text: str, *, language: str = "python") -> list[str]:
    """Labels of the list at ``$0``."""
    return [item.label for item in await complete(session, text, language)]


async def complete(
    session: Editor, text: str, language: str = "python", *, wanted: str = ""
) -> list[lsp.CompletionItem]:
    """The list at ``$0``; asked again until it has ``wanted``, because a cold jedi may take a while."""
    before, _, after = text.partition("$0")
    session.open(before + after, language=language)
    line, column = before.count("\n"), len(before.rsplit("\n", 1)[-1])
    params = lsp.CompletionParams(
        lsp.TextDocumentIdentifier(session.uri),
        lsp.Position(line, column),
        context=lsp.CompletionContext(lsp.CompletionTriggerKind.Invoked),
    )
    for _ in range(REQUESTS_MAX):
        result = await session.client.text_document_completion_async(params)
        assert isinstance(result, lsp.CompletionList)
        if not wanted or any(item.label == wanted for item in result.items):
            break
    return list(result.items)


async def test_names_with_types_and_documentation() -> None:
    async with editor() as session:
        items = await complete(session, "import json\njson.dum$0", wanted="dumps")
        names = {item.label: item for item in items}
        assert names["dumps"].kind == lsp.CompletionItemKind.Function
        resolved = await session.client.completion_item_resolve_async(names["dumps"])
        assert isinstance(resolved.documentation, lsp.MarkupContent)
        assert "obj" in resolved.documentation.value
        assert "JSON" in resolved.documentation.value


async def test_an_entry_of_an_older_list_is_not_confused_with_a_newer_one() -> None:
    async with editor() as session:
        old = await complete(session, "import json\njson.dum$0", wanted="dumps")
        await complete(session, "import os\nos.path.jo$0", wanted="join")
        entry = next(item for item in old if item.label == "dumps")
        resolved = await session.client.completion_item_resolve_async(entry)
        assert resolved.documentation is None


async def test_the_proposal_is_an_entry_that_editors_can_filter() -> None:
    async with editor() as session:
        await session.wait_for("ready")
        text = "def add(a, b):\n    return a + b\n\n\ndef mul(first, b):\n    return fir$0"
        proposal = (await complete(session, text))[0]
        assert proposal.detail == "assist" and proposal.label.startswith("fir")
        assert isinstance(proposal.text_edit, lsp.TextEdit)
        assert proposal.text_edit.new_text == proposal.filter_text
        assert proposal.text_edit.range.start.character == 11


async def test_other_languages_get_the_proposal_only() -> None:
    async with editor() as session:
        await session.wait_for("ready")
        items = await complete(
            session, "int add(int a, int b) {\n    return a$0\n}\n", language="c"
        )
        assert all(item.detail == "assist" for item in items)


async def test_names_can_be_turned_off() -> None:
    async with editor(settings={"names": {"enabled": False}}) as session:
        assert "dumps" not in await check(session, "import json\njson.dum$0")
