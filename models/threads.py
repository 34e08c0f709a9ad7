"""How many threads computing may use here before anything was measured; it never starts one."""

from __future__ import annotations

import os
from pathlib import Path

THREADS_MAX = 8


def usable_threads() -> int:
    """Cores this process may run on, counted once per physical core, at most ``THREADS_MAX``.

    Decoding is bound by memory, so a second hardware thread of a core adds nothing; a container's
    CPU quota counts as cores.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    counts = [cores or 1, physical_cores() or THREADS_MAX, cpu_quota() or THREADS_MAX]
    return max(1, min(THREADS_MAX, *counts))


def physical_cores() -> int:
    """Physical cores of this machine by /proc/cpuinfo; 0 where that is not known."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    cores: set[tuple[str, str]] = set()
    package = ""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "physical id":
            package = value.strip()
        elif key.strip() == "core id":
            cores.add((package, value.strip()))
    return len(cores)


def cpu_quota() -> int:
    """Whole cores that the control group grants (cgroup v2, cpu.max); 0 without a limit."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="utf-8").split()
        return 0 if quota == "max" else max(1, int(quota) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return 0
