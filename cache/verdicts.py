"""Remembers what a search for a faster version found, so that a second run is quick; it never interprets what it keeps."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from assist.cache.paths import cache_directory, private_directory
from assist.cache.sqlite import Database

FILE_NAME = "verdicts.db"
TABLE = "searches"
ENTRIES_MAX = 20_000
ENTRIES_DROPPED = 2_000
VALUE_BYTES_MAX = 4 << 20
BUSY_SECONDS_MAX = 1.0

Result = TypeVar("Result")


class VerdictStore:
    """Searches by a key that covers everything they depend on; least recently used ones go first.

    Every method bears a missing, full, read-only or damaged file: then nothing is found and
    nothing is kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, key: str) -> dict[str, Any] | None:
        """What was last put under the key."""

        def read(database: Database) -> dict[str, Any] | None:
            rows = list(database[TABLE].rows_where("key = ?", [key]))
            if not rows:
                return None
            database[TABLE].update(key, {"used": time.time()})
            value = json.loads(rows[0]["value"])
            return value if isinstance(value, dict) else None

        return self._with(read)

    def put(self, key: str, value: dict[str, Any]) -> None:
        """Keep a value that can be written as JSON."""
        text = json.dumps(value)
        if len(text) > VALUE_BYTES_MAX:
            return

        def write(database: Database) -> None:
            row = {"key": key, "value": text, "used": time.time()}
            database[TABLE].upsert(row, pk="key")
            if database[TABLE].count > ENTRIES_MAX:
                database.execute(
                    f"delete from {TABLE} where key in "
                    f"(select key from {TABLE} order by used limit {ENTRIES_DROPPED})"
                )
                database.conn.commit()

        self._with(write)

    def _with(self, action: Callable[[Database], Result]) -> Result | None:
        try:
            private_directory(self.path.parent)
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS_MAX)
            try:
                self.path.chmod(0o600)
                database = Database(connection)
                if not database[TABLE].exists():
                    columns = {"key": str, "value": str, "used": float}
                    database[TABLE].create(columns, pk="key", if_not_exists=True)
                result = action(database)
                connection.commit()
                return result
            finally:
                connection.close()
        except sqlite3.DatabaseError as error:
            if "malformed" in str(error) or "not a database" in str(error):
                self.path.unlink(missing_ok=True)
            return None
        except (OSError, ValueError):
            return None


def open_verdicts() -> VerdictStore:
    """The store in the user's cache directory."""
    return VerdictStore(cache_directory() / FILE_NAME)
