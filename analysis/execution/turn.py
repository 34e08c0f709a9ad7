"""Lets one measurement run at a time, among the threads and processes of one user; it measures nothing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from assist.analysis.errors import Cancelled

POLL_SECONDS = 0.05
_THREADS = threading.Lock()


class NoTurn(Exception):
    """Others measured for too long."""


@contextlib.contextmanager
def measuring_turn(cancelled: Callable[[], bool] | None, seconds_max: float) -> Iterator[None]:
    """Wait until nobody else measures. Raises NoTurn after ``seconds_max``, Cancelled.

    Where the lock file cannot be opened (another user owns it), only the threads of this
    process take turns.
    """
    started = time.monotonic()
    descriptor = _open(lock_file())
    try:
        _wait(lambda: _THREADS.acquire(blocking=False), started + seconds_max, cancelled)
        try:
            if descriptor is not None:
                file = descriptor
                _wait(lambda: _try_lock(file), started + seconds_max, cancelled)
            yield
        finally:
            _THREADS.release()
    finally:
        if descriptor is not None:
            os.close(descriptor)


def lock_file() -> Path:
    """The file whose lock says that a measurement runs."""
    return Path(tempfile.gettempdir()) / f"assist-measuring-{os.getuid()}.lock"


def _open(path: Path) -> int | None:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags, 0o600)
    except OSError:
        return None


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks
    return True


def _wait(
    acquire: Callable[[], bool], deadline: float, cancelled: Callable[[], bool] | None
) -> None:
    while not acquire():
        if cancelled is not None and cancelled():
            raise Cancelled("cancelled")
        if time.monotonic() > deadline:
            raise NoTurn
        time.sleep(POLL_SECONDS)
