from __future__ import annotations

import stat
from pathlib import Path

import pytest

from assist.cache import paths


def check(path: Path, mode: int) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == mode, path


def test_one_variable_moves_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSIST_HOME", str(tmp_path / "new" / "home"))
    directories = (paths.data_directory(), paths.cache_directory(), paths.models_directory())
    for directory in directories:
        assert directory.is_relative_to(tmp_path / "new" / "home")
        check(directory, 0o700)
    check(tmp_path / "new", 0o700)
    assert len(set(directories)) == 3


def test_without_the_variable_the_platform_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ASSIST_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert paths.data_directory() == tmp_path / "data" / "assist"
    assert paths.cache_directory() == tmp_path / "cache" / "assist"


def test_a_write_is_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "choice.json"
    paths.write_private(path, b"old")
    paths.write_private(path, b"new")
    check(path, 0o600)
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in path.parent.iterdir()] == ["choice.json"]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "choice.json"
    paths.write_private(path, b"old")
    with pytest.raises(TypeError):
        paths.write_private(path, "text")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["choice.json"]
