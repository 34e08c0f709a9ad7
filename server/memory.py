"""How much memory a process has resident; it changes nothing."""

from __future__ import annotations

from pathlib import Path


def resident_mb(pid: int) -> int:
    """Resident memory of a process in MB; 0 where the system does not tell or the process is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) // 1024
    except (OSError, ValueError):
        pass
    return 0
