"""`assist bench reopen`: the first token of a file that was open before the restart, from its state on disk against computed anew; it edits nothing."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from assist.cache.store import StateStore
from assist.models.kv_session import KvSession, Prefill
from assist.models.llama import LlamaOptions
from assist.models.open import open_model
from assist.server.bench.edit_cases import source_files
from assist.server.bench.report import echo_summary, write_cases
from assist.server.progress import show_progress

SPARE_TOKENS = 128
# A file with so many characters has the tokens that are asked for.
CHARACTERS_PER_TOKEN = 5
CHARACTERS_MAX = 200_000


@dataclass(frozen=True)
class Reopened:
    """One file opened twice: time to the first token in ms, tokens evaluated, bytes on disk."""

    document: str
    tokens: int
    bytes: int
    cold_evaluated: int
    cold_ms: float
    disk_evaluated: int
    disk_ms: float
    same_token: bool


@click.command("reopen")
@click.option("--model", default="", help="A model's name or the path of a GGUF file.")
@click.option("--tokens", type=click.IntRange(64), default=4000, show_default=True)
@click.option("--limit", type=click.IntRange(1), default=5, show_default=True, help="Files.")
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), help="Write every file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(model: str, tokens: int, limit: int, csv_path: Path | None, as_json: bool) -> None:
    """Open files after a restart: first token from the state on disk, and computed."""
    rows: list[Reopened] = []
    with show_progress() as progress:
        for row in reopen_files(model, tokens=tokens, limit=limit):
            rows.append(row)
            progress(f"file {len(rows)} of {limit}", len(rows) / limit)
    if csv_path:
        write_cases(csv_path, rows)
    echo_summary(summarise(rows), as_json=as_json)


def reopen_files(name: str, *, tokens: int, limit: int) -> Iterator[Reopened]:
    """Open each file with an empty cache, store its state, and open it in a model loaded anew."""
    options = LlamaOptions(tokens + SPARE_TOKENS, threads_decode=0, threads_prefill=0)
    low = tokens * CHARACTERS_PER_TOKEN
    for document, text in source_files(low, CHARACTERS_MAX)[:limit]:
        with tempfile.TemporaryDirectory(prefix="assist-") as folder:
            store = StateStore(Path(folder))
            cold, cold_ms, size, _ = _opened(name, options, store, document, text, tokens)
            disk, disk_ms, _, count = _opened(name, options, store, document, text, tokens)
        yield Reopened(
            document=document,
            tokens=count,
            bytes=size,
            cold_evaluated=cold.evaluated,
            cold_ms=round(cold_ms, 2),
            disk_evaluated=disk.evaluated,
            disk_ms=round(disk_ms, 2),
            same_token=int(np.argmax(cold.logits)) == int(np.argmax(disk.logits)),
        )


def summarise(rows: Sequence[Reopened]) -> dict[str, float | int]:
    """Medians in ms, and the paired ratio with its extremes."""
    if not rows:
        return {"files": 0}
    ratios = [row.cold_ms / row.disk_ms for row in rows]
    return {
        "files": len(rows),
        "tokens": int(statistics.median(row.tokens for row in rows)),
        "cold_ms": round(statistics.median(row.cold_ms for row in rows), 1),
        "disk_ms": round(statistics.median(row.disk_ms for row in rows), 1),
        "disk_evaluated": int(statistics.median(row.disk_evaluated for row in rows)),
        "times_faster": round(statistics.median(ratios), 1),
        "times_faster_min": round(min(ratios), 1),
        "times_faster_max": round(max(ratios), 1),
        "same_token": sum(row.same_token for row in rows),
    }


def _opened(
    name: str, options: LlamaOptions, store: StateStore, document: str, text: str, tokens_max: int
) -> tuple[Prefill, float, int, int]:
    """Prefill in a model loaded anew: what it did, ms with reading the state, bytes in the store, tokens."""
    opened = open_model(name, options=options)
    try:
        tokens = opened.model.tokenize(text)[:tokens_max]
        session = KvSession(opened.model, store=store)
        started = time.perf_counter()
        prefill = session.prefill(tokens, document=document)
        milliseconds = (time.perf_counter() - started) * 1e3
        session.persist()
        return prefill, milliseconds, store.stats().bytes, len(tokens)
    finally:
        opened.model.close()
