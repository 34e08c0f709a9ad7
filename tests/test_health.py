from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from assist.cache.paths import models_directory
from assist.models.registry import InstalledModel, ModelFile, choose, save_installed
from assist.server.cli import group
from assist.server.commands.status import is_ours
from assist.server.health import Finding, examine


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSIST_HOME", str(tmp_path / "home"))
    return tmp_path


def check(name: str, state: str, text: str = "", remedy: str = "") -> None:
    found = [finding for finding in examine() if finding.name == name]
    assert [finding.state for finding in found] == [state], found
    assert text in found[0].text and remedy in found[0].remedy


def install(path: Path) -> None:
    file = ModelFile(str(path), "Q8_0", path.stat().st_size, "00")
    save_installed(InstalledModel("tiny", "added", (file,), "Q8_0", "{prefix}", "prefix only"))
    choose("tiny")


def test_a_missing_model_is_a_problem_with_its_remedy() -> None:
    check("model", "problem", "not on this machine", "assist models fetch smollm2-135m")


def test_a_model_file_that_changed_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF" + bytes(60))
    install(path)
    check("model", "fine", "tiny Q8_0")
    check("template", "fine", "prefix only")
    path.write_bytes(b"GGUF")
    check("model", "problem", "has changed")


def test_directories_that_others_can_read_are_a_warning() -> None:
    check("models directory", "fine")
    models_directory().chmod(0o755)
    check("models directory", "warning", "mode 755", "chmod 700")


def test_this_machine_is_examined_whole() -> None:
    findings = list(examine())
    assert all(isinstance(finding, Finding) and finding.text for finding in findings)
    assert not [finding for finding in findings if "could not be checked" in finding.text]
    assert {"python", "llama.cpp", "threads", "memory"} <= {finding.name for finding in findings}
    for finding in findings:
        assert finding.remedy or finding.state == "fine"


def test_the_command_ends_with_an_error_when_there_is_a_problem() -> None:
    result = CliRunner().invoke(group, ["doctor", "--json"], standalone_mode=False)
    assert result.return_value == 2
    states = {row["name"]: row["state"] for row in json.loads(result.output)["findings"]}
    assert states["python"] == "fine" and states["model"] == "problem"


def test_status_tells_what_is_here(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(bytes(3_000_000))
    install(path)
    page = tmp_path / "status.html"
    result = CliRunner().invoke(group, ["status", "--json", "--html", str(page)])
    figures = json.loads(result.output)
    assert figures["model"]["name"] == "tiny"
    assert figures["disk"]["models"] == 1
    assert "prefix only" in page.read_text(encoding="utf-8")


def test_running_processes_are_told_from_others() -> None:
    assert is_ours(["/x/.venv/bin/python", "/x/.venv/bin/assist", "serve"])
    assert is_ours(["python", "-m", "assist.server.worker"])
    assert not is_ours(["vim", "assist", "README.md"])
    assert not is_ours(["python", "/x/.venv/bin/assist", "status"])
    assert not is_ours(Path(f"/proc/{os.getpid()}/cmdline").read_text().split("\0"))
