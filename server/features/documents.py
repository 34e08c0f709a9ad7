"""didOpen, didChange, didClose: the editor's documents become immutable values of the session; it computes no answer."""

from __future__ import annotations

import asyncio
import logging

from lsprotocol import types as lsp

from assist.analysis.document import Document
from assist.server.convert import document_from, edit_from
from assist.server.language_server import AssistServer

logger = logging.getLogger(__name__)

# Finding the lines of a longer text would hold the event loop.
CODE_POINTS_AT_ONCE_MAX = 250_000


def register(server: AssistServer) -> None:
    session = server.session

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    def did_open(params: lsp.DidOpenTextDocumentParams) -> None:
        document = document_from(params.text_document)
        session.open(document)
        if len(document.text) > CODE_POINTS_AT_ONCE_MAX:
            session.background(_find_lines(document))

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(params: lsp.DidChangeTextDocumentParams) -> None:
        identifier = params.text_document
        document = session.documents.get(identifier.uri)
        if document is None:
            logger.warning("Ignored a change of a document that is not open.")
            return
        if params.content_changes:
            edit = edit_from(document, params.content_changes, session.encoding)
            session.change(document.apply([edit], version=identifier.version), edit)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(params: lsp.DidCloseTextDocumentParams) -> None:
        session.close(params.text_document.uri)


async def _find_lines(document: Document) -> None:
    await asyncio.to_thread(lambda: document.line_starts)
