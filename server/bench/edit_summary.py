"""Figures of `assist bench edits` from its rows: medians, paired ratios with their spread, agreement; it measures nothing."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from assist.server.bench.report import format_figure, share

MIX = "all"
# A favourite that leads by less than this many logits may change by rounding alone.
MARGIN_LOGITS = 0.25


@dataclass(frozen=True)
class EditRow:
    """One answer to one edit; the logits are compared with those of policy ``off``.

    ``since_refresh`` counts the edits since the shift lane was exact. ``margin`` is the lead of
    the favourite token in ``off``, in logits. A peer has no logits: ``kl`` is not a number.
    """

    number: int
    kind: str
    document: str
    policy: str
    tokens: int
    since_refresh: int
    reused: int
    shifted: int
    evaluated: int
    milliseconds: float
    kl: float
    top1: bool
    margin: float
    same_line: bool


def summarise(rows: Sequence[EditRow]) -> dict[str, Any]:
    """Figures by kind of edit (``all`` for the mix) and policy."""
    kinds = [MIX, *dict.fromkeys(row.kind for row in rows)]
    policies = list(dict.fromkeys(row.policy for row in rows))
    return {
        "edits": len({row.number for row in rows}),
        "kinds": {
            kind: {policy: _figures(rows, kind, policy) for policy in policies} for kind in kinds
        },
        "since_refresh": {
            str(since): _agreement(row for row in rows if _is_shift(row, since))
            for since in sorted({row.since_refresh for row in rows})
        },
    }


def table(summary: dict[str, Any]) -> list[dict[str, str]]:
    """One line for every kind and policy, as texts."""
    lines = []
    for kind, by_policy in summary["kinds"].items():
        for policy, figures in by_policy.items():
            if not figures:
                continue
            ratio = figures["slower_than_shift"]
            lines.append(
                {
                    "edit": kind,
                    "policy": policy,
                    "n": str(figures["edits"]),
                    "evaluated": format_figure(figures["evaluated"]),
                    "ms": f"{figures['milliseconds']:.0f}",
                    "× shift": f"{ratio['median']:.1f} ({ratio['low']:.1f}–{ratio['high']:.1f})"
                    if ratio
                    else "",
                    "KL": f"{figures['kl']:.4f}" if figures["kl"] is not None else "",
                    "top-1": _percent(figures["top1"]),
                    "same line": _percent(figures["same_line"]),
                }
            )
    return lines


def _figures(rows: Sequence[EditRow], kind: str, policy: str) -> dict[str, Any]:
    chosen = [row for row in rows if row.policy == policy and kind in (MIX, row.kind)]
    if not chosen:
        return {}
    shift = {row.number: row for row in rows if row.policy == "shift"}
    ratios = [
        row.milliseconds / max(shift[row.number].milliseconds, 1e-3)
        for row in chosen
        if row.number in shift and policy != "shift"
    ]
    return {
        "edits": len(chosen),
        "evaluated": statistics.median(row.evaluated for row in chosen),
        "evaluated_mean": round(statistics.mean(row.evaluated for row in chosen), 1),
        "milliseconds": round(statistics.median(row.milliseconds for row in chosen), 2),
        "slower_than_shift": _spread(ratios),
        **_agreement(chosen),
    }


def _agreement(rows: Iterable[EditRow]) -> dict[str, Any]:
    """Mean divergence, and shares of equal favourites and of equal lines.

    ``top1_clear`` leaves out the favourites that lead by less than MARGIN_LOGITS.
    """
    compared = [row for row in rows if row.kl == row.kl]
    if not compared:
        return {"kl": None, "kl_max": None, "top1": None, "top1_clear": None, "same_line": None}
    clear = [row for row in compared if row.margin >= MARGIN_LOGITS]
    return {
        "kl": round(statistics.mean(row.kl for row in compared), 6),
        "kl_max": round(max(row.kl for row in compared), 6),
        "top1": share(sum(row.top1 for row in compared), len(compared)),
        "top1_clear": share(sum(row.top1 for row in clear), len(clear)),
        "same_line": share(sum(row.same_line for row in compared), len(compared)),
    }


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    """Median and quartiles."""
    if not values:
        return None
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return {
        "median": round(statistics.median(values), 2),
        "low": round(low, 2),
        "high": round(high, 2),
    }


def _is_shift(row: EditRow, since: int) -> bool:
    return row.policy == "shift" and row.since_refresh == since


def _percent(figure: dict[str, Any] | None) -> str:
    return f"{100 * figure['share']:.1f}%" if figure else ""
