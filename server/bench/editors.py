"""Two editors without a screen for the typing bench: one speaks to our language server, one to the llama-server peer; they decide nothing."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from typing import Any, Protocol

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

SERVER = (sys.executable, "-P", "-m", "assist.server.cli", "serve")
START_S_MAX = 120.0
URI = "file:///typing/{name}"


@dataclass(frozen=True)
class Ghost:
    """An answer: its text (empty for none), where it came from, and the tokens it cost.

    ``waited_ms``: how long the request waited for work of earlier ones.
    """

    text: str
    origin: str = ""
    evaluated: int = 0
    generated: int = 0
    waited_ms: float = 0.0


class Editor(Protocol):
    """What the replay needs of an editor."""

    @property
    def pid(self) -> int:
        """Process whose tree does the work."""
        ...

    async def start(self) -> None: ...

    async def open(self, name: str, text: str) -> None: ...

    async def change(self, text: str, at: int, delete: int, insert: str) -> None:
        """``text`` is the document before the change."""
        ...

    async def ghost(self, text: str, at: int) -> Ghost:
        """Ghost text at an offset; cancelled by cancelling the call."""
        ...

    async def figures(self) -> dict[str, Any]:
        """What else it knows about its requests."""
        ...

    async def stop(self) -> None: ...


class LspEditor:
    """Our language server over its standard input and output."""

    def __init__(self, model: str) -> None:
        self._client = LanguageClient("assist-bench-typing", "1")
        self._environment = {"ASSIST_MODEL_NAME": model} if model else {}
        self._uri = ""
        self._version = 0
        self._ready = asyncio.Event()

        def on_status(params: Any) -> None:
            if params.state == "ready":
                self._ready.set()

        self._client.feature("assist/status")(on_status)

    @property
    def pid(self) -> int:
        process = self._client._server
        assert process is not None
        return process.pid

    async def start(self) -> None:
        await self._client.start_io(*SERVER, env=os.environ | self._environment)
        capabilities = lsp.ClientCapabilities(
            general=lsp.GeneralClientCapabilities(
                position_encodings=[lsp.PositionEncodingKind.Utf32]
            )
        )
        await self._client.initialize_async(
            lsp.InitializeParams(capabilities=capabilities, process_id=os.getpid())
        )
        self._client.initialized(lsp.InitializedParams())
        async with asyncio.timeout(START_S_MAX):
            await self._ready.wait()

    async def open(self, name: str, text: str) -> None:
        if self._uri:
            self._client.text_document_did_close(
                lsp.DidCloseTextDocumentParams(lsp.TextDocumentIdentifier(self._uri))
            )
        self._uri = URI.format(name=name)
        self._version = 1
        item = lsp.TextDocumentItem(self._uri, "python", self._version, text)
        self._client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))

    async def change(self, text: str, at: int, delete: int, insert: str) -> None:
        self._version += 1
        range_ = lsp.Range(_position(text, at - delete), _position(text, at))
        self._client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(version=self._version, uri=self._uri),
                [lsp.TextDocumentContentChangePartial(range=range_, text=insert)],
            )
        )

    async def ghost(self, text: str, at: int) -> Ghost:
        params = lsp.InlineCompletionParams(
            lsp.InlineCompletionContext(lsp.InlineCompletionTriggerKind.Automatic),
            lsp.TextDocumentIdentifier(self._uri),
            _position(text, at),
        )
        result = await self._request(lsp.TEXT_DOCUMENT_INLINE_COMPLETION, params)
        items = result.items if isinstance(result, lsp.InlineCompletionList) else result or ()
        if not items:
            return Ghost("")
        command = lsp.ExecuteCommandParams("assist.lastCompletion")
        last = await self._client.workspace_execute_command_async(command)
        report = plain(last)
        tokens = report["tokens"]
        origin = report["items"][0]["origin"] if report["items"] else ""
        return Ghost(
            str(items[0].insert_text),
            origin,
            int(tokens["evaluated"]),
            int(tokens["generated"]),
            float(report.get("waited_ms", 0.0)),
        )

    async def figures(self) -> dict[str, Any]:
        command = lsp.ExecuteCommandParams("assist.status")
        status = plain(await self._client.workspace_execute_command_async(command))
        return {key: value for key, value in status["queue"].items() if key.startswith("waited")}

    async def _request(self, method: str, params: Any) -> Any:
        """An answer; cancelling this call cancels the request at the server too."""
        before = set(self._client.protocol._request_futures)
        future = self._client.protocol.send_request(method, params)
        (number,) = set(self._client.protocol._request_futures) - before
        waiting = asyncio.wrap_future(future)
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            self._client.cancel_request(lsp.CancelParams(number))
            raise

    async def stop(self) -> None:
        await self._client.shutdown_async(None)
        self._client.exit(None)
        await self._client.stop()  # type: ignore[no-untyped-call]


def _position(text: str, offset: int) -> lsp.Position:
    line = text.count("\n", 0, offset)
    return lsp.Position(line, offset - (text.rfind("\n", 0, offset) + 1))


def plain(value: Any) -> Any:
    """Objects that pygls makes of unknown JSON, as dictionaries."""
    if hasattr(value, "_asdict"):
        return {key: plain(item) for key, item in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


async def pause_until(moment: float) -> None:
    """Sleep until a time of :func:`time.perf_counter`."""
    await asyncio.sleep(max(0.0, moment - time.perf_counter()))
