"""The editor that speaks to llama-server, against a server that notes what it is asked."""

from __future__ import annotations

import asyncio
import json

from assist.server.bench.editors import Ghost
from assist.server.bench.peer_editor import PeerEditor


async def check(
    texts: list[str], *, infill: bool
) -> tuple[list[Ghost | None], list[dict[str, str]]]:
    """Answers to ``texts`` asked in a burst, none for those given up; and what was asked."""
    asked: list[dict[str, str]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length:")[2].split()[0])
        asked.append(json.loads(await reader.readexactly(size)))
        await asyncio.sleep(0.1)
        body = json.dumps({"content": "b\n", "timings": {"prompt_n": 3, "predicted_n": 2}})
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + body.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    editor = PeerEditor("", infill=infill)
    editor._host, editor._port = server.sockets[0].getsockname()
    tasks = []
    for text in texts:
        tasks.append(asyncio.create_task(editor.ghost(text + "\nend", len(text))))
        await asyncio.sleep(0.01)
    for task in tasks[:-1]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    server.close()
    return [r if isinstance(r, Ghost) else None for r in results], asked


def test_the_newest_request_waits_for_the_one_on_its_way() -> None:
    found, asked = asyncio.run(check(["a", "a =", "a = "], infill=False))
    assert found == [None, None, Ghost("b", "model", 3, 2)]
    assert [request["prompt"] for request in asked] == ["a", "a = "]


def test_a_model_with_markers_is_shown_the_suffix() -> None:
    _, (request,) = asyncio.run(check(["x\na = "], infill=True))
    assert (request["input_prefix"], request["prompt"]) == ("x\n", "a = ")
    assert request["input_suffix"] == "\nend"
