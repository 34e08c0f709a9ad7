"""Messages on the pipes between the server and its child processes, for both ends; it knows none of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import BinaryIO

from assist.server.messages import HEADER, Message, decode, decode_lengths


def own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output, moved away from descriptors 0 and 1, so that a print hurts nothing."""
    source = os.fdopen(os.dup(0), "rb")
    target = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return source, target


def read_messages(source: BinaryIO) -> Iterator[Message]:
    """Every message until the other end closes. Raises MessageError for what is none."""
    while header := source.read(HEADER.size):
        head_length, body_length = decode_lengths(header)
        yield decode(source.read(head_length), source.read(body_length))


async def read_message(reader: asyncio.StreamReader) -> Message | None:
    """The next message, none at the end. Raises MessageError for what is none."""
    try:
        head_length, body_length = decode_lengths(await reader.readexactly(HEADER.size))
        head = await reader.readexactly(head_length)
        return decode(head, await reader.readexactly(body_length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
