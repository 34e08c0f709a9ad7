"""Measures how a model runs fastest on this machine, alone and beside a busy process, and keeps the best; it runs only when asked."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from assist.models.download import Progress
from assist.models.llama import LlamaModel, LlamaOptions, load_model
from assist.models.model import LIVE
from assist.models.registry import ModelFile, record_tuning, require_installed
from assist.models.threads import usable_threads

PROMPT_TOKENS = 192
ANSWER_TOKENS = 16
ROUNDS = 3
# A model that needs longer than this for one round is measured once.
ROUND_SECONDS_MAX = 4.0
# What a completion in an editor costs: most of its prompt is in the cache already.
TYPICAL_PROMPT = 96
TYPICAL_ANSWER = 24
# A busy loop that ends by itself if its parent is killed.
BUSY = "import time\nend = time.monotonic() + 600\nwhile time.monotonic() < end: pass"


@dataclass(frozen=True)
class Timing:
    """Speed of one choice in tokens per second; ``busy`` beside a process that takes one core."""

    quantisation: str
    threads: int
    prefill: float
    decode: float
    prefill_busy: float
    decode_busy: float

    @property
    def prefill_mean(self) -> float:
        """Geometric mean of alone and beside the busy process."""
        return math.sqrt(self.prefill * self.prefill_busy)

    @property
    def decode_mean(self) -> float:
        """Geometric mean of alone and beside the busy process."""
        return math.sqrt(self.decode * self.decode_busy)


@dataclass(frozen=True)
class Choice:
    """A file with its best numbers of threads, and the time of a typical completion with them."""

    quantisation: str
    threads_prefill: int
    threads_decode: int
    typical_ms: float


def tune_model(name: str, *, progress: Progress) -> tuple[Choice, list[Timing]]:
    """Measure every file and number of threads of ``name``, record and return the best choice.

    Raises :class:`ModelNameError` or :class:`ModelFileError`.
    """
    runs = [
        (file, threads)
        for file in require_installed(name).files
        for threads in range(1, usable_threads() + 1)
    ]
    with ExitStack() as stack:
        models = [stack.enter_context(closing(_load(file, threads))) for file, threads in runs]
        alone = _speeds(models, lambda done: progress("alone", done / 2))
        with _busy_process():
            busy = _speeds(models, lambda done: progress("beside a busy process", (1 + done) / 2))
    timings = [
        Timing(file.quantisation, threads, *speed, *speed_busy)
        for (file, threads), speed, speed_busy in zip(runs, alone, busy, strict=True)
    ]
    best = best_choice(timings)
    record_tuning(
        name,
        preferred=best.quantisation,
        threads_prefill=best.threads_prefill,
        threads_decode=best.threads_decode,
        measurements={"typical_ms": round(best.typical_ms, 1)},
    )
    return best, timings


def best_choice(timings: Sequence[Timing]) -> Choice:
    """The quantisation whose typical completion is fastest with its own best threads."""
    choices = []
    for quantisation in {timing.quantisation for timing in timings}:
        own = [timing for timing in timings if timing.quantisation == quantisation]
        prefill = max(own, key=lambda timing: timing.prefill_mean)
        decode = max(own, key=lambda timing: timing.decode_mean)
        seconds = TYPICAL_PROMPT / prefill.prefill_mean + TYPICAL_ANSWER / decode.decode_mean
        choices.append(Choice(quantisation, prefill.threads, decode.threads, seconds * 1e3))
    return min(choices, key=lambda choice: choice.typical_ms)


def _load(file: ModelFile, threads: int) -> LlamaModel:
    options = LlamaOptions(
        context_tokens=2 * PROMPT_TOKENS,
        threads_prefill=threads,
        threads_decode=threads,
        threads_fixed=True,
    )
    return load_model(Path(file.path), options)


def _speeds(
    models: Sequence[LlamaModel], progress: Callable[[float], None]
) -> list[tuple[float, float]]:
    """Median tokens per second of prefill and decode for each model.

    The models take turns in every round, so that a change of the machine's load meets all.
    """
    speeds: list[list[tuple[float, float]]] = [[] for _ in models]
    steps = ROUNDS * len(models)
    for step in range(steps):
        index = step % len(models)
        progress(step / steps)
        if speeds[index] and _seconds(speeds[index][-1]) > ROUND_SECONDS_MAX:
            continue
        speeds[index].append(_speed(models[index]))
    return [
        (statistics.median(row[0] for row in rows), statistics.median(row[1] for row in rows))
        for rows in speeds
    ]


def _seconds(speed: tuple[float, float]) -> float:
    return PROMPT_TOKENS / speed[0] + ANSWER_TOKENS / speed[1]


def _speed(model: LlamaModel) -> tuple[float, float]:
    tokens = _tokens(model)
    model.memory_remove(LIVE, 0, -1)
    started = time.perf_counter()
    model.evaluate(tokens, 0)
    prefilled = time.perf_counter()
    for index in range(ANSWER_TOKENS):
        model.evaluate([tokens[index]], len(tokens) + index)
    ended = time.perf_counter()
    return len(tokens) / (prefilled - started), ANSWER_TOKENS / (ended - prefilled)


def _tokens(model: LlamaModel) -> list[int]:
    """Tokens of real text, repeated to the length of a prompt."""
    text = Path(__file__).read_text(encoding="utf-8")
    tokens = model.tokenize(text) or [0]
    return (tokens * (PROMPT_TOKENS // len(tokens) + 1))[:PROMPT_TOKENS]


@contextmanager
def _busy_process() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", BUSY])
    try:
        time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()
