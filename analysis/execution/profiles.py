"""What each kind of sandbox may do: *candidate* for everything a proposal runs in, *record* for the user's own tests; it starts nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assist.analysis.errors import SandboxUnavailable
from assist.analysis.execution.bundle import Interpreter
from assist.analysis.execution.grants import SECRET_NAMES, reachable_by_others, readable_workspace
from assist.analysis.execution.layers import usable_layers
from assist.analysis.execution.types import Isolation
from assist.analysis.execution.worker_lockdown import NOBODY

MEMORY_BYTES_MAX = 3 << 30
FILE_BYTES_MAX = 16 << 20
FILES_MAX = 256
RECORD_FILE_BYTES_MAX = 256 << 20
RECORD_DISK_BYTES_MAX = 512 << 20
RECORD_INODES_MAX = 60_000
RECORD_PROCESSES_MAX = 200
RECORD_SILENCE_SECONDS_MAX = 60
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives")
SYSTEM_TREES = ("/lib", "/lib64", "/lib32", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo")
RECORD_TREES = ("/bin", "/usr/bin", "/usr/local/bin", "/usr/local/lib", "/usr/share")
RECORD_FILES = (
    "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/hosts", "/etc/mime.types", "/etc/ssl", "/etc/protocols",
)  # fmt: skip
LEFT_OUT = (
    ".venv",
    "venv",
    "node_modules",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".tox",
    ".nox",
)


@dataclass(frozen=True)
class Plan:
    """Everything about the sandboxes of one verification that does not change between them."""

    interpreter: Interpreter
    readable: tuple[Path, ...]
    listable: tuple[Path, ...]
    masked: tuple[Path, ...]
    roots: tuple[str, ...]
    preload: tuple[str, ...]
    bubblewrap: Path | None
    landlock: bool
    seccomp: bool
    uid: int | None

    @property
    def isolation(self) -> Isolation:
        return "full" if self.seccomp and (self.landlock or self.bubblewrap) else "reduced"


@dataclass(frozen=True)
class Start:
    """How one worker is started; ``arguments`` takes the descriptor that bubblewrap reports on."""

    arguments: Callable[[int], list[str]]
    configuration: dict[str, Any]
    environment: dict[str, str]
    bubblewrap: bool


def make_plan(
    interpreter: Interpreter,
    workspace: Path,
    roots: Iterable[str],
    preload: Iterable[str],
    allow_reduced_isolation: bool,
) -> Plan:
    """What a candidate may see on this machine; raises SandboxUnavailable rather than isolate less than asked."""
    available = usable_layers()
    if not (available.seccomp and (available.landlock or available.bubblewrap)):
        if not sys.platform.startswith("linux"):
            raise SandboxUnavailable("the sandbox needs Linux; run this in a Linux container")
        if not allow_reduced_isolation:
            raise SandboxUnavailable(
                "this machine cannot isolate code fully (see `assist doctor`); "
                "use --allow-reduced-isolation to run it with less"
            )
    grants = readable_workspace(workspace)
    readable = (*interpreter.readable, *grants.readable)
    needed = (interpreter.path, interpreter.worker, *readable, *grants.listable)
    drop = os.getuid() == 0 and available.bubblewrap is None and reachable_by_others(needed)
    return Plan(
        interpreter=interpreter,
        readable=readable,
        listable=grants.listable,
        masked=grants.masked,
        roots=tuple(roots),
        preload=tuple(preload),
        bubblewrap=available.bubblewrap,
        landlock=available.landlock,
        seccomp=available.seccomp,
        uid=NOBODY if drop else None,
    )


def candidate_start(
    plan: Plan,
    mode: Literal["zygote", "timing"],
    hash_seed: int = 0,
    command: dict[str, Any] | None = None,
) -> Start:
    """Nothing may be written, started or reached; the zygote alone may fork."""
    configuration = {
        "mode": mode,
        "command": command,
        "readable": [*map(str, plan.readable), *SYSTEM_TREES, *SYSTEM_FILES],
        "listable": [str(path) for path in plan.listable],
        "writable": [],
        "exec": False,
        "fork": True,
        "sockets": False,
        "landlock": plan.landlock,
        "seccomp": plan.seccomp,
        "uid": plan.uid,
        "roots": list(plan.roots),
        "preload": list(plan.preload),
        "limits": {
            "files": FILES_MAX,
            "file_bytes": FILE_BYTES_MAX,
            "memory_bytes": MEMORY_BYTES_MAX,
        },
    }

    def arguments(info: int) -> list[str]:
        return [str(each) for each in _candidate_arguments(plan, info)]

    return Start(arguments, configuration, _environment(hash_seed), plan.bubblewrap is not None)


def _environment(hash_seed: int) -> dict[str, str]:
    """Nothing of the user's environment; one thread per library."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "NUMEXPR_NUM_THREADS": "1",
    }


