"""Classes of attrs that are made with and without code of an earlier start."""

from __future__ import annotations

import builtins
import importlib
import marshal
from pathlib import Path
from types import CodeType
from typing import Any

import attr
import pytest

from assist.cache.paths import cache_directory
from assist.server.compiled import kept_compiled


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASSIST_HOME", str(tmp_path))


def check(monkeypatch: pytest.MonkeyPatch, *, compiles: bool) -> None:
    """A start makes a class that works; ``compiles`` tells whether it had to compile for that."""
    sources: list[str] = []

    def counting(source: str, *arguments: Any) -> CodeType:
        sources.append(source)
        return builtins.compile(source, *arguments)

    with kept_compiled(), monkeypatch.context() as patch:
        patch.setattr("assist.server.compiled.compile", counting, raising=False)
        point = attr.make_class("Point", ["x", "y"])
    assert (point(1, y=2), repr(point(1, 2))) == (point(1, 2), "Point(x=1, y=2)")
    assert bool(sources) == compiles
    assert "compile" not in vars(importlib.import_module("attr._make"))


def kept() -> Path:
    (path,) = cache_directory().iterdir()
    return path


def test_the_second_start_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    check(monkeypatch, compiles=True)
    check(monkeypatch, compiles=False)
    assert kept().stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", [b"", b"nonsense", marshal.dumps([1])])
def test_a_damaged_file_is_replaced(monkeypatch: pytest.MonkeyPatch, damage: bytes) -> None:
    check(monkeypatch, compiles=True)
    kept().write_bytes(damage)
    check(monkeypatch, compiles=True)
    check(monkeypatch, compiles=False)


def test_a_directory_that_cannot_be_used_costs_only_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file where the directory should be")
    check(monkeypatch, compiles=True)
