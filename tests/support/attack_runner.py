"""Runs every attack in the candidate sandbox and prints what happened as JSON; a script, so that any user and interpreter can run it."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from pathlib import Path

from assist.analysis.execution.bundle import describe
from assist.analysis.execution.profiles import make_plan
from assist.analysis.execution.session import Session, version_of
from assist.analysis.execution.types import Subject

sys.path.insert(0, str(Path(__file__).parent.parent))
from support.attacks import ATTACKS


def main(interpreter: str) -> None:
    os.environ["ASSIST_TEST_SECRET"] = "hunter2"
    with (
        tempfile.TemporaryDirectory(prefix="assist-attack-") as folder,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        workspace, outside = Path(folder, "workspace"), Path(folder, "outside")
        (workspace / ".git" / "hooks").mkdir(parents=True)
        outside.mkdir()
        (outside / "secret.txt").write_text("secret")
        for name in (".env", "data.txt", "module.py", ".git/config"):
            (workspace / name).write_text("secret")
        before = listing(Path(folder))
        fields = {
            "outside": outside,
            "workspace": workspace,
            "parent": os.getpid(),
            "port": server.getsockname()[1],
        }
        plan = make_plan(describe(Path(interpreter)), workspace, [], [], False)
        found: dict[str, str] = {}
        with Session(plan) as session:
            for name, body in ATTACKS.items():
                text = "def f(x):\n" + body
                for key, value in fields.items():
                    text = text.replace("{" + key + "}", str(value))
                version = version_of(
                    Subject(workspace / "module.py", "f", text), workspace, (), False
                )
                outcome = session.run(version, [{"expression": "((0,), {})", "once": True}])[0]
                found[name] = describe_outcome(outcome.data, outcome.problem)
        report = {
            "layers": [plan.isolation, bool(plan.bubblewrap), plan.uid],
            "found": found,
            "worker": str(plan.interpreter.worker),
            "changed": listing(Path(folder)) != before,
            "left": [
                str(p)
                for p in (Path("/tmp"), Path("/dev/shm"), Path("/var/tmp"))
                for p in p.glob(f"assist-attack-{os.getpid()}")
            ],
        }
    sys.stdout.write(json.dumps(report))


def listing(folder: Path) -> list[tuple[str, int, float, bytes]]:
    return sorted(
        (
            str(path),
            path.stat().st_mode,
            path.stat().st_mtime,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in folder.rglob("*")
    )


def describe_outcome(data: dict[str, object], problem: str) -> str:
    if problem:
        return "ended: " + problem
    if "result" in data:
        return str(data["result"])
    return "raised: " + json.dumps(data.get("nodes"))[:200]


if __name__ == "__main__":
    main(sys.argv[1])
