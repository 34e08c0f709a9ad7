"""What became of proposals on this machine, in numbers only: no code, no path, nothing leaves; it draws no conclusion."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assist.cache.paths import FILE_MODE, data_directory, private_directory
from assist.cache.rows import ProposalRow, RequestRow, day_of

if TYPE_CHECKING:
    from assist.cache.sqlite import Database

FILE_NAME = "statistics.db"
PROPOSALS = "proposals"
REQUESTS = "requests"
ROWS_MAX = 100_000
PRUNE_EVERY = 1_000
BUSY_SECONDS_MAX = 1.0
DAY_SECONDS = 86_400


@dataclass(frozen=True)
class LanguageStatistics:
    """Sums of one language. Rates are shares of 0 to 1, none where nothing was counted.

    ``offered`` proposals reached the editor; ``shown`` counts those that it said it showed.
    """

    language: str
    requests: int
    empty: int
    offered: int
    shown: int
    accepted_whole: int
    accepted_line: int
    accepted_word: int
    accepted_characters: int
    acceptance: float | None
    kept_30s: float | None
    kept_5min: float | None
    latency_ms_p50: float | None
    latency_ms_p95: float | None


@dataclass(frozen=True)
class DayStatistics:
    """Sums of one day over all languages."""

    day: str
    offered: int
    accepted: int
    accepted_characters: int


@dataclass(frozen=True)
class Statistics:
    """Everything ``assist status`` draws: by language (most used first), by day, and all latencies."""

    languages: tuple[LanguageStatistics, ...]
    days: tuple[DayStatistics, ...]
    latencies_ms: tuple[float, ...]


def open_statistics() -> StatisticsStore:
    """The statistics of this user."""
    return StatisticsStore(data_directory() / FILE_NAME)


class StatisticsStore:
    """A database of this user, shared by every process; a broken disk costs numbers, never an error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = 0

    def write(self, proposals: Iterable[ProposalRow], requests: Iterable[RequestRow] = ()) -> bool:
        """Add or replace proposals by id, and add to the counts of requests; false when it failed."""
        try:
            with self._open() as connection:
                database = self._database(connection)
                rows = [asdict(row) for row in proposals]
                if rows:
                    database[PROPOSALS].upsert_all(rows, pk="id")
                for row in requests:
                    connection.execute(_ADD_REQUESTS, asdict(row))
                self._written += len(rows)
                if self._written >= PRUNE_EVERY:
                    self._written = 0
                    connection.execute(_PRUNE, [ROWS_MAX])
        except (OSError, sqlite3.Error):
            return False
        return True

    def read(self, days: int = 90, now: float | None = None) -> Statistics:
        """Sums over the last ``days``."""
        since = (time.time() if now is None else now) - days * DAY_SECONDS
        try:
            if not self.path.exists():
                return Statistics((), (), ())
            with self._open() as connection:
                database = self._database(connection)
                rows = [
                    ProposalRow(**row)
                    for row in database[PROPOSALS].rows_where("at >= ?", [since], order_by="at")
                ]
                counts = [
                    RequestRow(**row)
                    for row in database[REQUESTS].rows_where("day >= ?", [day_of(since)])
                ]
        except (OSError, sqlite3.Error, TypeError):
            return Statistics((), (), ())
        return _summary(rows, counts)

    def clear(self) -> None:
        """Forget everything."""
        for path in self.path.parent.glob(f"{self.path.name}*"):
            with suppress(OSError):
                path.unlink()

    def _open(self) -> _Connection:
        private_directory(self.path.parent)
        if not self.path.exists():
            self.path.touch(mode=FILE_MODE)
        return _Connection(self.path)

    def _database(self, connection: sqlite3.Connection) -> Database:
        # Imported late: the language server needs the rows of this module, not the database.
        from assist.cache.sqlite import Database

        database = Database(connection)
        self._create(database)
        return database

    def _create(self, database: Database) -> None:
        columns: dict[str, Any] = {
            "id": str, "at": float, "language": str, "model": str, "origin": str, "trigger": str,
            "latency_ms": float, "characters": int, "lines": int, "shown": int, "accepted": str,
            "accepted_characters": int, "kept_30s": float, "kept_5min": float,
        }  # fmt: skip
        database[PROPOSALS].create(columns, pk="id", if_not_exists=True)
        counts: dict[str, Any] = {"day": str, "language": str, "requests": int, "empty": int}
        database[REQUESTS].create(counts, pk=("day", "language"), if_not_exists=True)


class _Connection:
    """A connection that commits and closes."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS_MAX)

    def __enter__(self) -> sqlite3.Connection:
        return self._connection

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._connection.commit()
        self._connection.close()


def _summary(rows: list[ProposalRow], counts: list[RequestRow]) -> Statistics:
    languages = sorted({row.language for row in rows} | {row.language for row in counts})
    parts = [_language(name, rows, counts) for name in languages]
    days = sorted({day_of(row.at) for row in rows})
    return Statistics(
        tuple(sorted(parts, key=lambda part: -part.requests)),
        tuple(_day(day, rows) for day in days),
        tuple(row.latency_ms for row in rows),
    )


def _language(
    name: str, all_rows: list[ProposalRow], all_counts: list[RequestRow]
) -> LanguageStatistics:
    rows = [row for row in all_rows if row.language == name]
    counts = [row for row in all_counts if row.language == name]
    shown = sum(row.shown for row in rows)
    accepted = {
        kind: sum(row.accepted == kind for row in rows) for kind in ("whole", "line", "word")
    }
    latencies = sorted(row.latency_ms for row in rows)
    base = shown or len(rows)
    return LanguageStatistics(
        language=name,
        requests=sum(row.requests for row in counts),
        empty=sum(row.empty for row in counts),
        offered=len(rows),
        shown=shown,
        accepted_whole=accepted["whole"],
        accepted_line=accepted["line"],
        accepted_word=accepted["word"],
        accepted_characters=sum(row.accepted_characters for row in rows),
        acceptance=min(sum(accepted.values()) / base, 1.0) if base else None,
        kept_30s=_mean([row.kept_30s for row in rows if row.kept_30s is not None]),
        kept_5min=_mean([row.kept_5min for row in rows if row.kept_5min is not None]),
        latency_ms_p50=_quantile(latencies, 0.5),
        latency_ms_p95=_quantile(latencies, 0.95),
    )


def _day(day: str, all_rows: list[ProposalRow]) -> DayStatistics:
    rows = [row for row in all_rows if day_of(row.at) == day]
    return DayStatistics(
        day,
        len(rows),
        sum(bool(row.accepted) for row in rows),
        sum(row.accepted_characters for row in rows),
    )


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _quantile(ordered: list[float], share: float) -> float | None:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else None


_ADD_REQUESTS = f"""
insert into {REQUESTS} (day, language, requests, empty) values (:day, :language, :requests, :empty)
on conflict (day, language) do update
set requests = requests + excluded.requests, empty = empty + excluded.empty
"""
_PRUNE = f"""
delete from {PROPOSALS} where id not in (select id from {PROPOSALS} order by at desc limit ?)
"""
