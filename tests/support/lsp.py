"""An editor for tests: the real language server in its own process, spoken to through pytest-lsp's client."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp
from pytest_lsp import LanguageClient
from pytest_lsp.client import make_test_lsp_client

from assist.models.registry import find_installed

SERVER = [sys.executable, "-P", "-m", "assist.server.cli", "serve"]
EMBEDDED = "smollm2-135m-fim"
URI = "file:///project/sample.py"
ANSWER_S_MAX = 60
# What is tested is the answer, on machines of any speed, and not whether it is worth showing.
PATIENCE = {"ASSIST_COMPLETION_MILLISECONDS": "60000", "ASSIST_COMPLETION_THRESHOLD": "eager"}


def model_file() -> str:
    """The embedded model's file; skips the test where there is none."""
    path = os.environ.get("TEST_MODEL_FILE", "")
    if not path:
        installed = find_installed(EMBEDDED)
        path = installed.file.path if installed else ""
    if not Path(path).is_file():
        pytest.skip("the embedded model is not on this machine; run `make model`")
    return path


class Editor:
    """What a test does in an editor, and what came back from the server."""

    def __init__(self, client: LanguageClient, uri: str) -> None:
        self.client = client
        self.uri = uri
        self.version = 0
        self.statuses: list[dict[str, Any]] = []

        @client.feature("assist/status")
        def on_status(params: Any) -> None:
            self.statuses.append(params._asdict())

    def open(self, text: str, *, uri: str | None = None, language: str = "python") -> None:
        self.version += 1
        item = lsp.TextDocumentItem(uri or self.uri, language, self.version, text)
        self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))

    def change(self, start: tuple[int, int], end: tuple[int, int], text: str) -> None:
        """One incremental change between two (line, character) places."""
        self.version += 1
        range_ = lsp.Range(lsp.Position(*start), lsp.Position(*end))
        self.client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(version=self.version, uri=self.uri),
                [lsp.TextDocumentContentChangePartial(range=range_, text=text)],
            )
        )

    async def ghost_texts(
        self,
        line: int,
        character: int,
        *,
        is_invoked: bool = False,
        selected: lsp.SelectedCompletionInfo | None = None,
        uri: str | None = None,
    ) -> list[str]:
        """Texts of the inline completions at a place."""
        result = await self.inline(line, character, is_invoked, selected, uri)
        items = result.items if isinstance(result, lsp.InlineCompletionList) else result or ()
        return [str(item.insert_text) for item in items]

    async def inline(
        self,
        line: int,
        character: int,
        is_invoked: bool = False,
        selected: lsp.SelectedCompletionInfo | None = None,
        uri: str | None = None,
    ) -> Any:
        kinds = lsp.InlineCompletionTriggerKind
        params = lsp.InlineCompletionParams(
            lsp.InlineCompletionContext(kinds.Invoked if is_invoked else kinds.Automatic, selected),
            lsp.TextDocumentIdentifier(uri or self.uri),
            lsp.Position(line, character),
        )
        async with asyncio.timeout(ANSWER_S_MAX):
            return await self.client.text_document_inline_completion_async(params)

    def notify(self, method: str, params: Any) -> None:
        """A notification that the protocol does not have."""
        self.client.protocol.notify(method, params)

    def plain(self, value: Any) -> Any:
        """A value of the protocol as the JSON it came as."""
        return self.client.protocol._converter.unstructure(value)

    def cancel_all(self) -> None:
        """Cancel every request that has no answer yet."""
        for id_, future in self.client.protocol._request_futures.items():
            if not future.done():
                self.client.cancel_request(lsp.CancelParams(id_))

    async def command(self, name: str, *arguments: Any) -> Any:
        params = lsp.ExecuteCommandParams(name, list(arguments) or None)
        async with asyncio.timeout(ANSWER_S_MAX):
            return await self.client.workspace_execute_command_async(params)

    async def wait_for(self, state: str) -> None:
        """Wait for a status notification with this state."""
        async with asyncio.timeout(ANSWER_S_MAX):
            while not any(status["state"] == state for status in self.statuses):
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def editor(
    *,
    encodings: list[str] | None = None,
    settings: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    environment: dict[str, str] | None = None,
    folders: list[str] | None = None,
    uri: str = URI,
    reviews_edits: bool = False,
) -> AsyncIterator[Editor]:
    """A session with a server from initialize to exit, with the embedded model."""
    client = make_test_lsp_client()
    client.set_configuration({"assist": settings or {}})
    result = Editor(client, uri)
    variables = os.environ | {"ASSIST_MODEL_NAME": model_file()} | PATIENCE | (environment or {})
    await client.start_io(*SERVER, env=variables)
    kinds = [lsp.PositionEncodingKind(name) for name in encodings or ["utf-16"]]
    capabilities = lsp.ClientCapabilities(
        general=lsp.GeneralClientCapabilities(position_encodings=kinds),
        workspace=lsp.WorkspaceClientCapabilities(
            configuration=True,
            workspace_folders=True,
            apply_edit=True,
            workspace_edit=lsp.WorkspaceEditClientCapabilities(
                document_changes=True,
                change_annotation_support=lsp.ChangeAnnotationsSupportOptions()
                if reviews_edits
                else None,
            ),
        ),
        window=lsp.WindowClientCapabilities(work_done_progress=True),
        text_document=lsp.TextDocumentClientCapabilities(
            code_action=lsp.CodeActionClientCapabilities(
                data_support=True,
                resolve_support=lsp.ClientCodeActionResolveOptions(["command"]),
            ),
            completion=lsp.CompletionClientCapabilities(
                completion_item=lsp.ClientCompletionItemOptions(
                    documentation_format=[lsp.MarkupKind.Markdown]
                )
            ),
        ),
    )
    await client.initialize_session(
        lsp.InitializeParams(
            capabilities=capabilities,
            process_id=os.getpid(),
            initialization_options=options,
            workspace_folders=[lsp.WorkspaceFolder(uri, uri) for uri in folders or []],
        )
    )
    try:
        yield result
    finally:
        async with asyncio.timeout(ANSWER_S_MAX):
            if client._server is not None and client._server.returncode is None:
                await client.shutdown_session()
            else:
                client._stop_event.set()
