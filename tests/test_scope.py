from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assist.analysis import scope as scope_module
from assist.analysis.document import Document
from assist.analysis.scope import Scope

PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scope]:
    workspace = tmp_path_factory.mktemp("workspace")
    (workspace / "shapes.py").write_text(
        "class Circle:\n    '''Round.'''\n    def area(self, scale: float = 1.0) -> float: ...\n"
    )
    client = Scope(workspace, tmp_path_factory.mktemp("cache"))
    yield client
    client.close()


def document(client: Scope, marked: str) -> tuple[Document, int]:
    marked = textwrap.dedent(marked)
    workspace = client._command[client._command.index("--workspace") + 1]
    uri = (Path(workspace or "/nowhere") / "main.py").as_uri()
    return Document(uri, marked.replace("$0", "")), marked.index("$0")


def check(client: Scope, marked: str) -> list[str]:
    """Names that fit at the cursor."""
    text, offset = document(client, marked)
    names = client.complete(text, text.position_at(offset), PATIENCE_SECONDS)
    return [name.text for name in names]


def test_members_of_the_workspace_and_of_the_standard_library(shared: Scope) -> None:
    assert "area" in check(shared, "import shapes\nshapes.Circle().$0")
    assert check(shared, "'a'.startsw$0") == ["startswith"]
    assert "path" in check(shared, "import os\nos.$0")


def test_an_edited_document_is_seen(shared: Scope) -> None:
    assert "first" in check(shared, "first = 1\nfir$0")
    assert check(shared, "é = 1\nsecond = 1\nfirst = 1\nsec$0") == ["second"]
    assert "first" not in check(shared, "second = 1\nfir$0")


def test_names_carry_kind_and_documentation(shared: Scope) -> None:
    text, offset = document(shared, "import shapes\nshapes.Circle().are$0")
    (name,) = shared.complete(text, text.position_at(offset), PATIENCE_SECONDS)
    assert (name.text, name.kind) == ("area", "function")
    assert shared.describe(0, PATIENCE_SECONDS).signatures == ("area(scale: float=1.0) -> float",)


def test_signatures_in_an_event_loop(shared: Scope) -> None:
    text, offset = document(shared, "import shapes\nshapes.Circle().area($0)")

    async def ask() -> tuple[tuple[str, int], ...]:
        return await shared.signatures_async(text, text.position_at(offset), PATIENCE_SECONDS)

    assert asyncio.run(ask()) == (("area(scale: float=1.0) -> float", 0),)


@pytest.mark.parametrize("text", ["", "(", "x = 'a\n  y.", "\x00", "é" * 500, "def f(:\n\tx."])
def test_broken_text_is_ordinary(shared: Scope, text: str) -> None:
    whole = Document("untitled:Untitled-1", text)
    shared.complete(whole, whole.position_at(len(text)), PATIENCE_SECONDS)
    assert "startswith" in check(shared, "''.$0")


def test_an_event_loop_is_not_blocked(shared: Scope) -> None:
    text, offset = document(shared, "import decimal, asyncio\nasyncio.$0")

    async def ask() -> tuple[int, bool]:
        beats = 0
        answer = asyncio.ensure_future(
            shared.complete_async(text, text.position_at(offset), PATIENCE_SECONDS)
        )
        while not answer.done():
            beats += 1
            await asyncio.sleep(0)
        return beats, bool(await answer)

    beats, answered = asyncio.run(ask())
    assert answered and beats > 3


def test_a_killed_worker_costs_one_answer(shared: Scope) -> None:
    check(shared, "''.$0")
    process_id = shared.process_id
    assert process_id is not None
    os.kill(process_id, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while "startswith" not in check(shared, "''.$0"):
        assert time.monotonic() < deadline
    assert shared.process_id not in (None, process_id)


def test_late_answers_are_nothing(shared: Scope) -> None:
    text, offset = document(shared, "import tokenize\ntokenize.$0")
    assert shared.complete(text, text.position_at(offset), timeout=0.0) == ()
    assert "open" in check(shared, "import tokenize\ntokenize.$0")


SILENT = "import sys\nfor line in sys.stdin: pass\n"
CRASHING = "import sys\nsys.exit(3)\n"
GARBAGE = (
    "print('no json', flush=True)\nimport sys\nfor line in sys.stdin: print('{}', flush=True)\n"
)


@pytest.mark.parametrize("program", [SILENT, CRASHING, GARBAGE])
def test_a_bad_worker_never_blocks(
    tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scope_module, "HANG_SECONDS_MAX", 0.05)
    client = Scope(None, tmp_path, worker=(sys.executable, "-c", program))
    text = Document("untitled:a", "x")
    try:
        for _ in range(12):
            assert client.complete(text, text.position_at(1), timeout=0.1) == ()
        assert len(client._waiting) <= 12
    finally:
        client.close()
    assert client.process_id is None


def test_a_worker_that_cannot_start_is_an_empty_answer(tmp_path: Path) -> None:
    client = Scope(None, tmp_path, worker=(str(tmp_path / "missing"),))
    text = Document("untitled:a", "x")
    assert client.complete(text, text.position_at(1), timeout=5.0) == ()
    client.close()
    assert client.complete(text, text.position_at(1), timeout=5.0) == ()


def test_nothing_of_the_workspace_is_imported(tmp_path: Path) -> None:
    """A package of the workspace's environment with code that would leave a trace when it runs."""
    trace = tmp_path / "trace"
    attack = f"open({str(trace)!r}, 'w')\n"
    workspace = tmp_path / "workspace"
    site = workspace / ".venv" / "lib" / "python3.11" / "site-packages"
    for folder in (workspace, site):
        (folder / "evil").mkdir(parents=True)
        (folder / "evil" / "__init__.py").write_text(attack + "value = 1\n")
        (folder / "jedi.py").write_text(attack)
        (folder / "sitecustomize.py").write_text(attack)
    (workspace / ".venv" / "pyvenv.cfg").write_text("home = /nowhere\nversion = 3.11.0\n")
    (site / "evil.pth").write_text(f"import os; open({str(trace)!r}, 'w')\n")
    (site / "native.cpython-311-x86_64-linux-gnu.so").write_bytes(b"\x7fELF")
    (workspace / ".jedi").mkdir()
    (workspace / ".jedi" / "project.json").write_text('[1, {"environment_path": "/bin/false"}]')
    client = Scope(workspace, tmp_path / "cache")
    try:
        assert "value" in check(client, "import evil\nevil.$0")
        check(client, "import native\nnative.$0")
        assert "startswith" in check(client, "import gi\n''.$0")
    finally:
        client.close()
    assert not trace.exists()
