"""One inference lane: which computation runs, which waits, which is not wanted any more; it never knows what is computed."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

WAITING_MAX = 16


class Priority(enum.IntEnum):
    """Higher runs first and may stop a lower one."""

    AHEAD = 0
    LIST = 1
    AUTOMATIC = 2
    INVOKED = 3


@dataclass(eq=False)
class Job(Generic[T]):
    """A computation for one document; ``result`` is none where it was superseded.

    ``key`` is equal for jobs with equal results, ``callers`` counts who still waits.
    """

    uri: str
    key: Hashable
    priority: Priority
    compute: Callable[[], Awaitable[T | None]]
    result: asyncio.Future[T | None]
    callers: int = 0
    task: asyncio.Task[None] | None = None


@dataclass
class Lane(Generic[T]):
    """Jobs of all documents, of which one runs. ``on_busy`` hears when the lane starts and stops working."""

    on_busy: Callable[[bool], None]
    focus: str = ""
    waiting: list[Job[T]] = field(default_factory=list)
    running: Job[T] | None = None

    async def submit(
        self,
        uri: str,
        key: Hashable,
        priority: Priority,
        compute: Callable[[], Awaitable[T | None]],
    ) -> T | None:
        """Result of ``compute`` once it had the lane; none where a newer job took its place.

        A newer job of the same document takes the place of an older one, unless both have the
        same key: then they share one computation. It stops when nobody waits for it any more.
        """
        self.focus = uri
        job = self._find(uri, key)
        if job is None:
            job = Job(uri, key, priority, compute, asyncio.get_running_loop().create_future())
            self._make_room(job)
            self.waiting.append(job)
        job.priority = max(job.priority, priority)
        job.callers += 1
        self._pump()
        try:
            return await asyncio.shield(job.result)
        finally:
            job.callers -= 1
            if not job.callers and not job.result.done():
                self._drop(job)

    def drop_document(self, uri: str) -> None:
        """Stop everything for a document, for instance because it was closed."""
        for job in self._jobs():
            if job.uri == uri:
                self._drop(job)

    async def close(self) -> None:
        """Stop everything."""
        task = self.running.task if self.running else None
        for job in self._jobs():
            self._drop(job)
        if task is not None:
            await asyncio.wait([task])

    def _jobs(self) -> list[Job[T]]:
        return [*self.waiting, *([self.running] if self.running else [])]

    def _find(self, uri: str, key: Hashable) -> Job[T] | None:
        for job in self._jobs():
            if job.uri == uri and job.key == key and not job.result.done():
                return job
        return None

    def _make_room(self, new: Job[T]) -> None:
        for job in list(self.waiting):
            if job.uri == new.uri:
                self._drop(job)
        while len(self.waiting) >= WAITING_MAX:
            self._drop(self.waiting[0])
        running = self.running
        if running is not None and (running.uri == new.uri or running.priority <= new.priority):
            self._drop(running)

    def _drop(self, job: Job[T]) -> None:
        if job in self.waiting:
            self.waiting.remove(job)
        if not job.result.done():
            job.result.set_result(None)
        if job.task is not None:
            job.task.cancel()

    def _pump(self) -> None:
        if self.running is not None or not self.waiting:
            return
        order = {job: index for index, job in enumerate(self.waiting)}
        job = max(self.waiting, key=lambda job: (job.uri == self.focus, job.priority, order[job]))
        self.waiting.remove(job)
        self.running = job
        job.task = asyncio.create_task(self._run(job))
        # Not the end of _run: a task that is cancelled before its first step never enters it.
        job.task.add_done_callback(lambda _: self._end(job))
        self.on_busy(True)

    async def _run(self, job: Job[T]) -> None:
        try:
            result = await job.compute()
        except Exception as error:
            if not job.result.done():
                job.result.set_exception(error)
        else:
            if not job.result.done():
                job.result.set_result(result)

    def _end(self, job: Job[T]) -> None:
        if not job.result.done():
            job.result.set_result(None)
        self.running = None
        self._pump()
        if self.running is None:
            self.on_busy(False)
