"""Runs the tests of a benchmark in a limited child process; for benchmark programs only, it is no sandbox for hostile code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from typing import Literal

Outcome = Literal["passed", "failed", "timeout"]

WALL_SECONDS_MAX = 10.0
# Runs in the child before the program: bounds on processor time, memory, files and processes,
# and a network namespace of its own where the system allows that without privileges.
LIMITS = """
import ctypes, resource, sys
for kind, bound in ((resource.RLIMIT_CPU, 6), (resource.RLIMIT_AS, 1 << 30),
                    (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
    resource.setrlimit(kind, (bound, bound))
try:
    ctypes.CDLL(None).unshare(0x10000000 | 0x40000000)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
except (OSError, AttributeError, ValueError):
    pass
source = sys.stdin.buffer.read().decode()
sys.stdin.close()
exec(compile(source, "<program>", "exec"), {"__name__": "__main__"})
"""


def run_program(source: str, *, seconds_max: float = WALL_SECONDS_MAX) -> Outcome:
    """Run ``source`` in a fresh interpreter; it passes when it ends by itself without an error."""
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", LIMITS],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=directory,
            env={"PATH": os.defpath, "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        try:
            process.communicate(source.encode("utf-8", "replace"), timeout=seconds_max)
        except subprocess.TimeoutExpired:
            return "timeout"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return "passed" if process.returncode == 0 else "failed"
