"""Starts worker processes that can do nothing but compute, and ends them; it fails closed and never runs user code in this process."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assist.analysis.errors import Cancelled, SandboxUnavailable
from assist.analysis.execution.closing import Closing
from assist.analysis.execution.profiles import Start

FRAME_BYTES_MAX = 64 << 20
START_SECONDS_MAX = 60.0
POLL_SECONDS = 0.1


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


class Sandbox(Closing):
    """One worker process; use it as a context manager, in one thread (the kernel ends it with that thread)."""

    def __init__(
        self,
        start: Start,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        """Start it; ``cancelled`` is asked whenever it is waited for, and may raise what it likes."""
        self._cancelled = cancelled
        self._buffer = bytearray()
        self._thread = threading.get_ident()
        info_reader, info_writer = os.pipe()
        try:
            self._process = subprocess.Popen(
                start.arguments(info_writer),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=start.environment,
                cwd="/",
                pass_fds=(info_writer,) if start.bubblewrap else (),
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
            if start.bubblewrap:
                self.pid = _child_pid(info_reader, self.pid)
            self.send(start.configuration)
            self.layers = self._wait_until_ready()
        except BaseException:
            self.close()
            raise
        finally:
            os.close(info_reader)

    @property
    def is_foreign(self) -> bool:
        """Whether another thread than this one has started it."""
        return threading.get_ident() != self._thread

    def _wait_until_ready(self) -> tuple[str, ...]:
        frame = self.receive(START_SECONDS_MAX)
        message = frame.json() if frame else None
        if isinstance(message, dict) and message.get(
            "copied"
        ):  # the recorder's copy of the workspace
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
            if self._cancelled is not None and self._cancelled():
                raise Cancelled("cancelled")
            frame = self._take_frame()
            if frame is not None:
                return frame
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
