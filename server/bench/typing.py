"""`assist bench typing`: writes real functions through the real language server at human speed and measures what the writer would see; it changes no file."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import click

from assist.server.bench.editors import Editor, Ghost, LspEditor, pause_until
from assist.server.bench.keystrokes import Key, TypingTask, mine_tasks, plan_keys
from assist.server.bench.processes import cpu_seconds, resident_bytes
from assist.server.bench.report import echo_summary, share, write_cases, write_html
from assist.server.progress import show_progress

Outcome = Literal["shown", "empty", "censored"]

# Time in which a writer sees that a proposal is right and takes it.
ACCEPT_S = 0.35
# Time between opening the file and the first key.
SETTLE_S = 4.0
ACCEPTED_MIN = 3
SPIN = "while True: pass"


@dataclass(frozen=True)
class KeyCase:
    """What followed one key: ``latency_ms`` until the answer; "censored" by the next key.

    ``right``: the ghost text is what was going to be written. ``evaluated`` counts tokens that
    the model read, ``generated`` those it wrote.
    """

    editor: str
    package: str
    version: str
    path: str
    function: str
    start: int
    end: int
    sha256: str
    key: int
    written: int
    at_s: float
    outcome: Outcome
    latency_ms: float
    origin: str
    evaluated: int
    generated: int
    waited_ms: float
    length: int
    right: bool
    accepted: bool


@dataclass(frozen=True)
class Replay:
    """All keys of one editor, with the CPU seconds and the time they took."""

    cases: tuple[KeyCase, ...]
    cpu_s: float
    seconds: float
    resident_mb: float
    figures: Mapping[str, Any] = field(default_factory=dict)


@click.command("typing")
@click.option("--model", default="", help="A model's name or the path of a GGUF file.")
@click.option("--limit", type=click.IntRange(1), default=5, show_default=True, help="Functions.")
@click.option("--seed", default=0, show_default=True, help="Seed of the draw and of the writer.")
@click.option("--peer", is_flag=True, help="The same keys with llama-server too.")
@click.option("--busy", is_flag=True, help="Keep one core busy meanwhile.")
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), help="Write every key.")
@click.option("--html", "html_path", type=click.Path(path_type=Path), help="Write a page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    model: str,
    limit: int,
    seed: int,
    peer: bool,
    busy: bool,
    csv_path: Path | None,
    html_path: Path | None,
    as_json: bool,
) -> None:
    """Replay the writing of functions: time to ghost text, reuse, CPU, accepted characters."""
    tasks = mine_tasks(limit, seed)
    editors: dict[str, Editor] = {"assist": LspEditor(model)}
    if peer:
        editors["llama-server"] = _peer(model)
    replays: dict[str, Replay] = {}
    with show_progress() as progress, _second_process(busy):
        for name, editor in editors.items():
            replays[name] = asyncio.run(run_replay(editor, name, tasks, seed, progress))
    summary = summarise(replays["assist"])
    if peer:
        other = summarise(replays["llama-server"])
        summary |= {f"llama-server: {key}": value for key, value in other.items()}
        ratio = other["cpu_s_per_minute"] / max(summary["cpu_s_per_minute"], 1e-9)
        summary["cpu_of_llama_server_to_ours"] = round(ratio, 2)
    summary |= {"functions": len(tasks), "seed": seed, "busy": busy}
    cases = [case for replay in replays.values() for case in replay.cases]
    if csv_path:
        write_cases(csv_path, cases)
    if html_path:
        write_html(html_path, "Typing", summary, cases)
    echo_summary(summary, as_json=as_json)


async def run_replay(
    editor: Editor,
    name: str,
    tasks: Sequence[TypingTask],
    seed: int,
    progress: Callable[[str, float], None],
) -> Replay:
    """Write all functions with ``editor``; the CPU time of starting it is not counted."""
    await editor.start()
    cases: list[KeyCase] = []
    cpu = seconds = 0.0
    try:
        for number, task in enumerate(tasks):
            progress(f"writing {task.package}: {task.name}", number / len(tasks))
            await editor.open(f"{number}.py", task.before + task.after)
            await asyncio.sleep(SETTLE_S)
            started, used = time.perf_counter(), cpu_seconds(editor.pid)
            cases += [c async for c in _write(editor, name, task, random.Random(seed + number))]
            cpu += cpu_seconds(editor.pid) - used
            seconds += time.perf_counter() - started
        memory = resident_bytes(editor.pid) / 1e6
        figures = await editor.figures()
    finally:
        await editor.stop()
    return Replay(tuple(cases), cpu, seconds, memory, figures)


def summarise(replay: Replay) -> dict[str, Any]:
    """Latencies in ms of answers that are not empty, reuse, tokens, CPU and acceptance."""
    cases = replay.cases
    shown = [case for case in cases if case.outcome == "shown"]
    served = [case for case in shown if case.origin == "model"]
    reused = [case for case in shown if case.origin != "model"]
    written = sum(task_length for task_length in _lengths(cases))
    accepted = sum(case.length for case in cases if case.accepted)
    return {
        "keys": len(cases),
        "shown": share(len(shown), len(cases)),
        "censored": share(sum(case.outcome == "censored" for case in cases), len(cases)),
        **_quantiles("all_ms", shown),
        **_quantiles("model_ms", served),
        **_quantiles("reused_ms", reused),
        "served_without_model": share(len(reused), len(shown)),
        "evaluated_tokens_per_key": round(sum(c.evaluated for c in cases) / max(len(cases), 1), 2),
        "generated_tokens_per_key": round(sum(c.generated for c in cases) / max(len(cases), 1), 2),
        "cpu_s_per_minute": round(60 * replay.cpu_s / max(replay.seconds, 1e-9), 2),
        "minutes": round(replay.seconds / 60, 2),
        "right": share(sum(case.right for case in shown), len(shown)),
        "accepted_characters": share(accepted, written),
        "resident_mb": round(replay.resident_mb),
        **replay.figures,
    }


async def _write(editor: Editor, name: str, task: TypingTask, chance: random.Random) -> Any:
    """Write one function; yields a case for every key."""
    head, text, at = len(task.before), task.before + task.after, len(task.before)
    keys = plan_keys(task.body, 0, chance)
    key: Key | None = next(keys)
    moment = began = time.perf_counter()
    number = 0
    pending: asyncio.Task[Ghost] | None = None
    while key is not None:
        await editor.change(text, at, key.delete, key.insert)
        text = text[: at - key.delete] + key.insert + text[at:]
        at += len(key.insert) - key.delete
        if pending:
            pending.cancel()
        pressed = time.perf_counter()
        pending = asyncio.create_task(editor.ghost(text, at))
        following = next(keys, None)
        moment = max(moment, pressed) + (following.wait_s if following else 1.0)
        ghost, latency_ms = await _answer(pending, moment)
        number += 1
        left = task.body[at - head :]
        is_right = bool(ghost and ghost.text.strip() and left.startswith(ghost.text.rstrip()))
        is_right = is_right and text[head:at] == task.body[: at - head]
        takes = is_right and ghost is not None and len(ghost.text.rstrip()) >= ACCEPTED_MIN
        yield KeyCase(
            editor=name,
            package=task.package,
            version=task.version,
            path=task.path,
            function=task.name,
            start=task.span.start,
            end=task.span.end,
            sha256=task.sha256,
            key=number,
            written=at - head,
            at_s=round(pressed - began, 3),
            outcome="censored" if ghost is None else "shown" if ghost.text else "empty",
            latency_ms=round(latency_ms, 1),
            origin=ghost.origin if ghost else "",
            evaluated=ghost.evaluated if ghost else 0,
            generated=ghost.generated if ghost else 0,
            waited_ms=round(ghost.waited_ms, 1) if ghost else 0.0,
            length=len(ghost.text) if ghost else 0,
            right=is_right,
            accepted=takes,
        )
        if takes and ghost is not None:
            moment = max(time.perf_counter(), pressed) + ACCEPT_S
            keys = plan_keys(task.body, at - head + len(ghost.text.rstrip()), chance)
            following = Key(ACCEPT_S, 0, ghost.text.rstrip())
        await pause_until(moment)
        key = following
    if pending:
        pending.cancel()


async def _answer(pending: asyncio.Task[Ghost], moment: float) -> tuple[Ghost | None, float]:
    """The answer and its latency in ms; none when the next key comes first."""
    started = time.perf_counter()
    await asyncio.wait({pending}, timeout=max(0.0, moment - started))
    latency_ms = (time.perf_counter() - started) * 1e3
    if not pending.done():
        return None, latency_ms
    return pending.result(), latency_ms


def _peer(model: str) -> Editor:
    """llama-server with the file that ours runs, and the suffix where its template has one."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise click.UsageError("llama-server is missing. Run: pip install 'assist-lsp[bench]'")
    from assist.models.open import open_model
    from assist.server.bench.peer_editor import PeerEditor

    opened = open_model(model)
    opened.model.close()
    has_markers = opened.model.vocabulary.fim is not None
    return PeerEditor(opened.model.file, infill=opened.template.uses_suffix and has_markers)


def _quantiles(name: str, cases: Sequence[KeyCase]) -> dict[str, float | None]:
    times = sorted(case.latency_ms for case in cases)
    if len(times) < 2:
        return {f"{name}_p50": times[0] if times else None, f"{name}_p95": None}
    cuts = statistics.quantiles(times, n=20, method="inclusive")
    return {f"{name}_p50": round(cuts[9], 1), f"{name}_p95": round(cuts[18], 1)}


def _lengths(cases: Sequence[KeyCase]) -> list[int]:
    """Lengths of the functions, each once."""
    return list({(c.path, c.start): c.end - c.start for c in cases}.values())


@contextlib.contextmanager
def _second_process(busy: bool) -> Iterator[None]:
    """A process that never sleeps, while the block runs."""
    if not busy:
        yield
        return
    process = subprocess.Popen([sys.executable, "-I", "-c", SPIN])
    try:
        yield
    finally:
        process.kill()
        process.wait()
