"""Progress of long work: a line that moves on a terminal, silence in a pipe; it measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from rich.console import Console


@cache
def console() -> Console:
    """Standard output, with colours only on a terminal."""
    return Console(highlight=False, soft_wrap=False)


@contextmanager
def show_progress() -> Iterator[Callable[[str, float | None], None]]:
    """Yield a function ``(step, fraction)`` that shows where long work stands, on standard error."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    errors = Console(stderr=True)
    if not errors.is_terminal:
        yield lambda _step, _fraction: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeElapsedColumn(), console=errors, transient=True) as bars:
        task = bars.add_task("", total=None)

        def report(step: str, fraction: float | None) -> None:
            bars.update(task, description=step, total=1.0 if fraction is not None else None)
            if fraction is not None:
                bars.update(task, completed=fraction)

        yield report
