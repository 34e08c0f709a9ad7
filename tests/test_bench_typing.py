"""The typing bench against an editor that answers by a table."""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from assist.analysis.document import Span
from assist.server.bench import typing as bench
from assist.server.bench.editors import Ghost
from assist.server.bench.keystrokes import TypingTask, mine_tasks, plan_keys
from assist.server.bench.typing import Replay, run_replay, summarise

BODY = "total = 0\n    return total"
TASK = TypingTask(
    "p", "1", "p/a.py", "f", Span(13, 13 + len(BODY)), "00", "def f():\n    ", BODY, "\n"
)


class TableEditor:
    """Answers with what ``ghosts`` has for the current line, slowly where it says so."""

    pid = os.getpid()

    def __init__(self, ghosts: dict[str, str], delay_s: float = 0.0) -> None:
        self.ghosts = ghosts
        self.delay_s = delay_s
        self.text = ""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def figures(self) -> dict[str, float]:
        return {"waited_ms_max": 1.5}

    async def open(self, name: str, text: str) -> None:
        self.text = text

    async def change(self, text: str, at: int, delete: int, insert: str) -> None:
        assert text == self.text
        self.text = text[: at - delete] + insert + text[at:]

    async def ghost(self, text: str, at: int) -> Ghost:
        assert text == self.text
        await asyncio.sleep(self.delay_s)
        line = text[:at].rpartition("\n")[2]
        return Ghost(self.ghosts.get(line, ""), "model", 2, 3)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "SETTLE_S", 0.0)
    monkeypatch.setattr(bench, "ACCEPT_S", 0.0)
    for name in ("KEY_S", "KEY_S_MIN", "WORD_PAUSE_S", "LINE_PAUSE_S", "MISTAKE_PAUSE_S"):
        monkeypatch.setattr(f"assist.server.bench.keystrokes.{name}", 0.002)
    for name in ("KEY_SPREAD_S", "LINE_PAUSE_SPREAD_S"):
        monkeypatch.setattr(f"assist.server.bench.keystrokes.{name}", 0.0)


def check(editor: TableEditor) -> Replay:
    replay = asyncio.run(run_replay(editor, "table", [TASK], 0, lambda *_: None))
    assert editor.text == TASK.before + TASK.body + TASK.after
    return replay


def test_the_function_is_written_whole() -> None:
    summary = summarise(check(TableEditor({})))
    assert summary["waited_ms_max"] == 1.5
    assert summary["shown"]["hits"] == 0 and summary["accepted_characters"]["hits"] == 0


def test_right_ghost_text_is_accepted() -> None:
    replay = check(TableEditor({"    tot": "al = 0", "    r": "eturn wrong"}))
    accepted = [case for case in replay.cases if case.accepted]
    assert [(case.written, case.length) for case in accepted] == [(3, 6)]
    shown = [case for case in replay.cases if case.outcome == "shown"]
    assert len(shown) == 2 and sum(case.right for case in shown) == 1
    assert summarise(replay)["accepted_characters"]["hits"] == 6


def test_answers_after_the_next_key_do_not_count() -> None:
    replay = check(TableEditor({"    tot": "al = 0"}, delay_s=0.5))
    assert {case.outcome for case in replay.cases[:-1]} == {"censored"}
    assert all(case.evaluated == 0 for case in replay.cases[:-1])


@pytest.mark.parametrize("seed", range(5))
def test_keys_write_the_body_with_corrections(seed: int) -> None:
    body = "if a:\n    b = abcdefghij\n\n    return b\n" * 6
    written = ""
    for key in plan_keys(body, 0, random.Random(seed)):
        written = written[: len(written) - key.delete] + key.insert
        assert key.wait_s >= 0
    assert written == body


def test_mined_functions_are_real() -> None:
    tasks = mine_tasks(4, 0, ["click", "rich"])
    assert [task.package for task in tasks] == ["click", "rich", "click", "rich"]
    for task in tasks:
        compile(task.before + task.body + task.after, task.path, "exec")
        assert len(task.body) == task.span.length
