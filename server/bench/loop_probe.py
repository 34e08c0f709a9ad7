"""Runs the language server and notes how long each callback of its event loop took; only the server bench starts it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from assist.server.app import run_stdio

# Shorter ones are only counted.
NOTED_S_MIN = 0.002
NOTED_MAX = 10_000


def main(path: Path) -> int:
    """Serve standard input and output; the callbacks are written to ``path`` at the end.

    ``wall_ms`` counts what other processes took meanwhile, ``cpu_ms`` only this thread's work.
    """
    noted: list[dict[str, Any]] = []
    count = 0
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        nonlocal count
        count += 1
        wall, cpu = time.perf_counter(), time.thread_time()
        run(handle)
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        if wall >= NOTED_S_MIN and len(noted) < NOTED_MAX:
            noted.append({"wall_ms": wall * 1e3, "cpu_ms": cpu * 1e3, "callback": _name(handle)})

    asyncio.Handle._run = timed  # type: ignore[method-assign,assignment]
    try:
        return run_stdio()
    finally:
        path.write_text(json.dumps({"count": count, "noted": noted}), encoding="utf-8")


def _name(handle: asyncio.Handle) -> str:
    """The coroutine or function behind a callback."""
    callback: Any = getattr(handle, "_callback", None)
    task = getattr(callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        coroutine = task.get_coro()
        return str(getattr(coroutine, "__qualname__", coroutine))
    return str(getattr(callback, "__qualname__", callback))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
