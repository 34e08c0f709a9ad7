"""`assist bench server`: what an editor feels of the processes: start, cancellation, crash, memory, the event loop; it changes no file."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from lsprotocol import types as lsp

from assist.analysis.document import Document, Edit, Span
from assist.models.registry import chosen_name, require_installed
from assist.server import messages
from assist.server.bench.editors import SERVER, LspEditor, plain
from assist.server.bench.processes import resident_bytes
from assist.server.bench.report import echo_summary, write_cases, write_html
from assist.server.engine_process import EngineProcess, EngineState, opened
from assist.server.progress import show_progress
from assist.server.settings import Settings

TOKENS_SMALL = 1_000
TOKENS_LARGE = 8_000
CODE_POINTS_PER_TOKEN = 3.2
KEYS_PER_SECOND = 12
WAIT_S_MAX = 300.0
SPIN = "while True: pass"

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class ServingCase:
    """One measured value; ``detail`` says of what."""

    measure: str
    number: int
    value: float
    unit: str
    detail: str = ""


@click.command("server")
@click.option("--model", default="", help="A model's name or the path of a GGUF file.")
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True, help="Repetitions.")
@click.option("--seed", default=0, show_default=True, help="Seed of the moments of cancellation.")
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), help="Write every value.")
@click.option("--html", "html_path", type=click.Path(path_type=Path), help="Write a page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    model: str,
    limit: int,
    seed: int,
    csv_path: Path | None,
    html_path: Path | None,
    as_json: bool,
) -> None:
    """Start, first answer, cancellation, crash, memory and event loop of the real processes."""
    with show_progress() as progress:
        cases = asyncio.run(measure(_file_of(model), limit, random.Random(seed), progress))
    summary = summarise(cases)
    if csv_path:
        write_cases(csv_path, cases)
    if html_path:
        write_html(html_path, "Server", summary, cases)
    echo_summary(summary, as_json=as_json)


def _file_of(model: str) -> str:
    """Path of a model that is on this machine: the server of a bench has an empty home."""
    if Path(model).is_file():
        return str(Path(model).resolve())
    return require_installed(model or chosen_name()).file.path


async def measure(
    model: str, limit: int, draw: random.Random, progress: Progress
) -> list[ServingCase]:
    """All values, in the order of the CSV."""
    cases: list[ServingCase] = []
    parts: list[tuple[str, Callable[[], AsyncIterator[ServingCase]]]] = [
        ("start", lambda: _starts(model, limit)),
        ("cancel", lambda: _cancellations(model, limit, draw)),
        ("crash", lambda: _crashes(model, limit)),
        ("memory", lambda: _memory(model)),
        ("event loop", lambda: _event_loop(model)),
    ]
    for number, (name, run) in enumerate(parts):
        progress(name, number / len(parts))
        cases += [case async for case in run()]
    progress("done", 1.0)
    return cases


def summarise(cases: list[ServingCase]) -> dict[str, Any]:
    """Median and largest value of every measure, and the machine's cores and load."""
    summary: dict[str, Any] = {}
    for name in dict.fromkeys(case.measure for case in cases):
        values = [case.value for case in cases if case.measure == name]
        unit = next(case.unit for case in cases if case.measure == name)
        summary[f"{name} [{unit}]"] = {
            "median": round(statistics.median(values), 1),
            "max": round(max(values), 1),
            "n": len(values),
        }
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return summary | {"cores": os.cpu_count() or 0, "load at the end": round(load, 1)}


async def _starts(model: str, limit: int) -> AsyncIterator[ServingCase]:
    """From the start of the server's process; the second start of a pair has the state on disk."""
    text = sample(TOKENS_SMALL)
    for number in range(limit):
        with tempfile.TemporaryDirectory() as home:
            for kind in ("cold", "warm"):
                started = time.perf_counter()
                async with _editor(model, home) as editor:
                    initialized_s = editor.initialized_at - started
                    await editor.open("start.py", text)
                    ghost = await editor.ghost(text, len(text))
                    _require_model(editor)
                    first_s = time.perf_counter() - started
                    if kind == "cold":
                        # Idle work writes the state; the warm start is to find it.
                        await asyncio.sleep(3.0)
                yield ServingCase(f"initialize {kind}", number, initialized_s * 1e3, "ms")
                yield ServingCase(f"first answer {kind}", number, first_s * 1e3, "ms", ghost.text)


