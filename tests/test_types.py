"""The type checker passes; it needs the import namespace as real folders, so they are linked into one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("analysis", "cache", "completion", "models", "server")


def test_mypy_strict(tmp_path: Path) -> None:
    namespace = tmp_path / "assist"
    namespace.mkdir()
    for package in PACKAGES:
        (namespace / package).symlink_to(ROOT / package)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--config-file",
            str(ROOT / "pyproject.toml"),
            "--cache-dir",
            str(ROOT / ".mypy_cache"),
            "--namespace-packages",
            "--explicit-package-bases",
            "assist",
        ],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "MYPYPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
