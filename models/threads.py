"""How many threads computing may use here, and how many pay for a batch of some size; it never starts one."""

from __future__ import annotations

import os
from pathlib import Path

THREADS_MAX = 8
# From so many rows on several threads always pay: there the work is much more than the waiting.
MANY_ROWS = 64
# Several threads must be quicker by this factor: they take the cores that an editor wants too.
MANY_SHARE_MAX = 0.85
# Weight of the newest batch in the running time; the number of batches of a size after which the
# other choice is tried again, because the machine's load changes.
NEWEST = 0.3
TRY_AGAIN_AFTER = 64


def usable_threads() -> int:
    """Cores this process may run on, counted once per physical core, at most ``THREADS_MAX``.

    Decoding is bound by memory, so a second hardware thread of a core adds nothing; a container's
    CPU quota counts as cores.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    counts = [cores or 1, physical_cores() or THREADS_MAX, cpu_quota() or THREADS_MAX]
    return max(1, min(THREADS_MAX, *counts))


class ThreadChoice:
    """Chooses for each batch between one thread and ``threads_max``, by what such batches took.

    Threads wait for each other some hundred times in a batch; where waking a thread is slow (in a
    virtual machine, beside a busy process) a small batch is quicker with one.
    """

    def __init__(self, threads_max: int) -> None:
        self.threads_max = threads_max
        self._seconds: dict[tuple[int, int], float] = {}
        self._batches: dict[int, int] = {}

    def threads(self, rows: int) -> int:
        """Number of threads for a batch of ``rows`` tokens."""
        if self.threads_max == 1 or rows >= MANY_ROWS:
            return self.threads_max
        size = rows.bit_length()
        one, many = (self._seconds.get((size, count)) for count in (1, self.threads_max))
        if one is None or many is None:
            return 1 if one is None else self.threads_max
        best, other = 1, self.threads_max
        if many < one * MANY_SHARE_MAX:
            best, other = other, best
        return best if self._batches[size] % TRY_AGAIN_AFTER else other

    def add(self, rows: int, threads: int, seconds: float) -> None:
        """Learn what a batch took."""
        size, per_row = rows.bit_length(), seconds / rows
        known = self._seconds.setdefault((size, threads), per_row)
        self._seconds[size, threads] = known + NEWEST * (per_row - known)
        self._batches[size] = self._batches.get(size, 0) + 1


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
