"""Tries what this machine can isolate code with, once, and says what to do about what is missing; it runs nothing of the user."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assist.analysis.execution.types import Isolation, Layer, SandboxLayers
from assist.analysis.execution.worker_lockdown import landlock_abi


@dataclass(frozen=True)
class UsableLayers:
    """What was tried on this machine and worked."""

    bubblewrap: Path | None
    namespaces: bool
    landlock: bool
    seccomp: bool


@cache
def usable_layers() -> UsableLayers:
    """Try each layer once; without Linux there is none."""
    if not sys.platform.startswith("linux") or os.uname().machine not in ("x86_64", "aarch64"):
        return UsableLayers(None, False, False, False)
    found = (
        None
        if os.environ.get("ASSIST_NO_BUBBLEWRAP")
        else shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin")
    )
    bubblewrap = (
        Path(found)
        if found
        and _runs(
            [found, "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--", "/bin/true"]
        )
        else None
    )
    namespaces = _runs(
        ["unshare", "--user", "--map-root-user", "--pid", "--net", "--mount", "--fork", "true"]
    )
    return UsableLayers(bubblewrap, namespaces, landlock_abi() >= 1, _has_seccomp())


def sandbox_layers() -> SandboxLayers:
    """Every layer with its state and what to do about it, for ``assist doctor``."""
    usable = usable_layers()
    abi = landlock_abi()
    layers = (
        Layer("seccomp", "fine", "system calls are filtered")
        if usable.seccomp
        else Layer(
            "seccomp",
            "problem",
            "system calls cannot be filtered here",
            "run on Linux (x86-64 or AArch64) with seccomp enabled in the kernel or container",
        ),
        Layer("landlock", "fine", f"file access is confined (version {abi})")
        if usable.landlock
        else Layer(
            "landlock",
            "warning" if usable.bubblewrap else "problem",
            "this kernel has no Landlock",
            "use Linux 5.13 or later with landlock in the kernel's lsm= list",
        ),
        Layer("bubblewrap", "fine", f"namespaces through {usable.bubblewrap}")
        if usable.bubblewrap
        else Layer(
            "bubblewrap",
            "warning",
            "not installed or not allowed to make namespaces",
            "install the package bubblewrap (and allow unprivileged user namespaces)",
        ),
        Layer("namespaces", "fine", "user, process and network namespaces work")
        if usable.namespaces
        else Layer(
            "namespaces",
            "warning",
            "no user, process or network namespaces: the user's tests are not recorded",
            "allow unprivileged user namespaces, or run the container with them",
        ),
    )
    candidate: Isolation = (
        "full" if usable.seccomp and (usable.landlock or usable.bubblewrap) else "reduced"
    )
    record: Isolation = (
        "full" if candidate == "full" and (usable.bubblewrap or usable.namespaces) else "reduced"
    )
    return SandboxLayers(layers, candidate, record)


def _has_seccomp() -> bool:
    # SECCOMP_GET_ACTION_AVAIL for SECCOMP_RET_ERRNO: answers without installing anything
    number = 277 if os.uname().machine == "aarch64" else 317
    libc = ctypes.CDLL(None, use_errno=True)
    action = ctypes.c_uint32(0x50000)
    return int(libc.syscall(ctypes.c_long(number), 2, 0, ctypes.byref(action))) == 0


def _runs(arguments: list[str]) -> bool:
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
