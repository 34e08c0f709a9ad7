"""One search for faster code in a process of its own, which ends with it; nothing of the search runs in the server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from assist.analysis.errors import AnalysisError
from assist.server import messages
from assist.server.messages import MessageError, encode
from assist.server.pipes import read_message

logger = logging.getLogger(__name__)

# A search that is told to stop takes its sandboxes down first.
STOP_S_MAX = 3.0
ENDED = "The search ended unexpectedly; its last words are in the log of the server."

Progress = Callable[[str, float | None], None]


@dataclass(frozen=True)
class Found:
    """What a search found, while its process still answers questions about it."""

    answer: messages.SearchFound
    _process: asyncio.subprocess.Process

    async def edits_for(self, text: str) -> messages.Edits:
        """The edits that make the offer of ``text``. Raises AnalysisError."""
        assert self._process.stdin is not None
        self._process.stdin.write(encode(messages.AskEdits(text)))
        reply = await _read(self._process)
        if not isinstance(reply, messages.Edits):
            raise AnalysisError(ENDED)
        return reply


@contextlib.asynccontextmanager
async def search(
    request: messages.Search, progress: Progress, stop: asyncio.Event
) -> AsyncIterator[Found | None]:
    """Run a search to its end; none where ``stop`` was set before.

    Leaving the context ends the process, by force where it does not end by itself. Raises
    AnalysisError, which says what to do, where nothing can be searched.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        # Never import from the current directory, which may be the user's workspace.
        "-P",
        "-m",
        "assist.server.search_worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd="/" if os.name == "posix" else None,
    )
    stopping = asyncio.create_task(stop.wait())
    working = asyncio.create_task(_work(process, request, progress))
    try:
        await asyncio.wait([stopping, working], return_when=asyncio.FIRST_COMPLETED)
        yield Found(working.result(), process) if working.done() else None
    finally:
        stopping.cancel()
        working.cancel()
        await asyncio.shield(asyncio.create_task(_end(process)))


async def _work(
    process: asyncio.subprocess.Process, request: messages.Search, progress: Progress
) -> messages.SearchFound:
    assert process.stdin is not None
    process.stdin.write(encode(request))
    while True:
        match await _read(process):
            case messages.SearchStep() as step:
                progress(step.step, step.fraction if step.fraction >= 0 else None)
            case messages.SearchFound() as found:
                return found
            case messages.SearchFailed() as failed:
                raise AnalysisError(failed.message)
            case _:
                raise AnalysisError(ENDED)


async def _read(process: asyncio.subprocess.Process) -> messages.Message | None:
    assert process.stdout is not None
    try:
        return await read_message(process.stdout)
    except MessageError as error:
        logger.error("The search talks nonsense (%s).", error)
        return None


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_S_MAX)
    except TimeoutError:
        process.kill()
        await process.wait()
