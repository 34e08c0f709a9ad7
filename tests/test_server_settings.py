"""Configuration, pauses, folders and status as an editor sees them; no model is needed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from support.wire import Message, Wire, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

WARNING = 2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plain() -> AsyncIterator[Wire]:
    """A server whose editor knows no configuration."""
    async with wire() as shared:
        await shared.initialize()
        yield shared
        assert await shared.leave() == 0


async def status(session: Wire) -> dict[str, Any]:
    answer = await session.ask("workspace/executeCommand", {"command": "assist.status"}, 50)
    result: dict[str, Any] = answer["result"]
    return result


async def check(session: Wire, text: str) -> None:
    """A warning that contains ``text`` is shown."""
    while True:
        message = await session.read()
        if message.get("method") == "window/showMessage":
            assert message["params"]["type"] == WARNING
            if text in message["params"]["message"]:
                return


async def answer_configuration(session: Wire, answers: dict[str | None, object]) -> Message:
    """Answer the server's next question for the configuration, by scope."""
    while True:
        message = await session.read()
        if message.get("method") == "workspace/configuration":
            scopes = [item.get("scopeUri") for item in message["params"]["items"]]
            session.send(id=message["id"], result=[answers.get(scope) for scope in scopes])
            return message


PULLING = {"workspace": {"configuration": True, "workspaceFolders": True}}


async def test_a_wrong_setting_is_shown(plain: Wire) -> None:
    settings = {"assist": {"completion": {"token": 3}}}
    plain.send(method="workspace/didChangeConfiguration", params={"settings": settings})
    await check(plain, "Did you mean 'completion.tokens'?")
    assert len((await status(plain))["problems"]) == 1


async def test_configuration_is_pulled_for_every_folder(tmp_path: Path) -> None:
    folders = [(tmp_path / name).as_uri() for name in ("one", "two")]
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "pyproject.toml").write_text("[tool.assist]\nsuggest.seconds = 'x'\n")
    async with wire() as session:
        await session.initialize(
            capabilities=PULLING, workspaceFolders=[{"uri": uri, "name": uri} for uri in folders]
        )
        answers: dict[str | None, object] = {None: None, folders[0]: {"kv": {"reuse": "none"}}}
        question = await answer_configuration(session, answers)
        assert [item.get("scopeUri") for item in question["params"]["items"]] == [None, *folders]
        await check(session, "one of shift, prefix, off")
        problems = (await status(session))["problems"]
        assert len(problems) == 2 and "pyproject.toml: suggest.seconds" in problems[1]
        assert await session.leave() == 0


async def test_configuration_that_never_comes(tmp_path: Path) -> None:
    async with wire() as session:
        await session.initialize(capabilities=PULLING)
        assert (await status(session))["problems"] == []
        assert await session.leave() == 0


async def test_documents_and_languages_are_paused(plain: Wire) -> None:
    async def pause(**target: object) -> Message:
        params = {"command": "assist.pause", "arguments": [target]}
        return await plain.ask("workspace/executeCommand", params, 60)

    assert (await pause(uri="file:///a.py"))["result"] == {"paused": True}
    assert (await pause(language="c", paused=True))["result"] == {"paused": True}
    assert (await status(plain))["paused"] == ["c", "file:///a.py"]
    assert (await pause(uri="file:///a.py"))["result"] == {"paused": False}
    assert (await pause(language="c", paused=False))["result"] == {"paused": False}
    for wrong in ({}, {"uri": 3}, {"uri": "a", "language": "c"}, {"uri": "a", "paused": "yes"}):
        assert "error" in await pause(**wrong)


async def test_status_knows_models_memory_and_versions(plain: Wire) -> None:
    figures = await status(plain)
    assert {"name", "state", "megabytes"} <= set(figures["models"][0])
    assert figures["memory_mb"]["server"] > 0
    assert figures["memory_mb"]["total"] >= figures["memory_mb"]["server"]
    assert figures["versions"]["server"] == figures["version"]


async def test_the_extension_says_its_version_and_trust() -> None:
    async with wire() as session:
        options = {"extensionVersion": "9.9.9", "trusted": True, "settings": {"nonsense": 1}}
        await session.initialize(initializationOptions=options)
        await check(session, "unknown setting 'nonsense'")
        assert (await status(session))["versions"]["extension"] == "9.9.9"
        assert await session.leave() == 0


async def test_folders_come_and_go(plain: Wire, tmp_path: Path) -> None:
    folder = {"uri": tmp_path.as_uri(), "name": "x"}
    for added, removed in [([folder], []), ([], [folder])]:
        event = {"added": added, "removed": removed}
        plain.send(method="workspace/didChangeWorkspaceFolders", params={"event": event})
        assert (await status(plain))["folders"] == [entry["uri"] for entry in added]
