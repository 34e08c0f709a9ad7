"""initialize, initialized and shutdown: what the client can do, when the engine starts, and that nobody outlives the editor."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

from lsprotocol import types as lsp

from assist.server.convert import encoding_of
from assist.server.features.configuration import watch_files
from assist.server.language_server import AssistServer

logger = logging.getLogger(__name__)

PARENT_POLL_S = 2.0


def register(server: AssistServer) -> None:
    session = server.session

    @server.feature(lsp.INITIALIZE)
    def initialize(params: lsp.InitializeParams) -> None:
        options = params.initialization_options
        session.client_options = options if isinstance(options, dict) else _as_dict(options)
        folders = params.workspace_folders or []
        uris = [folder.uri for folder in folders] or [params.root_uri or ""]
        session.folders = [uri for uri in uris if uri]
        # A number that means nothing here comes from an editor in another container.
        if params.process_id is not None and _is_alive(params.process_id):
            session.background(_watch_parent(params.process_id, session.leave))

    @server.feature(lsp.INITIALIZED)
    async def initialized(_params: lsp.InitializedParams) -> None:
        session.encoding = encoding_of(server.server_capabilities)
        await session.load_settings()
        session.start_engine()
        session.background(watch_files(server))
        session.background(session.record_statistics())

    @server.feature(lsp.SHUTDOWN)
    async def shutdown(_params: None) -> None:
        await session.stop()


async def _watch_parent(process_id: int, leave: asyncio.Event) -> None:
    """Leave when the editor's process has ended, even if somebody else holds its pipe open."""
    while _is_alive(process_id):
        await asyncio.sleep(PARENT_POLL_S)
    logger.warning("The editor has gone; the server leaves too.")
    leave.set()


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _as_dict(value: Any) -> dict[str, Any]:
    return value._asdict() if hasattr(value, "_asdict") else {}
