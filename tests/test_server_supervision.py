"""Native crashes, hangs and cancellations cost one answer at most, with the real model."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pygls.exceptions import JsonRpcException

from support.lsp import ANSWER_S_MAX, Editor, editor, model_file
from support.wire import wire

pytestmark = [pytest.mark.model, pytest.mark.asyncio]

SAMPLE = "def add(a, b):\n    return a + b\n\n\ndef mul(a, b):\n    return a"
# Long enough that its prefill is still running when the test acts.
LONG = "".join(f"def function_{i}(a, b):\n    return a * {i} + b\n\n\n" for i in range(400))
CANCELLED = -32800


async def check(session: Editor) -> None:
    """The session still works, with the documents it had."""
    texts = await session.ghost_texts(5, 12)
    assert texts and texts[0].strip().startswith("*")


async def engine_pid(session: Editor) -> int:
    await session.wait_for("ready")
    status = await session.command("assist.status")
    return int(status["engine"]["pid"])


async def restarts(session: Editor, count: int) -> None:
    async with asyncio.timeout(ANSWER_S_MAX):
        while (await session.command("assist.status"))["engine"]["restarts"] < count:
            await asyncio.sleep(0.05)


async def start_long_request(session: Editor) -> asyncio.Task[list[str]]:
    """A request whose prefill is running."""
    uri = "file:///project/long.py"
    session.open(LONG + "def last(a, b):\n    return a", uri=uri)
    line = LONG.count("\n") + 1
    task = asyncio.create_task(session.ghost_texts(line, 12, uri=uri))
    async with asyncio.timeout(ANSWER_S_MAX):
        while not (await session.command("assist.status"))["queue"]["running"]:
            await asyncio.sleep(0.005)
    return task


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGSTOP])
async def test_an_engine_that_dies_or_hangs_while_idle(number: signal.Signals) -> None:
    async with editor() as session:
        session.open(SAMPLE)
        os.kill(await engine_pid(session), number)
        await restarts(session, 1)
        await check(session)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGSTOP])
async def test_an_engine_that_dies_or_hangs_at_work(number: signal.Signals) -> None:
    async with editor(settings={"context": {"tokens": 4096}}) as session:
        session.open(SAMPLE)
        pid = await engine_pid(session)
        task = await start_long_request(session)
        os.kill(pid, number)
        assert await task == []
        await restarts(session, 1)
        await check(session)


async def test_edits_are_not_lost_by_a_crash() -> None:
    async with editor() as session:
        session.open("x = 1\n")
        session.change((0, 0), (1, 0), SAMPLE)
        os.kill(await engine_pid(session), signal.SIGSEGV)
        await restarts(session, 1)
        await check(session)


async def test_a_cancelled_request_frees_the_lane() -> None:
    async with editor(settings={"context": {"tokens": 4096}}) as session:
        session.open(SAMPLE)
        pid = await engine_pid(session)
        task = await start_long_request(session)
        session.cancel_all()
        with pytest.raises(JsonRpcException) as caught:
            await task
        assert caught.value.code == CANCELLED
        await check(session)
        assert await engine_pid(session) == pid


async def test_a_newer_request_takes_the_lane() -> None:
    async with editor(settings={"context": {"tokens": 4096}}) as session:
        session.open(SAMPLE)
        pid = await engine_pid(session)
        task = await start_long_request(session)
        await check(session)
        assert await task == []
        assert await engine_pid(session) == pid


async def test_nothing_outlives_the_server() -> None:
    async with wire(model_file()) as session:
        await session.initialize()
        while True:
            status = await session.ask("workspace/executeCommand", {"command": "assist.status"})
            if pid := status["result"]["engine"]["pid"]:
                break
        session.process.kill()
        await wait_until_gone(pid)


async def test_the_engine_starts_before_the_editor_says_anything() -> None:
    async with wire(model_file()) as session:
        pid = await engine_child(session.process.pid)
        await session.initialize()
        status = await session.ask("workspace/executeCommand", {"command": "assist.status"})
        while not status["result"]["engine"]["pid"]:
            status = await session.ask("workspace/executeCommand", {"command": "assist.status"})
        assert status["result"]["engine"]["pid"] == pid
        assert status["result"]["engine"]["restarts"] == 0


async def test_an_editor_that_leaves_at_once_leaves_no_engine() -> None:
    async with wire(model_file()) as session:
        pid = await engine_child(session.process.pid)
        assert session.process.stdin is not None
        session.process.stdin.close()
        await session.ended()
        await wait_until_gone(pid)


async def test_the_server_leaves_with_its_editor() -> None:
    editor_process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    async with wire() as session:
        await session.initialize(processId=editor_process.pid)
        editor_process.kill()
        editor_process.wait()
        assert await session.ended() == 1


async def engine_child(parent: int) -> int:
    """Process id of the engine that the server ``parent`` started, as the system tells it."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    if not children.exists():
        pytest.skip("this system does not list the children of a process")
    async with asyncio.timeout(ANSWER_S_MAX):
        while not (pids := children.read_text().split()):
            await asyncio.sleep(0.01)
    return int(pids[0])


async def wait_until_gone(pid: int) -> None:
    async with asyncio.timeout(ANSWER_S_MAX):
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            await asyncio.sleep(0.05)
