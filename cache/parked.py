"""Documents that are parked in memory: their tokens and the bytes of their keys and values, least recently used first out; it never loads one into a model."""

from __future__ import annotations

import json
import struct
from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from assist.cache.tokens import TokenBuffer

State: TypeAlias = bytes | bytearray | memoryview

MEMORY_BYTES_MAX = 256 << 20
LENGTH = struct.Struct("<Q")


@dataclass(frozen=True)
class Parked:
    """A document's cache outside the model: what it holds, and the model's own bytes of it.

    ``stored`` says that the same bytes are on disk.
    """

    buffer: TokenBuffer
    state: State
    stored: bool = False

    @property
    def bytes(self) -> int:
        return len(self.state) + self.buffer.tokens.nbytes * 3


class ParkedDocuments:
    """Parked documents by name, at most ``bytes_max`` together."""

    def __init__(self, bytes_max: int = MEMORY_BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self.evicted = 0
        self.bytes = 0
        self._documents: OrderedDict[str, Parked] = OrderedDict()

    def __len__(self) -> int:
        return len(self._documents)

    def put(self, document: str, parked: Parked) -> list[tuple[str, Parked]]:
        """Park a document; returns those that had to go for it, possibly itself."""
        self.take(document)
        self._documents[document] = parked
        self.bytes += parked.bytes
        gone = []
        while self._documents and self.bytes > self.bytes_max:
            name, oldest = self._documents.popitem(last=False)
            self.bytes -= oldest.bytes
            gone.append((name, oldest))
        self.evicted += len(gone)
        return gone

    def take(self, document: str) -> Parked | None:
        """Remove and return a document."""
        parked = self._documents.pop(document, None)
        if parked is not None:
            self.bytes -= parked.bytes
        return parked

    def unstored(self) -> str | None:
        """A document whose bytes are not on disk yet."""
        names = (name for name, parked in self._documents.items() if not parked.stored)
        return next(names, None)

    def peek(self, document: str) -> Parked | None:
        return self._documents.get(document)


def pack_parked(parked: Parked) -> tuple[bytes, State]:
    """Blocks of bytes that :func:`unpack_parked` reads as one; the state, which is large, is not copied."""
    buffer = parked.buffer
    head = json.dumps({"length": len(buffer), "exact": buffer.exact}).encode()
    arrays = np.stack([buffer.tokens, buffer.positions, buffer.changes]).astype("<i4").tobytes()
    return LENGTH.pack(len(head)) + head + arrays, parked.state


def unpack_parked(data: State) -> Parked | None:
    """What :func:`pack_parked` wrote; none when the bytes are something else."""
    try:
        (size,) = LENGTH.unpack_from(data)
        head = json.loads(bytes(data[LENGTH.size : LENGTH.size + size]))
        length, exact = int(head["length"]), int(head["exact"])
        start = LENGTH.size + size
        arrays = np.frombuffer(data, "<i4", 3 * length, start).reshape(3, length).astype(np.int32)
    except (struct.error, ValueError, KeyError, TypeError):
        return None
    tokens, positions, changes = arrays
    state = data[start + arrays.nbytes :]
    return Parked(TokenBuffer(tokens, positions, changes, min(exact, length)), state, stored=True)
