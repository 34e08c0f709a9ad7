"""All monitors, by the role they watch."""

from __future__ import annotations

from functools import lru_cache

from assist.analysis.monitors import brackets, indentation, statements
from assist.analysis.monitors.monitor import Monitor
from assist.analysis.monitors.slot import Role

MONITORS: tuple[Monitor, ...] = (
    brackets.MONITOR,
    indentation.MONITOR,
    statements.MONITOR,
)


@lru_cache(maxsize=64)
def watching(role: Role) -> tuple[Monitor, ...]:
    """Monitors that watch a role."""
    return tuple(monitor for monitor in MONITORS if role in monitor.roles)
