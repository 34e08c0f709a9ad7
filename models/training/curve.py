"""Draws the loss of the rounds of training as an SVG picture; it reads their logs and nothing else."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

SMOOTH = 0.9


def draw(logs: Sequence[Path], target: Path) -> None:
    """Training loss (smoothed) and validation loss over the tokens seen, round after round."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "assist"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3.6))
    seen = 0.0
    for number, log in enumerate(logs):
        with log.open(newline="") as file:
            rows = list(csv.DictReader(file))
        tokens = [seen + int(row["tokens"]) / 1e6 for row in rows]
        smoothed: list[float] = []
        for row in rows:
            loss = float(row["loss"])
            smoothed.append(SMOOTH * smoothed[-1] + (1 - SMOOTH) * loss if smoothed else loss)
        held = [
            (t, float(row["validation"]))
            for t, row in zip(tokens, rows, strict=True)
            if row["validation"]
        ]
        names = ("training middles, smoothed", "held-out middles") if number == 0 else (None, None)
        axes.plot(tokens, smoothed, color="#9db4d0", label=names[0])
        if held:
            axes.plot(*zip(*held, strict=True), "o-", color="#b3452c", label=names[1])
        seen = tokens[-1]
    axes.set_xlabel("million tokens")
    axes.set_ylabel("loss (nats per token)")
    axes.set_ylim(1.2, None)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})
