from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from assist.cache.store import open_store
from assist.server.commands.cache import command


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSIST_HOME", str(tmp_path))


def check(*arguments: str) -> str:
    result = CliRunner().invoke(command, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_stats_of_an_empty_cache() -> None:
    assert "0 files" in check("stats")


def test_stats_count_and_clear_empties() -> None:
    open_store().put("file:///a.py", "model", b"x" * 2_000_000)
    open_store().get("file:///b.py", "model")
    figures = json.loads(check("stats", "--json"))
    assert (figures["files"], figures["misses"], figures["damaged"]) == (1, 1, 0)
    assert "2.0 MB" in check("clear")
    assert json.loads(check("stats", "--json"))["files"] == 0
