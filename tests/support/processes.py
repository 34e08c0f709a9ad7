"""Which processes a process has started, read from /proc."""

from __future__ import annotations

from pathlib import Path


def processes_below(pid: int) -> list[int]:
    """Children of a process and their children, whoever started them."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
    found: list[int] = []
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        children = [child for child, parent in parents.items() if parent == current]
        found += children
        waiting += children
    return found
