"""Saved keys and values on disk across restarts: one file per document and an index; it never knows what a state means and never raises for a broken disk."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from assist.cache.parked import State
from assist.cache.paths import FILE_MODE, cache_directory, private_directory, write_private
from assist.cache.sqlite import Database, Table

Result = TypeVar("Result")

# File: magic, length of the payload, SHA-256 of settings and payload, payload.
MAGIC = b"assist state 1\n\0"
HEADER = struct.Struct(f"<{len(MAGIC)}sQ32s")
SUFFIX = ".state"
DIRECTORY_NAME = "kv"
INDEX_NAME = "index.db"
TABLE = "states"
COUNTS = "counts"

BYTES_MAX = 1 << 30
FREE_BYTES_MIN = 256 << 20
BUSY_SECONDS_MAX = 1.0


@dataclass(frozen=True)
class StoreStats:
    """What is on disk, in files and bytes, and what happened since the store was cleared."""

    files: int = 0
    bytes: int = 0
    bytes_max: int = BYTES_MAX
    hits: int = 0
    misses: int = 0
    damaged: int = 0
    evicted: int = 0
    refused: int = 0


def open_store(bytes_max: int = BYTES_MAX) -> StateStore:
    """The store of this user."""
    return StateStore(cache_directory() / DIRECTORY_NAME, bytes_max)


class StateStore:
    """Least recently used states within ``bytes_max``, shared by every process of this user.

    ``key`` names a document, ``settings`` everything a state depends on: a state is found only
    under the settings it was stored with. Every method bears a full, read-only, missing or
    damaged directory: then nothing is found and nothing is kept.
    """

    def __init__(self, directory: Path, bytes_max: int = BYTES_MAX) -> None:
        self.directory = directory
        self.bytes_max = bytes_max

    def get(self, key: str, settings: str) -> State | None:
        """The state last put, or none; a damaged file is removed and counted."""
        name = _name(key, settings)
        path = self.directory / name
        try:
            data = path.read_bytes()
        except OSError:
            self._count("misses")
            return None
        payload = _unpacked(data, settings)
        if payload is None:
            with suppress(OSError):
                path.unlink()
            self._drop(name)
            self._count("damaged")
            return None
        self._indexed(
            lambda table: table.db.execute(
                f"update {TABLE} set used = ? where name = ?", [time.time(), name]
            )
        )
        self._count("hits")
        return payload

    def put(self, key: str, settings: str, *parts: State) -> bool:
        """Keep ``parts`` as one state and evict what is over the limit; false when it could not be kept."""
        name = _name(key, settings)
        size = HEADER.size + sum(len(part) for part in parts)
        try:
            private_directory(self.directory)
            if size > self.bytes_max or _free(self.directory) < size + FREE_BYTES_MIN:
                self._count("refused")
                return False
            write_private(self.directory / name, _header(parts, settings), *parts)
        except OSError:
            self._count("refused")
            return False
        row = {"name": name, "bytes": size, "used": time.time()}
        self._indexed(lambda table: table.upsert(row, pk="name"))
        self._evict()
        return True

    def forget(self, key: str, settings: str) -> None:
        """Remove one state."""
        name = _name(key, settings)
        with suppress(OSError):
            (self.directory / name).unlink()
        self._drop(name)

    def clear(self) -> int:
        """Remove every state and the counts; returns the bytes that were freed."""
        freed = 0
        for path in self._files():
            with suppress(OSError):
                freed += path.stat().st_size
                path.unlink()
        for path in self.directory.glob(f"{INDEX_NAME}*"):
            with suppress(OSError):
                path.unlink()
        return freed

    def stats(self) -> StoreStats:
        """Counts of files and events; files are counted on disk, not in the index."""
        sizes = []
        for path in self._files():
            with suppress(OSError):
                sizes.append(path.stat().st_size)
        counts = self._counts()
        known = {
            name: counts.get(name, 0)
            for name in ("hits", "misses", "damaged", "evicted", "refused")
        }
        return StoreStats(len(sizes), sum(sizes), self.bytes_max, **known)

    def _files(self) -> list[Path]:
        try:
            return [path for path in self.directory.iterdir() if path.suffix == SUFFIX]
        except OSError:
            return []

    def _evict(self) -> None:
        """Remove the least recently used files, and files that the index does not know."""
        entries = []
        used = {row["name"]: row["used"] for row in self._indexed(lambda t: list(t.rows)) or []}
        for path in self._files():
            with suppress(OSError):
                status = path.stat()
                entries.append((used.get(path.name, status.st_mtime), path, status.st_size))
        total = sum(size for _, _, size in entries)
        for _, path, size in sorted(entries, key=lambda entry: entry[0]):
            if total <= self.bytes_max:
                break
            with suppress(OSError):
                path.unlink()
            total -= size
            self._drop(path.name)
            self._count("evicted")

    def _drop(self, name: str) -> None:
        self._indexed(lambda table: table.delete_where("name = ?", [name]))

    def _count(self, event: str) -> None:
        def add(table: Table) -> None:
            table.db.execute(
                f"insert into {COUNTS} values (?, 1) on conflict(event) do update set count = count + 1",
                [event],
            )

        self._indexed(add)

    def _counts(self) -> dict[str, int]:
        rows = self._indexed(lambda table: list(table.db[COUNTS].rows)) or []
        return {row["event"]: row["count"] for row in rows}

    def _indexed(self, work: Callable[[Table], Result]) -> Result | None:
        """Run ``work`` on the index in one transaction; a broken index is made anew, once."""
        for _ in range(2):
            try:
                return self._on_index(work)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    return None
                with suppress(OSError):
                    (self.directory / INDEX_NAME).unlink()
            except OSError:
                return None
        return None

    def _on_index(self, work: Callable[[Table], Result]) -> Result | None:
        if not self.directory.is_dir():
            return None
        path = self.directory / INDEX_NAME
        fresh = not path.exists()
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS_MAX)
        try:
            database = Database(connection)
            if fresh:
                path.chmod(FILE_MODE)
            with connection:
                connection.execute(
                    f"create table if not exists {TABLE} (name text primary key, bytes integer, used real)"
                )
                connection.execute(
                    f"create table if not exists {COUNTS} (event text primary key, count integer)"
                )
                return work(database.table(TABLE))
        finally:
            connection.close()


def _name(key: str, settings: str) -> str:
    digest = hashlib.sha256(f"{settings}\0{key}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32] + SUFFIX


def _header(parts: Sequence[State], settings: str) -> bytes:
    return HEADER.pack(MAGIC, sum(len(part) for part in parts), _digest(parts, settings))


def _unpacked(data: bytes, settings: str) -> State | None:
    if len(data) < HEADER.size:
        return None
    magic, length, digest = HEADER.unpack_from(data)
    payload = memoryview(data)[HEADER.size :]
    if magic != MAGIC or length != len(payload) or digest != _digest((payload,), settings):
        return None
    return payload


def _digest(parts: Sequence[State], settings: str) -> bytes:
    digest = hashlib.sha256(settings.encode())
    for part in parts:
        digest.update(part)
    return digest.digest()


def _free(directory: Path) -> int:
    return shutil.disk_usage(directory).free
