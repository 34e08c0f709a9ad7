"""Statistics as text and as plots."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from assist.cache.rows import ProposalRow, RequestRow
from assist.cache.statistics import StatisticsStore
from assist.server.reports.statistics import statistics_figures, statistics_section

NOW = 1_700_000_000.0


def check(path: Path, rows: list[ProposalRow]) -> tuple[dict[str, str], list[ElementTree.Element]]:
    """The section, and the plots as XML."""
    store = StatisticsStore(path / "statistics.db")
    store.write(rows, [RequestRow("2023-11-14", "python", 9, 4)] if rows else [])
    statistics = store.read(now=NOW)
    plots = [plot[plot.index("<svg") :] for plot in statistics_figures(statistics)]
    return statistics_section(statistics), [ElementTree.fromstring(plot) for plot in plots]


def row(number: int, latency_ms: float, accepted: bool) -> ProposalRow:
    kept = 0.75 if accepted else None
    return ProposalRow(
        *(str(number), NOW - 60 * number, "python", "m", "model", "automatic", latency_ms, 9, 1),
        shown=True,
        accepted="whole" if accepted else "",
        accepted_characters=9 * accepted,
        kept_30s=kept,
    )


def test_nothing_counted_is_said(tmp_path: Path) -> None:
    section, plots = check(tmp_path, [])
    assert section == {"proposals": "none counted yet"} and not plots


def test_a_line_and_three_plots(tmp_path: Path) -> None:
    section, plots = check(tmp_path, [row(1, 30, True), row(2, 150, False), row(3, 9000, False)])
    assert "9 requests, 3 proposals, 3 shown, 1 accepted" in section["python"]
    assert "kept 75% after 30 s, unknown after 5 min" in section["python"]
    titles = [[rect[0].text for rect in plot.iter("rect")] for plot in plots]
    assert titles[0][0].endswith(": 3") and titles[0][1].endswith(": 1")
    assert titles[1] == ["≥ 0: 1", "≥ 100: 1", "≥ 3200: 1"]
    assert titles[2] == ["python: 33"]
