"""Settings and folders as the editor has them: pulled at start, pulled again when they change; it gives no setting a meaning."""

from __future__ import annotations

import logging
from typing import Any

from lsprotocol import types as lsp

from assist.analysis.languages import SUFFIXES
from assist.analysis.workspace_files import GIT_IGNORE, OWN_IGNORE
from assist.server import messages
from assist.server.language_server import AssistServer
from assist.server.session import Session
from assist.server.settings import SECTION
from assist.server.watching import CHANGES_MAX, report_changes

logger = logging.getLogger(__name__)


PROJECT_FILE = "pyproject.toml"
WATCHED = (
    "**/*.{" + ",".join(suffix.removeprefix(".") for suffix in SUFFIXES) + "}",
    f"**/{PROJECT_FILE}",
    f"**/{GIT_IGNORE}",
    f"**/{OWN_IGNORE}",
)


async def watch_files(server: AssistServer) -> None:
    """Ask the editor to tell when files change that it does not edit; where it cannot, look ourselves."""
    workspace = server.client_capabilities.workspace
    watching = workspace.did_change_watched_files if workspace else None
    configuring = workspace.did_change_configuration if workspace else None
    wanted: list[lsp.Registration] = []
    if watching and watching.dynamic_registration:
        watchers = [lsp.FileSystemWatcher(pattern) for pattern in WATCHED]
        method = lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES
        options = lsp.DidChangeWatchedFilesRegistrationOptions(watchers)
        wanted.append(lsp.Registration("assist-files", method, options))
    else:
        session = server.session

        async def report(uris: tuple[str, ...]) -> None:
            await _files_changed(session, uris)

        session.background(report_changes(lambda: session.folders, report))
    if configuring and configuring.dynamic_registration:
        method = lsp.WORKSPACE_DID_CHANGE_CONFIGURATION
        section = lsp.DidChangeConfigurationRegistrationOptions(section=SECTION)
        wanted.append(lsp.Registration("assist-configuration", method, section))
    if wanted:
        await server.client_register_capability_async(lsp.RegistrationParams(wanted))


async def _files_changed(session: Session, uris: tuple[str, ...]) -> None:
    session.engine.send(messages.FilesChanged(uris[:CHANGES_MAX]))
    if any(uri.endswith(PROJECT_FILE) for uri in uris):
        await session.load_settings()


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

    def show_problems() -> None:
        for problem in session.problems:
            logger.warning("%s", problem)
        if session.problems:
            more = len(session.problems) - 1
            text = session.problems[0] + (f" ({more} more in the log)" if more else "")
            server.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Warning, text))

    session.on_problems = show_problems

    @server.feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def did_change_files(params: lsp.DidChangeWatchedFilesParams) -> None:
        await _files_changed(session, tuple(event.uri for event in params.changes))

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
