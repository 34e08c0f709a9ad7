"""Frames of the Language Server Protocol over a pipe or a loopback socket; it looks into no message."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import sys
from typing import BinaryIO

from assist.server.protocol import Protocol

logger = logging.getLogger(__name__)

MESSAGE_BYTES_MAX = 64 * 1024 * 1024
HEADER_BYTES_MAX = 4096
CHUNK_BYTES = 1024 * 1024


class StreamWriter:
    """pygls' writer over an asyncio transport: never blocks, loses nothing."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        self._transport.close()


class FileWriter:
    """pygls' writer over a regular file, for output that was redirected."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()

    def close(self) -> None:
        self._file.flush()


async def serve_stdio(protocol: Protocol) -> None:
    """Serve one client on standard input and output until it leaves.

    Standard output is moved away first, so that a stray print cannot break the protocol.
    """
    source, target = _own_stdio()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=HEADER_BYTES_MAX)
    if _is_stream(source):
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
    else:
        reader.feed_data(await asyncio.to_thread(source.read, MESSAGE_BYTES_MAX))
        reader.feed_eof()
    writer: StreamWriter | FileWriter = FileWriter(target)
    if _is_stream(target):
        transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, target)
        writer = StreamWriter(transport)
    protocol.set_writer(writer)
    await receive_messages(protocol, reader)


async def receive_messages(protocol: Protocol, reader: asyncio.StreamReader) -> None:
    """Hand every message to the protocol until the stream ends or the client said exit."""
    while protocol.exit_code is None:
        try:
            length = await _read_headers(reader)
            if length is None:
                return
            body = await _read_body(reader, length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        await protocol.receive(body)
        # Messages that wait already must not keep everything else from running.
        await asyncio.sleep(0)


async def _read_headers(reader: asyncio.StreamReader) -> int | None:
    """Length of the next body; none at the end. Lines that are no header are skipped."""
    length = -1
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            await reader.read(max(error.consumed, 1))
            continue
        except asyncio.IncompleteReadError:
            return None
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
        elif not line.strip() and length >= 0:
            return length
        elif not line.strip():
            logger.warning("Ignored a message without Content-Length.")


async def _read_body(reader: asyncio.StreamReader, length: int) -> bytes:
    """The body; one that is too long is read past and becomes an empty one, which is refused."""
    if length <= MESSAGE_BYTES_MAX:
        return await reader.readexactly(length)
    while length > 0:
        length -= len(await reader.readexactly(min(length, CHUNK_BYTES)))
    return b""


def _own_stdio() -> tuple[BinaryIO, BinaryIO]:
    source = os.fdopen(os.dup(0), "rb", buffering=0)
    target = os.fdopen(os.dup(1), "wb", buffering=0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return source, target


def _is_stream(file: BinaryIO) -> bool:
    """Whether the event loop can wait for ``file``; it cannot for regular files and /dev/null."""
    mode = os.fstat(file.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(file.fileno())
