"""didOpen, didChange, didClose: the editor's documents become immutable values of the session; it computes no answer."""

from __future__ import annotations

import logging

from lsprotocol import types as lsp

from assist.server.convert import document_from, edit_from
from assist.server.language_server import AssistServer

logger = logging.getLogger(__name__)


def register(server: AssistServer) -> None:
    session = server.session

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    def did_open(params: lsp.DidOpenTextDocumentParams) -> None:
        session.open(document_from(params.text_document))

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
