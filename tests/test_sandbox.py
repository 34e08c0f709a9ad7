"""Attacks on the candidate sandbox, with and without bubblewrap, for root and for an unprivileged user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.attacks import ATTACKS

ROOT = Path(__file__).parent.parent
NOBODY = 65534
SYSTEM_PYTHON = next(
    (path for path in map(shutil.which, ("/usr/bin/python3.13", "/usr/bin/python3.12", "/usr/bin/python3.11")) if path), None
)  # fmt: skip


@pytest.fixture(scope="module")
def readable_tree() -> Iterator[Path]:
    """The sources where any user can read them."""
    folder = Path(tempfile.mkdtemp(prefix="assist-sources-"))
    folder.chmod(0o755)
    (folder / "assist").mkdir()
    (folder / "assist" / "analysis").mkdir()
    for name in ("__init__.py", "errors.py"):
        shutil.copy(ROOT / "analysis" / name, folder / "assist" / "analysis" / name)
    shutil.copytree(ROOT / "analysis" / "execution", folder / "assist" / "analysis" / "execution")
    shutil.copytree(ROOT / "tests" / "support", folder / "support")
    yield folder
    shutil.rmtree(folder)


def check(tree: Path, user: str, bubblewrap: bool) -> None:
    interpreter = sys.executable
    options: dict[str, int | list[int]] = {}
    if user == "nobody":
        if os.getuid() != 0:
            pytest.skip("only root can become somebody else")
        if SYSTEM_PYTHON is None:
            pytest.skip("no interpreter that everybody can read")
        interpreter = SYSTEM_PYTHON
        options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    if bubblewrap and shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    if not bubblewrap:
        environment["ASSIST_NO_BUBBLEWRAP"] = "1"
    done = subprocess.run(
        [interpreter, "-c", RUN, str(tree / "support" / "attack_runner.py"), interpreter],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert report["layers"][:2] == ["full", bubblewrap]
    assert set(report["found"]) == set(ATTACKS)
    escaped = {name: text for name, text in report["found"].items() if "ESCAPED" in text}
    assert not escaped
    assert not report["changed"] and not report["left"]
    deadline = time.monotonic() + 10
    while (left := processes_with(report["worker"])) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left


RUN = """
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def processes_with(text: str) -> list[str]:
    """Command lines of living processes that hold ``text``."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        if text in line:
            found.append(f"{folder.name} {line!r}")
    return found


@pytest.mark.parametrize("bubblewrap", [True, False], ids=["bubblewrap", "lockdown"])
@pytest.mark.parametrize("user", ["current", "nobody"])
def test_every_attack_is_contained(readable_tree: Path, user: str, bubblewrap: bool) -> None:
    check(readable_tree, user, bubblewrap)
