"""What every bench does with its cases: CSV that can be resumed, a summary, a page; it knows no bench."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import click

from assist.server.page import write_page

Case = TypeVar("Case")

Z_95 = 1.96


def read_cases(path: Path, kind: type[Case]) -> list[Case]:
    """Cases of an earlier run; none for a missing file. Raises :class:`ValueError` on other columns."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    types = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    if rows and set(rows[0]) != set(types):
        raise ValueError(f"{path} was written by another bench or version; move it away.")
    return [kind(**{key: _parse(types[key], value) for key, value in row.items()}) for row in rows]


def write_cases(path: Path, cases: Iterable[Any]) -> None:
    """Write all cases as CSV, one row each, columns as the dataclass declares them."""
    rows = [asdict(case) for case in cases]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        if rows:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def append_case(path: Path, case: Any) -> None:
    """Add one case to the CSV, so that a run that is broken off can be resumed."""
    row = asdict(case)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.is_file() or path.stat().st_size == 0
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(row), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def share(hits: int, total: int) -> dict[str, float | int]:
    """A share with its 95% interval by Wilson's score method; zeros when there are no cases."""
    if total == 0:
        return {"share": 0.0, "low": 0.0, "high": 0.0, "hits": 0, "total": 0}
    p = hits / total
    centre = p + Z_95**2 / (2 * total)
    spread = Z_95 * math.sqrt(p * (1 - p) / total + Z_95**2 / (4 * total**2))
    scale = 1 + Z_95**2 / total
    return {
        "share": round(p, 4),
        "low": round(max(0.0, (centre - spread) / scale), 4),
        "high": round((centre + spread) / scale, 4),
        "hits": hits,
        "total": total,
    }


def write_html(path: Path, title: str, summary: Mapping[str, Any], cases: Sequence[Any]) -> None:
    """One self-contained page: the summary, then every case."""
    figures = {key: format_figure(value) for key, value in summary.items()}
    write_page(path, title, {"Summary": figures}, [asdict(case) for case in cases])


def echo_summary(summary: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the figures of a summary, one a line, or as one JSON document."""
    if as_json:
        click.echo(json.dumps(summary, indent=2))
        return
    width = max(map(len, summary), default=0)
    for key, value in summary.items():
        click.echo(f"{key:<{width}}  {format_figure(value)}")


def format_figure(value: Any) -> str:
    """A figure of a summary for a reader: shares as per cent with their interval."""
    if isinstance(value, Mapping) and "share" in value:
        low, high = 100 * value["low"], 100 * value["high"]
        return (
            f"{100 * value['share']:.1f}% ({low:.1f}–{high:.1f}), "
            f"{value['hits']} of {value['total']}"
        )
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _parse(kind: str, value: str) -> Any:
    if kind == "bool":
        return value == "True"
    if kind in ("int", "float"):
        return {"int": int, "float": float}[kind](value)
    return value
