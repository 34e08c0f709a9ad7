from __future__ import annotations

import sys
from pathlib import Path

import pytest

from assist.analysis import environment
from assist.analysis.environment import Environment


def make(root: Path, version: str = "3.12", config: str | None = None) -> Path:
    """A virtual environment as a user has one, without an interpreter that could run."""
    site = root / "lib" / f"python{version}" / "site-packages"
    site.mkdir(parents=True)
    (root / "pyvenv.cfg").write_text(config or f"home = /nowhere/bin\nversion = {version}.1\n")
    return site


@pytest.fixture(autouse=True)
def no_active_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)


def check(workspace: Path, setting: str = "") -> Environment:
    return environment.find_environment(workspace, setting)


def test_the_workspace_environment_is_found(tmp_path: Path) -> None:
    site = make(tmp_path / ".venv")
    found = check(tmp_path)
    assert found.root == str(tmp_path / ".venv")
    assert found.version == (3, 12)
    assert found.site_packages == (str(site),)


def test_an_environment_with_another_name_is_found(tmp_path: Path) -> None:
    make(tmp_path / "python-stuff")
    assert check(tmp_path).root == str(tmp_path / "python-stuff")


def test_the_setting_comes_first(tmp_path: Path) -> None:
    make(tmp_path / ".venv")
    make(tmp_path / "other", "3.11")
    assert check(tmp_path, str(tmp_path / "other")).version == (3, 11)
    interpreter = tmp_path / "other" / "bin" / "python"
    interpreter.parent.mkdir()
    interpreter.write_text("#!/bin/sh\ntouch " + str(tmp_path / "started") + "\n")
    interpreter.chmod(0o755)
    assert check(tmp_path, "other/bin/python").version == (3, 11)
    assert not (tmp_path / "started").exists()


def test_links_are_followed_but_never_run(tmp_path: Path) -> None:
    site = make(tmp_path / ".venv")
    target = tmp_path / "src"
    (target / "mine").mkdir(parents=True)
    evil = tmp_path / "evil"
    (site / "a.pth").write_text(f"# comment\n{target}\n{tmp_path / 'missing'}\n")
    (site / "b.pth").write_text(f"import os; os.mkdir({str(evil)!r})\n")
    other = tmp_path / "other"
    (other / "yours").mkdir(parents=True)
    (site / "__editable___yours_0_finder.py").write_text(
        f"MAPPING: dict[str, str] = {{'yours': {str(other / 'yours')!r}, 'odd': '/x/y'}}\nx = 1\n"
    )
    assert check(tmp_path).site_packages == (str(site), str(target), str(other))
    assert not evil.exists()


def test_system_packages_only_when_the_environment_says_so(tmp_path: Path) -> None:
    base = tmp_path / "base"
    system = base / "lib" / "python3.12" / "site-packages"
    system.mkdir(parents=True)
    (base / "lib" / "python3.12" / "os.py").write_text("")
    config = f"home = {base / 'bin'}\ninclude-system-site-packages = true\nversion = 3.12.0\n"
    site = make(tmp_path / ".venv", config=config)
    found = check(tmp_path)
    assert found.site_packages == (str(site), str(system))
    assert found.standard_library == (str(base / "lib" / "python3.12"),)


@pytest.mark.parametrize("config", ["", "\x00\xff", "version = banana", "version = 3.99\n"])
def test_a_damaged_environment_is_passed_over(tmp_path: Path, config: str) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "pyvenv.cfg").write_text(config)
    assert check(tmp_path).root != str(tmp_path / ".venv")


def test_importable_modules(tmp_path: Path) -> None:
    for name in ("a.py", "b.pyi", "c.cpython-312-x86_64-linux-gnu.so", "not-a-name.py", "d.txt"):
        (tmp_path / name).write_text("")
    for name in ("pkg", "typed-stubs", "x-1.0.dist-info"):
        (tmp_path / name).mkdir()
    names = environment.importable_modules([str(tmp_path), str(tmp_path / "missing")])
    assert {"a", "b", "c", "pkg", "typed", "sys"} <= names
    assert not {"d", "x", "not-a-name"} & names


def test_own_environment_has_this_test_runner() -> None:
    own = environment.own_environment()
    assert own.version == sys.version_info[:2]
    assert "pytest" in environment.importable_modules(own.site_packages)
