"""Plots of `assist bench edits` as SVG: time to the first token by kind of edit, agreement by edits since the last refresh; it computes no figure."""

from __future__ import annotations

import io
import statistics
from collections.abc import Sequence
from typing import Any

from assist.server.bench.edit_summary import EditRow

COLOURS = ("#8a8a8a", "#c08a2e", "#2b6cb0", "#2f855a", "#b83280")


def draw_figures(rows: Sequence[EditRow]) -> list[str]:
    """SVG texts; none when matplotlib is not there."""
    try:
        import matplotlib
    except ImportError:
        return []
    matplotlib.use("svg")
    from matplotlib import pyplot

    figures = [_latencies(pyplot, rows)]
    if any(row.policy == "shift" and row.kl == row.kl for row in rows):
        figures.append(_agreement(pyplot, rows))
    return figures


def _latencies(pyplot: Any, rows: Sequence[EditRow]) -> str:
    kinds = list(dict.fromkeys(row.kind for row in rows))
    policies = list(dict.fromkeys(row.policy for row in rows))
    figure, axes = pyplot.subplots(figsize=(11, 4.5))
    width = 0.8 / len(policies)
    for number, policy in enumerate(policies):
        values = [
            [r.milliseconds for r in rows if (r.kind, r.policy) == (k, policy)] for k in kinds
        ]
        places = [kind + (number - (len(policies) - 1) / 2) * width for kind in range(len(kinds))]
        colour = COLOURS[number % len(COLOURS)]
        boxes = axes.boxplot(
            values, positions=places, widths=width * 0.85, patch_artist=True, showfliers=False
        )
        for box in boxes["boxes"]:
            box.set_facecolor(colour)
        axes.plot([], [], color=colour, linewidth=6, label=policy)
    axes.set_yscale("log")
    axes.set_ylabel("time to the first token, ms")
    axes.set_xticks(range(len(kinds)), kinds)
    axes.legend(ncols=len(policies), loc="upper center", bbox_to_anchor=(0.5, 1.13), frameon=False)
    return _svg(pyplot, figure)


def _agreement(pyplot: Any, rows: Sequence[EditRow]) -> str:
    shift = [row for row in rows if row.policy == "shift" and row.kl == row.kl]
    counts = sorted({row.since_refresh for row in shift})
    by_count = {count: [row for row in shift if row.since_refresh == count] for count in counts}
    figure, left = pyplot.subplots(figsize=(8, 3.5))
    kl = [statistics.mean(row.kl for row in by_count[count]) for count in counts]
    left.plot(counts, kl, marker="o", color=COLOURS[2])
    left.set_xlabel("edits since the last refresh")
    left.set_ylabel("mean KL from a full recompute", color=COLOURS[2])
    left.set_ylim(bottom=0)
    right = left.twinx()
    top1 = [100 * statistics.mean(row.top1 for row in by_count[count]) for count in counts]
    right.plot(counts, top1, marker="s", color=COLOURS[3])
    right.set_ylabel("same favourite token, %", color=COLOURS[3])
    right.set_ylim(0, 101)
    left.set_xticks(counts)
    return _svg(pyplot, figure)


def _svg(pyplot: Any, figure: Any) -> str:
    target = io.StringIO()
    figure.savefig(target, format="svg", bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
    text = target.getvalue()
    return text[text.index("<svg") :]
