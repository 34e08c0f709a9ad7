"""pygls' server with our session and strict protocol; the object every feature is registered on, and it has no feature itself."""

from __future__ import annotations

import importlib.metadata
import logging

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

from assist.server.protocol import Protocol
from assist.server.session import Session

logger = logging.getLogger(__name__)

NAME = "assist"


class AssistServer(LanguageServer):
    """One connection with one editor."""

    protocol: Protocol

    def __init__(self) -> None:
        super().__init__(
            NAME,
            importlib.metadata.version("assist-lsp"),
            text_document_sync_kind=lsp.TextDocumentSyncKind.Incremental,
            protocol_cls=Protocol,
            converter_factory=default_converter,
        )
        self.session = Session()

    def report_server_error(self, error: Exception, source: object) -> None:
        """Log it; a message box in the editor helps nobody."""
        logger.error("%s", error)
