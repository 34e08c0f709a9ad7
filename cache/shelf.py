"""Where documents rest that are not in a model's memory: parked in this process and, with a store, on disk; it never touches a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from assist.cache.parked import (
    MEMORY_BYTES_MAX,
    Parked,
    ParkedDocuments,
    pack_parked,
    unpack_parked,
)
from assist.cache.store import StateStore


class Shelf:
    """Documents of one model, by name; ``fingerprint`` is what their states depend on.

    At most ``memory_bytes_max`` of them rest in memory; the store has a bound of its own.
    """

    def __init__(
        self,
        fingerprint: str,
        store: StateStore | None = None,
        memory_bytes_max: int = MEMORY_BYTES_MAX,
    ) -> None:
        self.parked = ParkedDocuments(memory_bytes_max)
        self._fingerprint = fingerprint
        self._store = store

    @property
    def has_disk(self) -> bool:
        return self._store is not None

    def take(self, document: str) -> Parked | None:
        """What is known of a document, from memory, where it is removed, or else from disk."""
        parked = self.parked.take(document)
        if parked is not None or self._store is None:
            return parked
        data = self._store.get(document, self._fingerprint)
        return unpack_parked(data) if data is not None else None

    def put(self, document: str, parked: Parked) -> None:
        """Park a document in memory."""
        self.parked.put(document, parked)

    def write(self, document: str, parked: Parked) -> None:
        """Write one document to disk, where there is one."""
        if self._store is not None:
            self._store.put(document, self._fingerprint, *pack_parked(parked))

    def write_parked(self, abort: Callable[[], bool] | None = None) -> bool:
        """Write what rests in memory and is not on disk yet; false when ``abort`` interrupted it."""
        while self.has_disk and (document := self.parked.unstored()) is not None:
            if abort is not None and abort():
                return False
            parked = self.parked.peek(document)
            assert parked is not None
            self.write(document, parked)
            self.parked.put(document, replace(parked, stored=True))
        return True

    def forget(self, document: str) -> None:
        """Drop a document from memory and disk."""
        self.parked.take(document)
        if self._store is not None:
            self._store.forget(document, self._fingerprint)
