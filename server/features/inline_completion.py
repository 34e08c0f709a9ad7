"""textDocument/inlineCompletion: ghost text at the cursor; it computes nothing and caches nothing."""

from __future__ import annotations

import logging
from itertools import zip_longest

from lsprotocol import types as lsp

from assist.analysis.document import Document, Span
from assist.server import messages
from assist.server.convert import Encoding, offset_from, range_to, span_from
from assist.server.features.acceptance import accept_command
from assist.server.language_server import AssistServer
from assist.server.scheduler import Priority
from assist.server.session import Request

logger = logging.getLogger(__name__)


def register(server: AssistServer) -> None:
    session = server.session

    @server.feature(lsp.TEXT_DOCUMENT_INLINE_COMPLETION, lsp.InlineCompletionOptions())
    async def inline_completion(
        params: lsp.InlineCompletionParams,
    ) -> lsp.InlineCompletionList | None:
        document = session.documents.get(params.text_document.uri)
        if document is None:
            logger.warning("No proposal: the document is not open.")
            return None
        session.focus(document.uri)
        await session.settled()
        if session.is_paused(document):
            return None
        settings = session.settings_for(document.uri)
        is_invoked = params.context.trigger_kind == lsp.InlineCompletionTriggerKind.Invoked
        offset = offset_from(document, params.position, session.encoding)
        selected = params.context.selected_completion_info
        request = Request(
            document,
            offset,
            Priority.INVOKED if is_invoked else Priority.AUTOMATIC,
            candidates=settings.completion_candidates if is_invoked else 1,
            selected_text=selected.text if selected else None,
            selected=span_from(document, selected.range, session.encoding) if selected else None,
        )
        answer = await session.complete(request)
        if not answer.items:
            return None
        items = [
            _item(document, item, id_, session.encoding)
            for item, id_ in zip_longest(answer.items, answer.ids)
            if _is_on_one_line(document, Span(item.start, item.end))
        ]
        return lsp.InlineCompletionList(items=items)


def _item(
    document: Document, item: messages.Item, id_: str | None, encoding: Encoding
) -> lsp.InlineCompletionItem:
    return lsp.InlineCompletionItem(
        insert_text=item.text,
        range=range_to(document, Span(item.start, item.end), encoding),
        command=accept_command(id_),
    )


def _is_on_one_line(document: Document, span: Span) -> bool:
    return document.position_at(span.start).line == document.position_at(span.end).line