def _candidate_arguments(plan: Plan, info: int) -> Iterable[str | Path]:
    if plan.bubblewrap is not None:
        yield from (plan.bubblewrap, "--unshare-all", "--die-with-parent", "--as-pid-1")
        yield from ("--cap-drop", "ALL", "--info-fd", str(info), "--dev", "/dev")
        for tree in (*SYSTEM_TREES, *SYSTEM_FILES):
            yield from ("--ro-bind-try", tree, tree)
        bound = covering({*plan.readable, *plan.listable})
        for path in bound:
            yield from ("--ro-bind-try", path, path)
        for path in plan.masked:
            yield from (
                ("--tmpfs", path, "--remount-ro", path)
                if path.is_dir()
                else ("--ro-bind", "/dev/null", path)
            )
        yield from ("--ro-bind", plan.interpreter.worker, plan.interpreter.worker)
        yield from _interpreter_links(plan.interpreter.path, bound)
        yield from ("--chdir", "/", "--")
    yield from (plan.interpreter.path, "-S", "-s", "-B", plan.interpreter.worker)


def covering(paths: Iterable[Path]) -> list[Path]:
    """The outermost of these paths; every other one lies below one of them."""
    chosen: list[Path] = []
    for path in sorted(paths):
        if not chosen or not path.is_relative_to(chosen[-1]):
            chosen.append(path)
    return chosen


def _interpreter_links(executable: Path, bound: list[Path]) -> Iterable[str | Path]:
    for path in _way_to(executable):
        if not any(path.is_relative_to(each) for each in bound):
            if path.is_symlink():
                yield from ("--symlink", path.readlink(), path)
            else:
                yield from ("--ro-bind", path, path)


def _way_to(executable: Path) -> list[Path]:
    """The interpreter's file behind every link of the chain that leads to it."""
    chain = [executable]
    while chain[-1].is_symlink() and len(chain) < 20:
        chain.append(Path(os.path.normpath(chain[-1].parent / chain[-1].readlink())))
    return chain


def record_start(
    plan: Plan,
    workspace: Path,
    scratch: Path,
    tests: Iterable[str],
    files: dict[str, dict[str, int]],
) -> Start:
    """The user's tests may write, fork and execute, in folders and namespaces that vanish with them.

    ``scratch`` is an empty folder on this machine that nothing is written to: a memory file
    system takes its place.
    """
    source = Path("/assist-workspace") if plan.bubblewrap else workspace
    configuration = {
        "mode": "record",
        "command": None,
        "readable": [
            *(str(path) for path in plan.interpreter.readable),
            *SYSTEM_TREES, *SYSTEM_FILES, *RECORD_TREES, *RECORD_FILES,
            *(("/proc", "/dev") if plan.bubblewrap else ()),
        ],
        "listable": [],
        "writable": [str(scratch), str(workspace), *(("/dev/shm",) if plan.bubblewrap else ())],
        "exec": True,
        "fork": True,
        "sockets": True,
        "landlock": plan.landlock,
        "seccomp": plan.seccomp,
        "uid": None,
        "roots": [str(workspace), str(workspace / "src")],
        "preload": [],
        "own_namespaces": plan.bubblewrap is None,
        "scratch": str(scratch),
        "workspace": str(workspace),
        "copy_from": str(source),
        "left_out": [*SECRET_NAMES, *LEFT_OUT],
        "disk_bytes": RECORD_DISK_BYTES_MAX,
        "inodes": RECORD_INODES_MAX,
        "silence_seconds_max": RECORD_SILENCE_SECONDS_MAX,
        "tests": list(tests),
        "files": files,
        "limits": {
            "files": 1024,
            "file_bytes": RECORD_FILE_BYTES_MAX,
            "memory_bytes": MEMORY_BYTES_MAX,
            "processes": RECORD_PROCESSES_MAX,
        },
    }  # fmt: skip

    def arguments(info: int) -> list[str]:
        return [str(each) for each in _record_arguments(plan, workspace, source, scratch, info)]

    environment = {**_environment(0), "PATH": f"{plan.interpreter.path.parent}:/usr/bin:/bin"}
    return Start(arguments, configuration, environment, plan.bubblewrap is not None)


def _record_arguments(
    plan: Plan, workspace: Path, source: Path, scratch: Path, info: int
) -> Iterable[str | Path]:
    if plan.bubblewrap is not None:
        yield from (plan.bubblewrap, "--unshare-all", "--die-with-parent", "--as-pid-1")
        yield from ("--cap-drop", "ALL", "--info-fd", str(info), "--dev", "/dev", "--proc", "/proc")
        for tree in (*SYSTEM_TREES, *SYSTEM_FILES, *RECORD_TREES, *RECORD_FILES):
            yield from ("--ro-bind-try", tree, tree)
        yield from ("--ro-bind", workspace, source)
        for folder in (Path("/tmp"), scratch, workspace):
            yield from ("--size", str(RECORD_DISK_BYTES_MAX), "--tmpfs", folder)
        bound = covering(plan.interpreter.readable)
        for path in bound:
            if path != workspace:
                yield from ("--ro-bind-try", path, path)
        yield from ("--ro-bind", plan.interpreter.worker, plan.interpreter.worker)
        yield from _interpreter_links(plan.interpreter.path, bound)
        yield from ("--chdir", "/", "--")
    yield from (plan.interpreter.path, "-S", "-s", "-B", plan.interpreter.worker)
