"""Reads CPU time and memory of a process and its descendants from /proc; it starts and stops nothing."""

from __future__ import annotations

import os
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
KILOBYTE = 1024


def tree(pid: int) -> list[int]:
    """``pid`` and all its descendants that live."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, left = [], [pid]
    while left:
        pid = left.pop()
        found.append(pid)
        left += parents.get(pid, [])
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the tree, of ended children too."""
    ticks = sum(sum(map(int, fields[11:15])) for pid in tree(pid) if (fields := _stat(pid)))
    return ticks / TICKS_PER_SECOND


def resident_bytes(pid: int) -> int:
    """Memory of the tree, shared pages counted once per process."""
    total = 0
    for member in tree(pid):
        try:
            lines = Path(f"/proc/{member}/status").read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * KILOBYTE for line in lines if line.startswith("VmRSS"))
    return total


def _stat(pid: int) -> list[str]:
    """Fields of ``/proc/PID/stat`` from the state on; empty for a process that ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
