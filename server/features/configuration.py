"""Settings and folders as the editor has them: pulled at start, pulled again when they change; it gives no setting a meaning."""

from __future__ import annotations

import logging
from typing import Any

from lsprotocol import types as lsp

from assist.server.language_server import AssistServer
from assist.server.settings import SECTION

logger = logging.getLogger(__name__)


def register(server: AssistServer) -> None:
    session = server.session

    async def pull() -> dict[str, Any]:
        """The editor's section per folder uri; the key "" is for documents outside any folder."""
        workspace = server.client_capabilities.workspace
        if workspace is None or not workspace.configuration:
            return {}
        scopes = ["", *session.folders]
        items = [lsp.ConfigurationItem(scope_uri=uri or None, section=SECTION) for uri in scopes]
        answers = await server.workspace_configuration_async(lsp.ConfigurationParams(items=items))
        return dict(zip(scopes, answers, strict=False))

    session.pull_configuration = pull

    @server.feature(lsp.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change(params: lsp.DidChangeConfigurationParams) -> None:
        if isinstance(params.settings, dict):
            session.pushed = params.settings.get(SECTION)
        await session.load_settings()

    @server.feature(lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    async def did_change_folders(params: lsp.DidChangeWorkspaceFoldersParams) -> None:
        removed = {folder.uri for folder in params.event.removed}
        added = [folder.uri for folder in params.event.added]
        session.folders = [uri for uri in session.folders if uri not in removed] + added
        await session.load_settings()
