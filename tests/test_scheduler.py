"""The inference lane: order, priorities, joining, cancellation; computations are scripted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from assist.server.scheduler import WAITING_MAX, Lane, Priority

LIST, AUTOMATIC, INVOKED = Priority.LIST, Priority.AUTOMATIC, Priority.INVOKED


class Script:
    """A lane, and computations that wait until they are let go; ``log`` holds what happened."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.busy: list[bool] = []
        self.lane: Lane[str] = Lane(self.busy.append)
        self.gates: dict[str, asyncio.Event] = {}

    def submit(
        self, name: str, uri: str = "a", priority: Priority = AUTOMATIC, key: object = None
    ) -> asyncio.Task[str | None]:
        gate = self.gates.setdefault(name, asyncio.Event())

        async def compute() -> str | None:
            self.log.append(f"{name} starts")
            try:
                await gate.wait()
            except asyncio.CancelledError:
                self.log.append(f"{name} stops")
                raise
            return name

        return asyncio.create_task(self.lane.submit(uri, key or name, priority, compute))

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


def check(play: Callable[[Script], Coroutine[Any, Any, None]], log: list[str]) -> None:
    """Run a play on a fresh lane; ``log`` is which computations started and were stopped."""
    script = Script()

    async def run() -> None:
        await play(script)
        await script.settle()
        assert script.lane.running is None and not script.lane.waiting
        assert script.busy == [] or script.busy[-1] is False

    asyncio.run(asyncio.wait_for(run(), 10))
    assert script.log == log


def test_a_result_comes_back() -> None:
    async def play(script: Script) -> None:
        task = script.submit("one")
        await script.settle()
        script.gates["one"].set()
        assert await task == "one"

    check(play, ["one starts"])


def test_the_newest_of_a_document_wins() -> None:
    async def play(script: Script) -> None:
        tasks = [script.submit(name) for name in ("one", "two", "three")]
        script.gates["three"].set()
        assert await asyncio.gather(*tasks) == [None, None, "three"]

    check(play, ["three starts"])


def test_the_newest_stops_the_one_that_runs() -> None:
    async def play(script: Script) -> None:
        first = script.submit("one")
        await script.settle()
        second = script.submit("two")
        script.gates["two"].set()
        assert await asyncio.gather(first, second) == [None, "two"]

    check(play, ["one starts", "one stops", "two starts"])


def test_a_lower_priority_of_another_document_waits() -> None:
    async def play(script: Script) -> None:
        first = script.submit("one", "a", INVOKED)
        await script.settle()
        second = script.submit("two", "b", AUTOMATIC)
        await script.settle()
        script.gates["one"].set()
        script.gates["two"].set()
        assert await asyncio.gather(first, second) == ["one", "two"]

    check(play, ["one starts", "two starts"])


def test_the_focused_document_goes_first() -> None:
    async def play(script: Script) -> None:
        running = script.submit("one", "a", INVOKED)
        await script.settle()
        other = script.submit("two", "b", AUTOMATIC)
        await script.settle()
        focused = script.submit("three", "c", LIST)
        await script.settle()
        for gate in script.gates.values():
            gate.set()
        assert await asyncio.gather(running, other, focused) == ["one", "two", "three"]

    check(play, ["one starts", "three starts", "two starts"])


def test_equal_requests_share_one_computation() -> None:
    async def play(script: Script) -> None:
        first = script.submit("one", key="same")
        await script.settle()
        second = script.submit("two", priority=LIST, key="same")
        await script.settle()
        script.gates["one"].set()
        assert await asyncio.gather(first, second) == ["one", "one"]

    check(play, ["one starts"])


def test_a_shared_computation_stops_with_its_last_caller() -> None:
    async def play(script: Script) -> None:
        first = script.submit("one", key="same")
        second = script.submit("two", key="same")
        await script.settle()
        first.cancel()
        await script.settle()
        assert script.log == ["one starts"]
        second.cancel()
        await script.settle()

    check(play, ["one starts", "one stops"])


def test_a_closed_document_wants_nothing() -> None:
    async def play(script: Script) -> None:
        task = script.submit("one")
        await script.settle()
        script.lane.drop_document("a")
        assert await task is None

    check(play, ["one starts", "one stops"])


def test_the_queue_is_bounded() -> None:
    async def play(script: Script) -> None:
        running = script.submit("one", "a", INVOKED)
        await script.settle()
        tasks = [script.submit(f"n{i}", f"uri{i}") for i in range(WAITING_MAX + 3)]
        await script.settle()
        assert len(script.lane.waiting) == WAITING_MAX
        await script.lane.close()
        assert await asyncio.gather(running, *tasks) == [None] * (WAITING_MAX + 4)

    check(play, ["one starts", "one stops"])


def test_a_failure_reaches_the_caller_and_frees_the_lane() -> None:
    async def play(script: Script) -> None:
        async def fail() -> str | None:
            raise ValueError("broken")

        with pytest.raises(ValueError, match="broken"):
            await script.lane.submit("a", "key", AUTOMATIC, fail)
        script.gates["next"] = asyncio.Event()
        script.gates["next"].set()
        assert await script.submit("next") == "next"

    check(play, ["next starts"])
