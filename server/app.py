"""The language server as a program: registers the features and runs until the client leaves; it answers nothing itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from lsprotocol import types as lsp

from assist.server.features import (
    acceptance,
    commands,
    completion,
    configuration,
    documents,
    inline_completion,
    lifecycle,
    status,
    suggestions,
)
from assist.server.language_server import AssistServer
from assist.server.transport import StreamWriter, receive_messages, serve_stdio

logger = logging.getLogger(__name__)

FEATURES = (
    lifecycle,
    documents,
    configuration,
    inline_completion,
    completion,
    acceptance,
    commands,
    status,
    suggestions,
)


def create_server() -> AssistServer:
    """A server with every feature registered."""
    server = AssistServer()
    for feature in FEATURES:
        feature.register(server)
    _prepare(server)
    return server


def _prepare(server: AssistServer) -> None:
    """Convert a first request and its answer: cattrs writes code for every type when it first meets it.

    That takes longer than a step of the event loop may, and here there is no loop yet.
    """
    converter = server.protocol._converter
    features = ("completion", "inlineCompletion", "synchronization", "codeAction")
    capabilities: dict[str, Any] = {"workspace": {}, "window": {}, "general": {}}
    capabilities["textDocument"] = {key: {} for key in features}
    request: dict[str, Any] = {"jsonrpc": "2.0", "id": 0, "method": lsp.INITIALIZE}
    request["params"] = {"capabilities": capabilities}
    converter.structure(request, lsp.InitializeRequest)
    synchronization = lsp.TextDocumentSyncOptions(change=lsp.TextDocumentSyncKind.Incremental)
    result = lsp.InitializeResult(lsp.ServerCapabilities(text_document_sync=synchronization))
    converter.unstructure(lsp.InitializeResponse(id=0, result=result))


def run_stdio() -> int:
    """Serve standard input and output; returns the exit code."""
    # Made before there is a loop that it could hold.
    return asyncio.run(_run_stdio(create_server()))


def run_tcp(host: str, port: int) -> int:
    """Serve one client on a socket; returns the exit code."""
    return asyncio.run(_run_tcp(create_server(), host, port))


async def _run_stdio(server: AssistServer) -> int:
    if sys.stdin.isatty():
        sys.stderr.write("assist speaks with an editor here. Ctrl-C ends it.\n")
    return await _until_exit(server, serve_stdio(server.protocol))


async def _run_tcp(server: AssistServer, host: str, port: int) -> int:
    connection: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
        asyncio.get_running_loop().create_future()
    )

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if connection.done():
            writer.close()
        else:
            connection.set_result((reader, writer))

    async with await asyncio.start_server(accept, host, port) as listener:
        address = listener.sockets[0].getsockname()
        sys.stderr.write(f"assist listens on {address[0]}:{address[1]}\n")
        sys.stderr.flush()
        reader, writer = await connection
        listener.close()
        server.protocol.set_writer(StreamWriter(writer.transport))
        return await _until_exit(server, receive_messages(server.protocol, reader))


async def _until_exit(server: AssistServer, receive: Coroutine[None, None, None]) -> int:
    """Run until the client said exit, its stream ended, or its process died."""
    with contextlib.suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.session.leave.set)
    server.session.engine.prepare()
    receiving = asyncio.create_task(receive)
    leaving = asyncio.create_task(server.session.leave.wait())
    try:
        await asyncio.wait([receiving, leaving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        receiving.cancel()
        leaving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await receiving
        await server.session.stop()
        if server.protocol.writer is not None:
            server.protocol.writer.close()
            await asyncio.sleep(0)
    return 1 if server.protocol.exit_code is None else server.protocol.exit_code
