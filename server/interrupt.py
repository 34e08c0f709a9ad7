"""Ctrl-C as a request to stop cleanly; it ends nothing by itself."""

from __future__ import annotations

import signal
import threading
from typing import cast

from assist.analysis.errors import Cancelled


class interruptible:
    """While it is entered, Ctrl-C asks the run to stop, and stops it at once the second time."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._before: object = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupt)

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, cast(signal.Handlers, self._before))
        if kind is Cancelled and self._stop.is_set():
            raise KeyboardInterrupt

    def _interrupt(self, number: int, frame: object) -> None:
        if self._stop.is_set():
            raise KeyboardInterrupt
        self._stop.set()
