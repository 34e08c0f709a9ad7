"""Writes statistics to disk in a thread of its own, so that nothing waits for a disk; it counts nothing itself."""

from __future__ import annotations

import queue
import threading

from assist.cache.statistics import open_statistics
from assist.server.messages import Record

WAITING_MAX = 100
CLOSE_S_MAX = 0.4


class StatisticsWriter:
    """The thread starts with the first record."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Record | None] = queue.Queue(WAITING_MAX)
        self._thread: threading.Thread | None = None

    def put(self, record: Record) -> None:
        """Write soon; dropped where the disk is too slow."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_all, daemon=True)
            self._thread.start()
        if not self._waiting.full():
            self._waiting.put(record)

    def close(self) -> None:
        """Write what waits, within a bounded time."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(CLOSE_S_MAX)

    def _write_all(self) -> None:
        store = open_statistics()
        while (record := self._waiting.get()) is not None:
            store.write(record.proposals, record.requests)
