"""Local statistics as figures for `assist status` and as plots in SVG; it counts nothing and reads no disk."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from assist.cache.statistics import LanguageStatistics, Statistics

WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP = 640, 200, 48, 16, 30, 14
DAYS_MAX = 60
LATENCY_EDGES_MS = (0, 50, 100, 200, 400, 800, 1600, 3200)
QUIET, STRONG = "#8fb3d9", "#2f6db3"


def statistics_section(statistics: Statistics) -> dict[str, Any]:
    """One line per language; a hint where nothing was counted yet."""
    if not statistics.languages:
        return {"proposals": "none counted yet"}
    return {part.language: _line(part) for part in statistics.languages}


def statistics_figures(statistics: Statistics) -> list[str]:
    """Plots: proposals and accepted ones by day, times until an answer, and shares by language."""
    if not statistics.languages:
        return []
    days = statistics.days[-DAYS_MAX:]
    return [
        _figure(
            "Proposals by day (light) and accepted ones (dark)",
            [day.day[5:] for day in days],
            [(day.offered, day.accepted) for day in days],
        ),
        _figure(
            "Time until a proposal, in milliseconds",
            [f"≥ {edge}" for edge in LATENCY_EDGES_MS],
            [(0, count) for count in _histogram(statistics.latencies_ms)],
        ),
        _figure(
            "Accepted (dark) and, of those, kept after 5 minutes (light), in per cent",
            [part.language for part in statistics.languages],
            [
                (_percent(part.kept_5min), _percent(part.acceptance))
                for part in statistics.languages
            ],
            top=100,
            beside=True,
        ),
    ]


def _line(part: LanguageStatistics) -> str:
    accepted = part.accepted_whole + part.accepted_line + part.accepted_word
    times = "no times"
    if part.latency_ms_p50 is not None and part.latency_ms_p95 is not None:
        times = f"{part.latency_ms_p50:.0f} ms (p95 {part.latency_ms_p95:.0f})"
    return (
        f"{part.requests} requests, {part.offered} proposals, {part.shown} shown, {accepted} accepted "
        f"({part.accepted_whole} whole, {part.accepted_line} by line, {part.accepted_word} by word), "
        f"kept {_kept(part.kept_30s)} after 30 s, {_kept(part.kept_5min)} after 5 min, {times}"
    )


def _kept(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.0f}%"


def _percent(share: float | None) -> float:
    return 100 * share if share is not None else 0.0


def _histogram(values: Sequence[float]) -> list[int]:
    upper = (*LATENCY_EDGES_MS[1:], float("inf"))
    pairs = zip(LATENCY_EDGES_MS, upper, strict=True)
    return [sum(low <= value < high for value in values) for low, high in pairs]


def _figure(
    title: str,
    names: Sequence[str],
    bars: Sequence[tuple[float, float]],
    *,
    top: float = 0.0,
    beside: bool = False,
) -> str:
    """A plot with two bars per name: the light one behind or ``beside`` the dark one."""
    top = top or max([1.0, *(max(bar) for bar in bars)])
    slot = (WIDTH - LEFT - RIGHT) / max(len(names), 1)
    scale = (HEIGHT - TOP - BOTTOM) / top
    floor = HEIGHT - BOTTOM
    parts = []
    every = max(1, round(len(names) / 12))
    for number, (name, (light, dark)) in enumerate(zip(names, bars, strict=True)):
        x, width = LEFT + number * slot + 0.1 * slot, min(0.8 * slot, 90)
        half = width / 2 if beside else width
        for value, colour, at in ((light, QUIET, x + (half if beside else 0)), (dark, STRONG, x)):
            if value:
                parts.append(
                    f'<rect x="{at:.1f}" y="{floor - value * scale:.1f}" width="{half:.1f}" '
                    f'height="{value * scale:.1f}" fill="{colour}">'
                    f"<title>{escape(name)}: {value:.0f}</title></rect>"
                )
        if number % every == 0:
            parts.append(
                f'<text x="{x + width / 2:.1f}" y="{HEIGHT - 10}" text-anchor="middle">'
                f"{escape(name)}</text>"
            )
    parts += [
        f'<path d="M{LEFT} {floor}H{WIDTH}" stroke="currentColor"/>',
        f'<text x="{LEFT - 6}" y="{TOP + 8}" text-anchor="end">{top:.0f}</text>',
        f'<text x="{LEFT - 6}" y="{floor}" text-anchor="end">0</text>',
    ]
    return (
        f"<h2>{escape(title)}</h2>\n"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'font-size="11" fill="currentColor" stroke-width="1">{"".join(parts)}</svg>'
    )
