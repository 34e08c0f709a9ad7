"""The editor of the typing bench that speaks to llama-server as llama.vim does; it caches nothing itself."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from assist.server.bench.editors import Ghost
from assist.server.bench.peer_server import (
    PeerOptions,
    peer_address,
    peer_command,
    peer_environment,
)

START_S_MAX = 120.0
# What llama.vim sends by default: lines around the cursor, tokens, and its limits in time.
PREFIX_LINES, SUFFIX_LINES = 256, 64
TOKENS_MAX = 128
PROMPT_MS_MAX, PREDICT_MS_MAX = 500, 1000
# Without fill-in-the-middle only the text before the cursor is sent, as much as ours shows.
PREFIX_CODE_POINTS_MAX = 3_500


class PeerEditor:
    """llama-server over HTTP. One request is on its way at a time, and the newest waits for its end.

    A closed connection is only noticed once a second, so closing it at every key would pile up work.
    """

    def __init__(self, file: str, *, infill: bool) -> None:
        self._file, self._infill = file, infill
        self._process: asyncio.subprocess.Process | None = None
        self._host, self._port = "", 0
        self._lock = asyncio.Lock()
        self._newest = 0
        self._tasks: set[asyncio.Task[dict[str, Any]]] = set()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *peer_command(self._file, PeerOptions()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=peer_environment(PeerOptions()),
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(START_S_MAX):
            address = None
            while address is None:
                address = peer_address((await self._process.stdout.readline()).decode())
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 0

    async def open(self, name: str, text: str) -> None:
        """llama-server knows no documents."""

    async def change(self, text: str, at: int, delete: int, insert: str) -> None:
        """It hears of a change with the next request."""

    async def ghost(self, text: str, at: int) -> Ghost:
        before, after = text[:at], text[at:]
        line = before.rpartition("\n")[2]
        request: dict[str, Any] = {
            "n_predict": TOKENS_MAX,
            "temperature": 0,
            "cache_prompt": True,
            "t_max_prompt_ms": PROMPT_MS_MAX,
            "t_max_predict_ms": PREDICT_MS_MAX,
            "stop": [] if not line.strip() else ["\n"],
        }
        if self._infill:
            head = before[: len(before) - len(line)].split("\n")
            request |= {
                "input_prefix": "\n".join(head[-PREFIX_LINES:]),
                "prompt": line,
                "input_suffix": "\n".join(after.split("\n")[:SUFFIX_LINES]),
            }
        else:
            request["prompt"] = before[-PREFIX_CODE_POINTS_MAX:]
        self._newest += 1
        path = "/infill" if self._infill else "/completion"
        task = asyncio.create_task(self._send(self._newest, path, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        reply = await asyncio.shield(task)
        timings = reply.get("timings", {})
        return Ghost(
            str(reply.get("content", "")).rstrip(),
            "model",
            int(timings.get("prompt_n", 0)),
            int(timings.get("predicted_n", 0)),
        )

    async def figures(self) -> dict[str, Any]:
        return {}

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._process is not None:
            self._process.kill()
            await self._process.wait()

    async def _send(self, number: int, path: str, request: dict[str, Any]) -> dict[str, Any]:
        """The reply, empty where a newer request came before this one was sent."""
        async with self._lock:
            return await self._post(path, request) if number == self._newest else {}

    async def _post(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(request).encode()
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            head = (
                f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nConnection: close\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
            data = (await reader.read()).partition(b"\r\n\r\n")[2]
        finally:
            writer.close()
        try:
            reply = json.loads(data)
        except ValueError:
            return {}
        return reply if isinstance(reply, dict) else {}
