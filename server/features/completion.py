"""textDocument/completion and its resolve: names with their types, and the model's proposal as one entry; it knows no language itself."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any

from lsprotocol import types as lsp

from assist.analysis.document import Document, Span
from assist.server import messages
from assist.server.convert import Encoding, offset_from, range_to
from assist.server.features.acceptance import accept_command
from assist.server.language_server import AssistServer
from assist.server.scheduler import Priority
from assist.server.session import Request
from assist.server.settings import Settings

OPTIONS = lsp.CompletionOptions(trigger_characters=["."], resolve_provider=True)
NAMES_LANGUAGE = "python"
# How long the list waits for the model: an editor that shows ghost text gets the proposal there.
PROPOSAL_S_MAX = 1.0
PROPOSAL_WITH_GHOST_TEXT_S_MAX = 0.05
LABEL_CODE_POINTS_MAX = 60
_WORD = re.compile(r"\w*\Z")
_KINDS = {
    "module": lsp.CompletionItemKind.Module,
    "class": lsp.CompletionItemKind.Class,
    "function": lsp.CompletionItemKind.Function,
    "instance": lsp.CompletionItemKind.Variable,
    "param": lsp.CompletionItemKind.Variable,
    "property": lsp.CompletionItemKind.Property,
    "keyword": lsp.CompletionItemKind.Keyword,
    "path": lsp.CompletionItemKind.File,
}


def register(server: AssistServer) -> None:
    session = server.session

    @server.feature(lsp.TEXT_DOCUMENT_COMPLETION, OPTIONS)
    async def completion(params: lsp.CompletionParams) -> lsp.CompletionList | None:
        document = session.documents.get(params.text_document.uri)
        if document is None:
            return None
        session.focus(document.uri)
        await session.settled()
        settings = session.settings_for(document.uri)
        offset = offset_from(document, params.position, session.encoding)
        is_invoked = (
            params.context is not None
            and params.context.trigger_kind == lsp.CompletionTriggerKind.Invoked
        )
        proposing = asyncio.ensure_future(_propose(document, offset))
        try:
            names = await _names(document, offset, settings)
            wait_s = PROPOSAL_WITH_GHOST_TEXT_S_MAX if _has_ghost_text() else PROPOSAL_S_MAX
            await asyncio.wait([proposing], timeout=None if is_invoked and not names else wait_s)
            proposal = proposing.result() if proposing.done() else None
        finally:
            proposing.cancel()
        serial = session.names_serial
        items = [_name_item(name, index, document.uri, serial) for index, name in enumerate(names)]
        if proposal is not None:
            item = _proposal_item(document, proposal[0], session.encoding, _reads_markdown())
            item.command = accept_command(proposal[1])
            items.insert(0, item)
        return lsp.CompletionList(is_incomplete=not proposing.done() or not names, items=items)

    @server.feature(lsp.COMPLETION_ITEM_RESOLVE)
    async def resolve(item: lsp.CompletionItem) -> lsp.CompletionItem:
        data: Any = item.data
        if isinstance(data, dict) and data.get("serial") == session.names_serial:
            described = await session.engine.describe(str(data["uri"]), int(data["index"]))
            if described is not None:
                _describe(item, described, _reads_markdown())
        return item

    async def _names(
        document: Document, offset: int, settings: Settings
    ) -> tuple[messages.NameItem, ...]:
        if document.language != NAMES_LANGUAGE or not settings.names_enabled:
            return ()
        session.names_serial += 1
        return await session.engine.names(document.uri, offset)

    async def _propose(document: Document, offset: int) -> tuple[messages.Item, str | None] | None:
        if session.is_paused(document):
            return None
        with contextlib.suppress(asyncio.CancelledError):
            answer = await session.complete(Request(document, offset, Priority.LIST))
            if answer.items:
                return answer.items[0], answer.ids[0] if answer.ids else None
        return None

    def _reads_markdown() -> bool:
        capabilities = server.client_capabilities.text_document
        completion = capabilities.completion if capabilities else None
        formats = completion and completion.completion_item
        kinds = (formats.documentation_format if formats else None) or ()
        return lsp.MarkupKind.Markdown in kinds

    def _has_ghost_text() -> bool:
        capabilities = server.client_capabilities.text_document
        return bool(capabilities and capabilities.inline_completion)


def _name_item(name: messages.NameItem, index: int, uri: str, serial: int) -> lsp.CompletionItem:
    return lsp.CompletionItem(
        label=name.text,
        kind=_KINDS.get(name.kind),
        detail=name.detail or None,
        sort_text=f"1{index:04}",
        data={"uri": uri, "serial": serial, "index": index},
    )


def _proposal_item(
    document: Document, item: messages.Item, encoding: Encoding, is_markdown: bool
) -> lsp.CompletionItem:
    """The proposal with the word before the cursor, because editors filter by that word."""
    word = _WORD.search(document.text, max(0, item.start - LABEL_CODE_POINTS_MAX), item.start)
    typed = word[0] if word else ""
    text = typed + item.text
    first = text.strip().split("\n", 1)[0]
    label = first if len(first) <= LABEL_CODE_POINTS_MAX else first[:LABEL_CODE_POINTS_MAX] + "…"
    span = Span(item.start - len(typed), item.end)
    block = lsp.MarkupContent(lsp.MarkupKind.Markdown, f"```{document.language}\n{text}\n```")
    return lsp.CompletionItem(
        label=label,
        kind=lsp.CompletionItemKind.Snippet,
        detail="assist",
        documentation=block if is_markdown else text,
        sort_text="0",
        filter_text=text,
        text_edit=lsp.TextEdit(range_to(document, span, encoding), text),
        insert_text_mode=lsp.InsertTextMode.AsIs,
    )


def _describe(item: lsp.CompletionItem, described: messages.Described, is_markdown: bool) -> None:
    signatures, text = "\n".join(described.signatures), described.documentation
    if not signatures and not text:
        return
    if is_markdown:
        parts = [f"```{NAMES_LANGUAGE}\n{signatures}\n```" if signatures else "", _fenced(text)]
        value = "\n\n".join(filter(None, parts))
        item.documentation = lsp.MarkupContent(lsp.MarkupKind.Markdown, value)
    else:
        item.documentation = "\n\n".join(filter(None, [signatures, text]))


def _fenced(text: str) -> str:
    """Plain text that Markdown leaves alone."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}" if text else ""
