"""Starts worker processes that can do nothing but compute, and ends them; it fails closed and never runs user code in this process."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from assist.analysis.errors import Cancelled, SandboxUnavailable
from assist.analysis.execution.bundle import Interpreter
from assist.analysis.execution.grants import reachable_by_others, readable_workspace
from assist.analysis.execution.layers import usable_layers
from assist.analysis.execution.types import Isolation
from assist.analysis.execution.worker_lockdown import NOBODY

FRAME_BYTES_MAX = 64 << 20
MEMORY_BYTES_MAX = 3 << 30
FILE_BYTES_MAX = 16 << 20
FILES_MAX = 256
START_SECONDS_MAX = 60.0
POLL_SECONDS = 0.1
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives")
SYSTEM_TREES = ("/lib", "/lib64", "/lib32", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo")


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
class Frame:
    """One message of a worker: ``data`` of the code under test, or ``control`` of our own."""

    kind: Literal["data", "control"]
    payload: bytes

    def json(self) -> Any:
        """The message as plain data; None if a hostile worker sent something else."""
        try:
            return json.loads(self.payload)
        except (ValueError, RecursionError):
            return None


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


class Sandbox:
    """One worker process; use it as a context manager, in one thread (the kernel ends it with that thread)."""

    def __init__(
        self,
        plan: Plan,
        mode: Literal["zygote", "timing"],
        *,
        hash_seed: int = 0,
        command: dict[str, Any] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self._cancelled = cancelled
        self._buffer = bytearray()
        self.plan = plan
        info_reader, info_writer = os.pipe()
        arguments = [str(each) for each in _arguments(plan, info_writer)]
        try:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(hash_seed),
                cwd="/",
                pass_fds=(info_writer,) if plan.bubblewrap else (),
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            os.close(info_reader)
            raise SandboxUnavailable(f"the sandbox could not be started: {error}") from error
        finally:
            os.close(info_writer)
        self.pid = self._process.pid
        try:
            if plan.bubblewrap:
                self.pid = _child_pid(info_reader, self.pid)
            self.send(_configuration(plan, mode, command))
            self.layers = self._wait_until_ready()
        except BaseException:
            self.close()
            raise
        finally:
            os.close(info_reader)

    def _wait_until_ready(self) -> tuple[str, ...]:
        frame = self.receive(START_SECONDS_MAX)
        message = frame.json() if frame else None
        if isinstance(message, dict) and message.get("ready"):
            return tuple(map(str, message.get("layers", ())))
        refused = message.get("refused") if isinstance(message, dict) else None
        raise SandboxUnavailable(
            f"the sandbox could not be set up ({refused or 'the worker ended'}); see `assist doctor`"
        )

    def send(self, message: dict[str, Any]) -> None:
        """Write one command; a worker that ended is noticed at the next ``receive``."""
        payload = json.dumps(message).encode()
        pipe = self._process.stdin
        assert pipe is not None
        with contextlib.suppress(BrokenPipeError):
            data = memoryview(struct.pack(">I", len(payload) + 1) + b"C" + payload)
            while data:
                data = data[pipe.write(data) or 0 :]

    def receive(self, seconds_max: float) -> Frame | None:
        """The next message; None when the worker ended, broke the protocol or said nothing for that long."""
        deadline = time.monotonic() + seconds_max
        while True:
            frame = self._take_frame()
            if frame is not None:
                return frame
            if self._cancelled is not None and self._cancelled():
                raise Cancelled("cancelled")
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            assert self._process.stdout is not None
            ready, _, _ = select.select([self._process.stdout], [], [], min(left, POLL_SECONDS))
            if ready:
                data = os.read(self._process.stdout.fileno(), 1 << 18)
                if not data:
                    return None
                self._buffer += data

    def _take_frame(self) -> Frame | None:
        if len(self._buffer) < 4:
            return None
        length = struct.unpack(">I", self._buffer[:4])[0]
        if not 0 < length <= FRAME_BYTES_MAX:
            self.close()
            return None
        if len(self._buffer) < 4 + length:
            return None
        kind = self._buffer[4:5]
        payload = bytes(self._buffer[5 : 4 + length])
        del self._buffer[: 4 + length]
        return Frame("data" if kind == b"D" else "control", payload)

    def cpu_seconds(self) -> float:
        """Processor time of the worker, read from the kernel: code inside cannot forge it."""
        return time.clock_gettime((~self.pid << 3) | 2)

    def peak_memory_bytes(self) -> int:
        """High-water mark of the worker's resident memory, 0 if it ended."""
        try:
            text = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return 0
        for line in text.splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0

    def close(self) -> None:
        """End the worker and everything it started."""
        process = self._process
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        with contextlib.suppress(OSError):
            process.kill()
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _configuration(plan: Plan, mode: str, command: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "mode": mode,
        "command": command,
        "readable": [*map(str, plan.readable), *SYSTEM_TREES, *SYSTEM_FILES],
        "listable": [str(path) for path in plan.listable],
        "writable": [],
        "exec": False,
        "fork": True,
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


def _arguments(plan: Plan, info: int) -> Iterable[str | Path]:
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
        for path in _way_to(plan.interpreter.path):
            if not any(path.is_relative_to(each) for each in bound):
                yield from (
                    ("--symlink", path.readlink(), path)
                    if path.is_symlink()
                    else ("--ro-bind", path, path)
                )
        yield from ("--chdir", "/", "--")
    yield from (plan.interpreter.path, "-S", "-s", "-B", plan.interpreter.worker)


def covering(paths: Iterable[Path]) -> list[Path]:
    """The outermost of these paths; every other one lies below one of them."""
    chosen: list[Path] = []
    for path in sorted(paths):
        if not chosen or not path.is_relative_to(chosen[-1]):
            chosen.append(path)
    return chosen


def _way_to(executable: Path) -> list[Path]:
    """The interpreter's file behind every link of the chain that leads to it."""
    chain = [executable]
    while chain[-1].is_symlink() and len(chain) < 20:
        chain.append(Path(os.path.normpath(chain[-1].parent / chain[-1].readlink())))
    return chain


def _child_pid(reader: int, fallback: int) -> int:
    """The worker's process id as bubblewrap reports it; the id in this process's namespace."""
    text = b""
    deadline = time.monotonic() + START_SECONDS_MAX
    while b"}" not in text and time.monotonic() < deadline:
        ready, _, _ = select.select([reader], [], [], POLL_SECONDS)
        part = os.read(reader, 4096) if ready else b""
        if ready and not part:
            break
        text += part
    try:
        return int(json.loads(text)["child-pid"])
    except (ValueError, KeyError, TypeError):
        return fallback
