"""The code action "Find a faster version" in the real language server: offered, run, reviewed, refused."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp

from support.lsp import ANSWER_S_MAX, Editor, editor
from support.processes import processes_below

pytestmark = [pytest.mark.model, pytest.mark.asyncio]

SOURCE = '''"""Words."""


def common(left: list[int], right: list[int]) -> list[int]:
    found = []
    for word in left:  # ünïcode 𝔘
        if word in right and word not in found:
            found.append(word)
    return found


def same(x: int) -> int:
    return x
'''
SEARCH_S_MAX = 240
TRUSTED = {"workspace": {"trusted": True}}


class Review:
    """An editor that takes every edit it is asked for, and remembers them."""

    def __init__(self, session: Editor, accepts: bool = True) -> None:
        self.session = session
        self.edits: list[lsp.ApplyWorkspaceEditParams] = []
        self.steps: list[Any] = []

        @session.client.feature(lsp.WORKSPACE_APPLY_EDIT)
        def on_edit(params: lsp.ApplyWorkspaceEditParams) -> lsp.ApplyWorkspaceEditResult:
            self.edits.append(params)
            return lsp.ApplyWorkspaceEditResult(accepts)

    async def actions(self, line: int) -> list[lsp.CodeAction]:
        place = lsp.Position(line, 4)
        params = lsp.CodeActionParams(
            lsp.TextDocumentIdentifier(self.session.uri),
            lsp.Range(place, place),
            lsp.CodeActionContext([]),
        )
        found = await self.session.client.text_document_code_action_async(params)
        chosen = [each for each in found or [] if isinstance(each, lsp.CodeAction)]
        assert all(each.command is None for each in chosen)
        resolve = self.session.client.code_action_resolve_async
        return [await resolve(each) for each in chosen]

    async def run(self, action: lsp.CodeAction) -> Any:
        assert action.command is not None
        params = lsp.ExecuteCommandParams(action.command.command, action.command.arguments)
        async with asyncio.timeout(SEARCH_S_MAX):
            return await self.session.client.workspace_execute_command_async(params)

    @property
    def messages(self) -> list[str]:
        return [each.message for each in self.session.client.messages]


def sleeping_tests(folder: Path) -> None:
    """Tests that a search waits for."""
    text = "import time\n\ndef test_it():\n    time.sleep(600)\n"
    (folder / "test_words.py").write_text(text, encoding="utf-8")


async def search_process(session: Editor) -> int:
    """The process of the running search, once there is one."""
    server = session.client._server
    assert server is not None
    async with asyncio.timeout(ANSWER_S_MAX):
        while True:
            for pid in processes_below(server.pid):
                if "assist.server.search_worker" in command_of(pid):
                    return pid
            await asyncio.sleep(0.02)


async def children_of(pid: int) -> list[int]:
    """What a process has started, once it has."""
    async with asyncio.timeout(ANSWER_S_MAX):
        while not (found := processes_below(pid)):
            await asyncio.sleep(0.02)
    return found


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    return bool(command_of(pid))


def module(folder: Path) -> str:
    path = folder / "words.py"
    path.write_text(SOURCE, encoding="utf-8")
    (folder / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    return path.as_uri()


async def test_a_faster_version_comes_as_an_edit_for_review(tmp_path: Path) -> None:
    uri = module(tmp_path)
    trusted = {"workspace": {"trusted": True}}
    environment = {"ASSIST_HOME": str(tmp_path / "home")}
    async with editor(
        uri=uri, settings=trusted, environment=environment, reviews_edits=True
    ) as session:
        review = Review(session)
        session.open(SOURCE)
        assert await review.actions(1) == []
        (action,) = await review.actions(5)
        assert action.title == "Find a faster version of common"
        answer = await review.run(action)
        (params,) = review.edits
        assert params.edit.document_changes is not None
        (change,) = params.edit.document_changes
        assert isinstance(change, lsp.TextDocumentEdit)
        assert change.text_document.version == session.version
        assert all(isinstance(each, lsp.AnnotatedTextEdit) for each in change.edits)
        (annotation,) = (params.edit.change_annotations or {}).values()
        assert annotation.needs_confirmation and "Same behaviour on" in (
            annotation.description or ""
        )
        assert answer["applied"] and "```diff" in answer["markdown"]
        assert any("faster" in message for message in review.messages)


async def test_nothing_faster_says_so(tmp_path: Path) -> None:
    uri = module(tmp_path)
    trusted = {"workspace": {"trusted": True}}
    environment = {"ASSIST_HOME": str(tmp_path / "home")}
    async with editor(uri=uri, settings=trusted, environment=environment) as session:
        review = Review(session)
        session.open(SOURCE)
        (action,) = await review.actions(12)
        answer = await review.run(action)
        assert answer["suggestions"] == [] and review.edits == []
        assert review.messages[-1] == "No faster version was found: no rule fits."


async def test_an_untrusted_workspace_runs_nothing(tmp_path: Path) -> None:
    uri = module(tmp_path)
    async with editor(uri=uri) as session:
        review = Review(session)
        session.open(SOURCE)
        assert await review.actions(5) == []
        place = {"uri": uri, "line": 5, "version": 1}
        assert await session.command("assist.findFaster", place) is None
        assert "Trust the workspace" in review.messages[-1]
        assert review.edits == []


@pytest.mark.parametrize("how", ["request", "progress"])
async def test_a_search_that_is_cancelled_leaves_nothing_running(tmp_path: Path, how: str) -> None:
    uri = module(tmp_path)
    sleeping_tests(tmp_path)
    environment = {"ASSIST_HOME": str(tmp_path / "home")}
    async with editor(uri=uri, settings=TRUSTED, environment=environment) as session:
        review = Review(session)
        session.open(SOURCE)
        (action,) = await review.actions(5)
        running = asyncio.create_task(review.run(action))
        search = await search_process(session)
        started = [search, *await children_of(search)]
        if how == "request":
            session.cancel_all()
            with pytest.raises(Exception, match="cancel"):
                await running
        else:
            token = list(session.client.progress_reports)[-1]
            params = lsp.WorkDoneProgressCancelParams(token)
            session.client.window_work_done_progress_cancel(params)
            assert await running is None
        async with asyncio.timeout(ANSWER_S_MAX):
            while any(is_alive(pid) for pid in started):
                await asyncio.sleep(0.05)
        assert await session.command("assist.lastCompletion") is None


async def test_a_search_that_is_killed_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    uri = module(tmp_path)
    sleeping_tests(tmp_path)
    environment = {"ASSIST_HOME": str(tmp_path / "home")}
    async with editor(uri=uri, settings=TRUSTED, environment=environment) as session:
        review = Review(session)
        session.open(SOURCE)
        (action,) = await review.actions(5)
        running = asyncio.create_task(review.run(action))
        os.kill(await search_process(session), signal.SIGKILL)
        assert await running is None
        assert "ended unexpectedly" in review.messages[-1]
        assert len(await review.actions(5)) == 1
