"""The language server in its own process, with the embedded model, as editors use it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pytest_lsp.client import make_test_lsp_client

from assist.cache.statistics import StatisticsStore
from support.lsp import ANSWER_S_MAX, SERVER, URI, Editor, editor, model_file

pytestmark = [pytest.mark.model, pytest.mark.asyncio]

SAMPLE = "def add(a, b):\n    return a + b\n\n\ndef mul(a, b):\n    return a"


async def check(text: str, *, encoding: str = "utf-16") -> list[str]:
    """Ghost texts at ``$0`` of a document that was typed there, character by character."""
    before, _, after = text.partition("$0")
    line = before.count("\n")
    column = before.rsplit("\n", 1)[-1]
    units = len(column.encode(f"{encoding}-le" if encoding != "utf-8" else encoding))
    units //= {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    async with editor(encodings=[encoding]) as session:
        session.open(before + after)
        return await session.ghost_texts(line, units)


async def test_ghost_text_of_the_real_model() -> None:
    texts = await check(SAMPLE + "$0\n")
    assert texts and texts[0].strip().startswith("*")


async def test_a_change_is_seen() -> None:
    async with editor() as session:
        session.open(SAMPLE)
        session.change((4, 4), (4, 7), "subtract")
        session.change((5, 12), (5, 12), " -")
        assert (await session.ghost_texts(5, 14))[0].strip() == "b"
        report = await session.command("assist.lastCompletion")
        assert report["items"][0]["start"] == {"line": 6, "column": 15}
        assert report["model"]["file"].endswith(".gguf")


async def test_status_goes_from_loading_to_ready() -> None:
    async with editor() as session:
        await session.wait_for("ready")
        assert session.statuses[0]["state"] == "loading"
        status = await session.command("assist.status")
        assert status["state"] == "ready" and status["engine"]["restarts"] == 0


async def test_progress_is_shown_while_the_model_loads() -> None:
    async with editor() as session:
        await session.wait_for("ready")
        (reports,) = session.client.progress_reports.values()
        kinds = [getattr(report, "kind", None) for report in reports]
        assert kinds[0] == "begin" and kinds[-1] == "end"


async def test_everything_else_is_answered_while_the_model_loads(tmp_path: Path) -> None:
    endless = tmp_path / "endless.gguf"
    os.mkfifo(endless)
    async with editor(environment={"ASSIST_MODEL_NAME": str(endless)}) as session:
        session.open(SAMPLE)
        waiting = asyncio.create_task(session.ghost_texts(5, 12))
        await session.wait_for("loading")
        status = await session.command("assist.status")
        assert status["state"] == "loading"
        with pytest.raises(JsonRpcException, match="not defined"):
            await session.command("assist.nothing")
        session.cancel_all()
        with pytest.raises(JsonRpcException):
            await waiting


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_every_position_encoding(encoding: str) -> None:
    text = "def add(a, b):\n    return a + b\n\n\ndef mul(a, b):\n    '''😀é€'''; return a$0"
    texts = await check(text, encoding=encoding)
    assert texts and texts[0].strip().startswith("*")


async def test_an_entry_that_is_highlighted_is_continued() -> None:
    async with editor() as session:
        text = "def add(first, b):\n    return first + b\n\n\ndef mul(first, b):\n    return fi"
        session.open(text)
        range_ = lsp.Range(lsp.Position(5, 11), lsp.Position(5, 13))
        selected = lsp.SelectedCompletionInfo(range_, "first")
        result = await session.inline(5, 13, selected=selected)
        (item,) = result.items
        assert str(item.insert_text).startswith("first *")
        assert item.range == range_


async def test_several_proposals_when_asked_for() -> None:
    async with editor() as session:
        session.open(SAMPLE)
        assert 1 <= len(await session.ghost_texts(5, 12, is_invoked=True)) <= 3


async def test_a_language_that_is_off_gets_nothing_and_says_so() -> None:
    async with editor(settings={"completion": {"languages": ["*", "!python"]}}) as session:
        session.open(SAMPLE)
        await session.wait_for("paused")
        assert await session.ghost_texts(5, 12) == []
        session.client.set_configuration({"assist": {}})
        session.client.workspace_did_change_configuration(lsp.DidChangeConfigurationParams({}))
        await session.wait_for("ready")
        assert await session.ghost_texts(5, 12)


async def test_another_model_is_loaded_without_a_restart_of_the_server(tmp_path: Path) -> None:
    environment = {"ASSIST_MODEL_NAME": "", "ASSIST_HOME": str(tmp_path)}
    async with editor(environment=environment) as session:
        await session.wait_for("problem")
        session.client.set_configuration({"assist": {"model": {"name": model_file()}}})
        session.client.workspace_did_change_configuration(lsp.DidChangeConfigurationParams({}))
        await session.wait_for("ready")
        session.open(SAMPLE)
        assert await session.ghost_texts(5, 12)


async def test_a_socket_on_loopback() -> None:
    process = await asyncio.create_subprocess_exec(
        *SERVER,
        "--tcp",
        "127.0.0.1:0",
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"ASSIST_MODEL_NAME": model_file()},
    )
    assert process.stderr is not None
    line = (await process.stderr.readline()).decode()
    host, _, port = line.split()[-1].rpartition(":")
    client = make_test_lsp_client()
    await client.start_tcp(host, int(port))
    await client.initialize_session(lsp.InitializeParams(lsp.ClientCapabilities()))
    session = Editor(client, URI)
    session.open(SAMPLE)
    assert await session.ghost_texts(5, 12)
    await client.shutdown_async(None)
    client.exit(None)
    assert await asyncio.wait_for(process.wait(), ANSWER_S_MAX) == 0


@pytest.mark.parametrize("address", ["0.0.0.0:1", "example.org:1", "127.0.0.1", "127.0.0.1:99999"])
async def test_other_addresses_are_refused(address: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *SERVER, "--tcp", address, stderr=asyncio.subprocess.PIPE
    )
    _, error = await process.communicate()
    assert process.returncode == 2
    assert error.count(b"\n") == 1 and error.startswith(b"assist: ")


async def test_the_command_line_gives_the_same_text(tmp_path: Path) -> None:
    path = tmp_path / "sample.py"
    path.write_text(SAMPLE)
    async with editor(uri=path.as_uri()) as session:
        session.open(SAMPLE)
        texts = await session.ghost_texts(5, 12, is_invoked=True)
    command = [*SERVER[:-1], "complete", f"{path}:6:13", "--json", "--model", model_file()]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert json.loads(output)["items"][0]["text"] == texts[0]


@pytest.mark.parametrize("is_on", [True, False])
async def test_statistics_of_what_was_shown_and_accepted(tmp_path: Path, is_on: bool) -> None:
    settings = {"statistics": {"enabled": is_on}}
    async with editor(environment={"ASSIST_HOME": str(tmp_path)}, settings=settings) as session:
        session.open(SAMPLE)
        (item,) = (await session.inline(5, 12)).items
        session.notify("textDocument/didShowCompletion", {"item": session.plain(item)})
        part = {"item": session.plain(item), "acceptedLength": 2}
        session.notify("textDocument/didPartiallyAcceptCompletion", part)
        if item.command is not None:
            await session.command(item.command.command, *(item.command.arguments or ()))
    store = StatisticsStore(tmp_path / "data" / "statistics.db")
    assert store.path.exists() is is_on
    if is_on:
        (python,) = store.read().languages
        assert (python.requests, python.shown, python.accepted_whole) == (1, 1, 1)
        assert python.accepted_characters == len(str(item.insert_text))