async def _cancellations(model: str, limit: int, draw: random.Random) -> AsyncIterator[ServingCase]:
    """From the cancellation of a request at a random moment until the lane is free."""
    document = Document("file:///bench/cancel.py", sample(TOKENS_LARGE // 2))
    async with _engine(model, document) as engine:
        for number in range(limit * 3):
            at = draw.randrange(len(document.text) // 2, len(document.text))
            request = asyncio.create_task(engine.complete(_request(document, at)))
            after_s = draw.uniform(0.05, 1.0)
            await asyncio.sleep(after_s)
            if request.done():
                continue
            cancelled = time.perf_counter()
            request.cancel()
            await asyncio.wait([request])
            free_ms = (time.perf_counter() - cancelled) * 1e3
            yield ServingCase("cancel", number, free_ms, "ms", f"after {after_s * 1e3:.0f} ms")


async def _crashes(model: str, limit: int) -> AsyncIterator[ServingCase]:
    """From a crash or the beginning of a hang until a new engine has its model and documents."""
    document = Document("file:///bench/crash.py", sample(TOKENS_SMALL))
    for name, number in (("crash", signal.SIGSEGV), ("hang", signal.SIGSTOP)):
        for repetition in range(min(limit, 3)):
            async with _engine(model, document) as engine:
                assert engine.pid is not None
                os.kill(engine.pid, number)
                killed = time.perf_counter()
                while not engine.restarts or not await engine.is_ready():
                    await asyncio.sleep(0.005)
                ready_s = time.perf_counter() - killed
                yield ServingCase(f"ready after a {name}", repetition, ready_s * 1e3, "ms")


async def _memory(model: str) -> AsyncIterator[ServingCase]:
    """Resident memory of all processes after an answer with the context full and names asked for."""
    text = sample(TOKENS_LARGE)
    environment = {"ASSIST_MODEL_CONTEXT": str(TOKENS_LARGE + 192)}
    environment |= {"ASSIST_CONTEXT_TOKENS": str(TOKENS_LARGE - 256)}
    environment |= {"ASSIST_COMPLETION_MILLISECONDS": "60000"}
    with tempfile.TemporaryDirectory() as home:
        async with _editor(model, home, environment) as editor:
            await editor.open("memory.py", text)
            await editor.ghost(text, len(text))
            await editor.names(text, len(text))
            await asyncio.sleep(1.0)
            tokens = await editor.prompt_tokens()
            _require_model(editor)
            megabytes = resident_bytes(editor.pid) / 2**20
            yield ServingCase("resident", 0, megabytes, "MB", f"{tokens} tokens of context")
            for name, size in (await editor.memory_mb()).items():
                yield ServingCase(f"resident {name}", 0, size, "MB")


async def _event_loop(model: str) -> AsyncIterator[ServingCase]:
    """The longest callbacks of the server while somebody types into two files beside a busy process."""
    text = sample(TOKENS_LARGE)
    with tempfile.TemporaryDirectory() as home, _busy():
        path = Path(home) / "callbacks.json"
        command = (sys.executable, "-P", "-m", "assist.server.bench.loop_probe", str(path))
        async with _editor(model, home, command=command) as editor:
            await editor.open("large.py", "def f():\n    pass\n" * 60_000)
            await editor.open("loop.py", text)
            document = Document("loop", text)
            waiting: set[asyncio.Task[Any]] = set()
            for number, character in enumerate(
                "result = [value for value in values if value]\n" * 3
            ):
                at = len(text) // 2 + number
                await editor.change(document.text, at, 0, character)
                document = document.apply([Edit(Span(at, at), character)])
                for task in waiting:
                    task.cancel()
                requests = (editor.ghost, editor.names)
                waiting = {asyncio.create_task(run(document.text, at + 1)) for run in requests}
                await asyncio.sleep(1 / KEYS_PER_SECOND)
            await asyncio.wait(waiting, timeout=5)
        probe = json.loads(path.read_text(encoding="utf-8"))
    longest = sorted(probe["noted"], key=lambda entry: -entry["cpu_ms"])[:10]
    for number, entry in enumerate(longest):
        yield ServingCase("callback cpu", number, entry["cpu_ms"], "ms", entry["callback"])
    longest = sorted(probe["noted"], key=lambda entry: -entry["wall_ms"])[:10]
    for number, entry in enumerate(longest):
        yield ServingCase("callback wall", number, entry["wall_ms"], "ms", entry["callback"])
    yield ServingCase("callbacks", 0, probe["count"], "count")


class _Editor(LspEditor):
    """The bench's editor, which also asks for names and notes when the server was initialized."""

    def __init__(self, model: str, home: str, environment: dict[str, str]) -> None:
        super().__init__(model)
        # The time of an answer is measured, not whether it is worth showing.
        self._environment |= {"ASSIST_HOME": home, "ASSIST_COMPLETION_THRESHOLD": "eager"}
        self._environment |= environment
        self.command: tuple[str, ...] = SERVER
        self.initialized_at = 0.0

    async def start(self) -> None:
        await self._client.start_io(*self.command, env=os.environ | self._environment)
        parameters = lsp.InitializeParams(lsp.ClientCapabilities(), process_id=os.getpid())
        await self._client.initialize_async(parameters)
        self.initialized_at = time.perf_counter()
        self._client.initialized(lsp.InitializedParams())

    @property
    def is_ready(self) -> bool:
        return self._ready.is_set()

    async def prompt_tokens(self) -> int:
        report = await self._command("assist.lastCompletion")
        return int(report["tokens"]["prompt"]) if report else 0

    async def memory_mb(self) -> dict[str, int]:
        status = await self._command("assist.status")
        return {name: int(size) for name, size in status["memory_mb"].items()}

    async def _command(self, name: str) -> Any:
        params = lsp.ExecuteCommandParams(name)
        return plain(await self._client.workspace_execute_command_async(params))

    async def names(self, text: str, at: int) -> Any:
        line = text.count("\n", 0, at)
        position = lsp.Position(line, at - (text.rfind("\n", 0, at) + 1))
        document = lsp.TextDocumentIdentifier(self._uri)
        return await self._request(
            lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionParams(document, position)
        )


@contextlib.asynccontextmanager
async def _editor(
    model: str,
    home: str,
    environment: dict[str, str] | None = None,
    command: tuple[str, ...] = SERVER,
) -> AsyncIterator[_Editor]:
    editor = _Editor(model, home, environment or {})
    editor.command = command
    async with asyncio.timeout(WAIT_S_MAX):
        await editor.start()
        try:
            yield editor
        finally:
            await editor.stop()


@contextlib.asynccontextmanager
async def _engine(model: str, document: Document) -> AsyncIterator[EngineProcess]:
    """A supervised engine that has its model and the document."""

    def ignore(_state: EngineState) -> None:
        pass

    engine = EngineProcess(lambda: [opened(document)], ignore)
    engine.start(Settings(model_name=model, model_context=TOKENS_LARGE, kv_disk=False))
    try:
        async with asyncio.timeout(WAIT_S_MAX):
            if not await engine.is_ready():
                raise click.ClickException(engine.state.message)
            yield engine
    finally:
        await engine.stop()


def _require_model(editor: _Editor) -> None:
    """An answer without a model must not be measured."""
    if not editor.is_ready:
        raise click.ClickException("The server has no model. Run: assist models check")


def _request(document: Document, at: int) -> Callable[[int], messages.Complete]:
    def make(id_: int) -> messages.Complete:
        return messages.Complete(
            id=id_,
            uri=document.uri,
            version=document.version,
            offset=at,
            tokens=512,
            context_tokens=TOKENS_LARGE // 2,
            candidates=1,
            milliseconds=60_000,
            invoked=True,
            threshold="eager",
            monitors=True,
        )

    return make


def sample(tokens: int) -> str:
    """Real code of about ``tokens`` tokens, which ends inside a function: the standard library's own."""
    source = Path(argparse.__file__).read_text(encoding="utf-8")
    size = int(tokens * CODE_POINTS_PER_TOKEN)
    return source[:size].rsplit("\n", 1)[0] + "\n        "


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        yield
    finally:
        process.kill()
        process.wait()
