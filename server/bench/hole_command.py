"""What the benches over holes in installed packages share: their options, the draw, cases that can be resumed; it completes no hole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from assist.server.bench.mined import Source, read_sources
from assist.server.bench.report import append_case, read_cases, write_cases
from assist.server.progress import show_progress

Case = TypeVar("Case")
Command = TypeVar("Command", bound=Callable[..., Any])


def hole_options(limit: int) -> Callable[[Command], Command]:
    """Options of a command over holes, ``limit`` of them unless told; it gets them as ``model``,
    ``packages``, ``limit``, ``seed``, ``csv_path``, ``resume`` and ``as_json``."""
    options = (
        click.option("--model", default="", help="A model's name or the path of a GGUF file."),
        click.option(
            "--package", "packages", multiple=True, help="An installed package to draw from."
        ),
        click.option(
            "--limit", type=click.IntRange(1), default=limit, show_default=True, help="Holes."
        ),
        click.option("--seed", default=0, show_default=True, help="Seed of the draw."),
        click.option(
            "--csv", "csv_path", type=click.Path(path_type=Path), help="Write every case."
        ),
        click.option("--resume", is_flag=True, help="Skip the holes that the CSV has already."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
    )

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def installed_sources(packages: Sequence[str]) -> list[Source]:
    """Files of those of ``packages`` that are installed; raises a usage error where none is."""
    sources = read_sources(packages)
    if not sources:
        raise click.UsageError("None of these packages is installed. Name others by --package.")
    return sources


def earlier_cases(csv_path: Path | None, resume: bool, kind: type[Case]) -> list[Case]:
    """Cases of the run that is resumed; a run that is not resumed starts an empty file."""
    if resume and csv_path:
        return read_cases(csv_path, kind)
    if csv_path:
        csv_path.unlink(missing_ok=True)
    return []


def collect(
    cases: list[Case], new: Iterable[Case], csv_path: Path | None, total: int, doing: str
) -> None:
    """Add the ``new`` cases to ``cases`` and to the CSV, each when it is there, with progress."""
    with show_progress() as progress:
        for number, case in enumerate(new, 1):
            cases.append(case)
            if csv_path:
                append_case(csv_path, case)
            progress(f"{doing} {number} of {total}", number / max(total, 1))
    if csv_path:
        write_cases(csv_path, cases)
