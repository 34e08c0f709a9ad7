"""What `make` says when something is missing; nothing is built here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOOLS = ("sh", "dirname", "date", "grep", "sed", "awk", "cut", "tail", "tr", "touch", "df", "sleep")


def check(folder: Path, message: str, *, code: int = 1, tools: dict[str, str] | None = None) -> str:
    """Run the build of a copy of the checkout's build files with only ``tools`` on the path."""
    checkout = folder / "checkout"
    (checkout / ".ci").mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / ".ci" / "build", checkout / ".ci" / "build")
    shutil.copy(ROOT / "pyproject.toml", checkout / "pyproject.toml")
    path = Path(tempfile.mkdtemp(dir=folder))
    scripts = tools or {}
    for name in TOOLS:
        # A script must never be written through a link to the machine's own tool.
        if name not in scripts and (found := shutil.which(name)):
            (path / name).symlink_to(found)
    for name, script in scripts.items():
        (path / name).touch(mode=0o755, exist_ok=False)
        (path / name).write_text(f"#!/bin/sh\n{script}\n")
    done = subprocess.run(
        [str(path / "sh"), str(checkout / ".ci" / "build")],
        env={"PATH": str(path), "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert message in done.stderr + done.stdout, done.stdout + done.stderr
    assert done.stderr.strip().count("\n") == 0
    return done.stdout


def environment(folder: Path) -> Path:
    """A virtual environment that looks finished, with a pip that fails with ``pip.log``."""
    venv = folder / "checkout" / ".venv"
    (venv / "bin").mkdir(parents=True)
    python = venv / "bin" / "python"
    python.write_text(
        '#!/bin/sh\ncase "$*" in *--version*) exit 0;; esac\ncat "$HOME/pip.log" 2>/dev/null; exit 1\n'
    )
    python.chmod(0o755)
    return venv


def test_a_python_that_is_too_old(tmp_path: Path) -> None:
    check(tmp_path, "Python 3.11 or newer is needed", tools={"python3": "exit 1"})


def test_no_compiler(tmp_path: Path) -> None:
    environment(tmp_path)
    check(tmp_path, "no C++ compiler (cc)")


def test_no_disk(tmp_path: Path) -> None:
    environment(tmp_path)
    tools = {"cc": "", "c++": "", "df": "echo head; echo x x x 12 x x"}
    check(tmp_path, "only 12 MB of disk are free here", tools=tools)


def test_what_pip_says_becomes_one_line(tmp_path: Path) -> None:
    environment(tmp_path)
    tools = {"cc": "", "c++": "", "cat": f'exec {shutil.which("cat")} "$@"'}
    log = tmp_path / "pip.log"
    for text, message in (
        ("ERROR: No matching distribution found for x", "the package index did not deliver"),
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("No CMAKE_CXX_COMPILER could be found", "no working C++ compiler"),
        ("error: something else", "build llama.cpp failed: error: something else"),
    ):
        log.write_text(f"line\n{text}\nline\n")
        check(tmp_path, message, tools=tools)


def test_a_finished_build_is_left_alone(tmp_path: Path) -> None:
    venv = environment(tmp_path)
    check(tmp_path, "no C++ compiler")
    (venv / f".{llama_requirement()}").touch()
    installed = venv / ".installed"
    installed.touch()
    newer = (tmp_path / "checkout" / "pyproject.toml").stat().st_mtime + 60
    os.utime(installed, (newer, newer))
    assert check(tmp_path, "", code=0) == ""
    flags = tmp_path / "checkout" / "models" / "llama_build.cmake"
    flags.parent.mkdir()
    flags.touch()
    os.utime(flags, (newer, newer))
    check(tmp_path, "no C++ compiler")


def test_the_build_takes_the_version_that_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert llama_requirement().replace("==", ">=") in project["dependencies"]


def llama_requirement() -> str:
    script = (ROOT / ".ci" / "build").read_text(encoding="utf-8")
    found = re.search(r"^LLAMA=(\S+)$", script, re.MULTILINE)
    assert found
    return found[1]
