"""The server's pipe as bytes, for messages that no well-behaved client sends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from typing import Any

from support.lsp import ANSWER_S_MAX, SERVER

Message = dict[str, Any]


class Wire:
    """Sends bytes or messages and reads what comes back."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self.process = process
        self._stdin = process.stdin
        self._stdout = process.stdout

    def send_bytes(self, data: bytes) -> None:
        self._stdin.write(data)

    def send_body(self, body: bytes) -> None:
        self.send_bytes(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def send(self, **message: Any) -> None:
        self.send_body(json.dumps({"jsonrpc": "2.0", **message}).encode())

    async def read(self) -> Message:
        """The next message, whatever it is."""
        length = 0
        async with asyncio.timeout(ANSWER_S_MAX):
            while (line := await self._stdout.readline()).strip():
                name, _, value = line.partition(b":")
                if name == b"Content-Length":
                    length = int(value)
            assert line, "the server has gone"
            message = json.loads(await self._stdout.readexactly(length))
        assert isinstance(message, dict)
        return message

    async def answer(self, id_: int | str | None) -> Message:
        """The next response with this id; notifications and requests of the server are skipped."""
        while True:
            message = await self.read()
            if "method" not in message and message.get("id") == id_:
                return message

    async def ask(self, method: str, params: Any = None, id_: int = 1) -> Message:
        self.send(id=id_, method=method, params=params)
        return await self.answer(id_)

    async def initialize(self, **params: Any) -> Message:
        answer = await self.ask("initialize", {"capabilities": {}, "processId": None, **params}, 0)
        self.send(method="initialized", params={})
        return answer

    async def leave(self) -> int:
        """Shut down; the exit code."""
        await self.ask("shutdown", None, 999)
        self.send(method="exit")
        return await self.ended()

    async def ended(self) -> int:
        async with asyncio.timeout(ANSWER_S_MAX):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def wire(model: str = "/nonexistent.gguf", **environment: str) -> AsyncIterator[Wire]:
    """A server process without a session yet; killed at the end if it still lives."""
    process = await asyncio.create_subprocess_exec(
        *SERVER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"ASSIST_MODEL_NAME": model} | environment,
    )
    try:
        yield Wire(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
