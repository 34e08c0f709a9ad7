"""Numbers about proposals: what is written comes back as sums, and a broken disk is ordinary."""

from __future__ import annotations

import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest

from assist.cache.rows import ProposalRow, RequestRow
from assist.cache.statistics import (
    LanguageStatistics,
    Statistics,
    StatisticsStore,
    day_of,
)

NOW = time.time()
ROW = ProposalRow("1", NOW, "python", "tiny", "model", "automatic", 100.0, 10, 1)


def check(tmp_path: Path, rows: list[ProposalRow], **expected: object) -> LanguageStatistics:
    """The sums of the only language have these values."""
    store = StatisticsStore(tmp_path / "sub" / "statistics.db")
    assert store.write(rows)
    (language,) = store.read().languages
    assert {name: getattr(language, name) for name in expected} == expected
    return language


def test_acceptance(tmp_path: Path) -> None:
    rows = [
        replace(ROW, id="1", shown=True, accepted="whole", accepted_characters=10),
        replace(ROW, id="2", shown=True, accepted="word", accepted_characters=3),
        replace(ROW, id="3", shown=True),
        replace(ROW, id="4", shown=True),
        replace(ROW, id="5"),
    ]
    check(
        tmp_path,
        rows,
        offered=5,
        shown=4,
        accepted_whole=1,
        accepted_word=1,
        accepted_line=0,
        accepted_characters=13,
        acceptance=0.5,
        kept_30s=None,
    )


def test_an_editor_that_does_not_say_what_it_shows(tmp_path: Path) -> None:
    rows = [replace(ROW, id="1", accepted="whole"), replace(ROW, id="2")]
    check(tmp_path, rows, shown=0, acceptance=0.5)


def test_a_proposal_is_replaced_by_what_became_of_it(tmp_path: Path) -> None:
    later = replace(ROW, accepted="line", kept_30s=1.0)
    check(tmp_path, [ROW, later, replace(later, kept_5min=0.5)], offered=1, kept_5min=0.5)


def test_latencies(tmp_path: Path) -> None:
    rows = [replace(ROW, id=str(i), latency_ms=float(i)) for i in range(100)]
    check(tmp_path, rows, latency_ms_p50=50.0, latency_ms_p95=95.0)


def test_requests_are_added_up(tmp_path: Path) -> None:
    store = StatisticsStore(tmp_path / "statistics.db")
    for _ in range(3):
        assert store.write([], [RequestRow(day_of(NOW), "c", 10, 4)])
    (language,) = store.read().languages
    assert (language.language, language.requests, language.empty) == ("c", 30, 12)
    assert language.acceptance is None and language.latency_ms_p50 is None


def test_days_and_the_window(tmp_path: Path) -> None:
    store = StatisticsStore(tmp_path / "statistics.db")
    old = replace(ROW, id="old", at=NOW - 100 * 86_400)
    store.write([ROW, replace(ROW, id="2", at=NOW - 86_400, accepted="whole"), old])
    statistics = store.read(days=90, now=NOW)
    assert [(day.offered, day.accepted) for day in statistics.days] == [(1, 1), (1, 0)]
    assert len(statistics.latencies_ms) == 2


def test_only_the_user_can_read_them(tmp_path: Path) -> None:
    store = StatisticsStore(tmp_path / "new" / "statistics.db")
    store.write([ROW])
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    store.clear()
    assert not store.path.exists()


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_a_damaged_file_costs_numbers_only(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "statistics.db"
    path.write_bytes(content)
    store = StatisticsStore(path)
    assert store.write([ROW]) is (content == b"")
    assert store.read().languages == () or content == b""


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = StatisticsStore(tmp_path / "file" / "statistics.db")
    assert not store.write([ROW])
    assert store.read() == Statistics((), (), ())
