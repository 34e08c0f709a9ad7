"""Which folder, interpreter and tests belong to a path; it reads names of files and runs nothing."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT_MARKS = (".git", ".hg", "pyproject.toml", "setup.py", "setup.cfg")
TEST_FOLDERS = ("tests", "test")
INNER_TESTS = ("*/tests", "src/*/tests")  # of packages that carry their tests with them
PYPROJECT_BYTES_MAX = 1_000_000


def find_workspace(paths: Sequence[Path]) -> Path:
    """The nearest folder above the first path with a mark of a project; else the path's own folder."""
    first = (paths[0] if paths else Path()).absolute()
    folder = first if first.is_dir() else first.parent
    for candidate in (folder, *folder.parents):
        if any((candidate / mark).exists() for mark in ROOT_MARKS):
            return candidate
    return folder


def find_interpreter(workspace: Path) -> Path:
    """The project's own Python: its virtual environment, the active one, or the one that runs this."""
    environments = [workspace / ".venv", workspace / "venv"]
    active = os.environ.get("VIRTUAL_ENV")
    if active:
        environments.append(Path(active))
    for environment in environments:
        for name in ("bin/python", "Scripts/python.exe"):
            if (environment / name).exists():
                return environment / name
    return Path(sys.executable)


def find_tests(workspace: Path) -> list[Path]:
    """Where pytest would look: its configured paths, else the usual folders and files; may be empty."""
    configured = [workspace / name for name in _configured(workspace)]
    found = [path for path in configured if path.exists()]
    if not found:
        found = [workspace / name for name in TEST_FOLDERS if (workspace / name).is_dir()]
    if not found:
        inner = [path for pattern in INNER_TESTS for path in sorted(workspace.glob(pattern))]
        found = [path for path in inner if (path.parent / "__init__.py").is_file()]
    if not found:
        found = sorted(workspace.glob("test_*.py")) + sorted(workspace.glob("*_test.py"))
    return found


def _configured(workspace: Path) -> list[str]:
    path = workspace / "pyproject.toml"
    try:
        if path.stat().st_size > PYPROJECT_BYTES_MAX:
            return []
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    pytest = data.get("tool", {}).get("pytest", {}).get("ini_options", {})
    paths = pytest.get("testpaths", []) if isinstance(pytest, dict) else []
    if isinstance(paths, str):
        paths = paths.split()
    return [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []
