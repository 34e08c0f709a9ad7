"""Reports files that change on disk where the editor cannot be asked to; it decides nothing about them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from assist.analysis.uris import path_of
from assist.analysis.watching import watch

# Changes that come so close together are one: a checkout touches hundreds of files.
SETTLE_S = 0.3
# How often it is seen whether the workspace has other folders now.
FOLDERS_POLL_S = 2.0
CHANGES_MAX = 10_000

Report = Callable[[tuple[str, ...]], Awaitable[None]]


async def report_changes(folders: Callable[[], Sequence[str]], report: Report) -> None:
    """Report the URIs of changed files below ``folders`` (URIs), until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        watched = tuple(folders())
        roots = [path for path in map(path_of, watched) if path is not None]
        changed: dict[Path, None] = {}
        stirred = asyncio.Event()

        def note(path: Path, changed: dict[Path, None], stirred: asyncio.Event) -> None:
            if len(changed) < CHANGES_MAX:
                changed[path] = None
            stirred.set()

        def on_change(
            path: Path, changed: dict[Path, None] = changed, stirred: asyncio.Event = stirred
        ) -> None:
            loop.call_soon_threadsafe(note, path, changed, stirred)

        running = await asyncio.to_thread(watch, roots, on_change)
        try:
            while tuple(folders()) == watched:
                try:
                    await asyncio.wait_for(stirred.wait(), FOLDERS_POLL_S)
                except TimeoutError:
                    continue
                await asyncio.sleep(SETTLE_S)
                stirred.clear()
                uris = tuple(path.as_uri() for path in changed)
                changed.clear()
                await report(uris)
        finally:
            await asyncio.to_thread(running.stop)
