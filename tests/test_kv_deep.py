"""Long comparisons of the reused cache with a fresh computation, on the embedded model and real files."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from assist.cache.kv import ReusePolicy
from assist.models.kv_session import KvSession
from assist.models.llama import LlamaModel, LlamaOptions, load_model
from assist.server.bench.edit_cases import edit_cases, source_files
from assist.server.bench.edits import compare
from support.lsp import model_file

pytestmark = [pytest.mark.model, pytest.mark.deep, pytest.mark.timeout(3000)]

EDITS = 300
PROMPT_TOKENS = 160
GREEDY_TOKENS = 16
FILES = 12
# Full before the first third of the edits, so that what grows after it would be a leak.
PARKED_BYTES_MAX = 24 << 20
OFF = ReusePolicy("off")


@pytest.fixture(scope="module")
def models() -> Iterator[tuple[LlamaModel, LlamaModel]]:
    """The model twice: one keeps its cache, the other computes afresh."""
    options = LlamaOptions(context_tokens=512)
    pair = (load_model(Path(model_file()), options), load_model(Path(model_file()), options))
    yield pair
    for model in pair:
        model.close()


def resident_bytes() -> int:
    status = Path("/proc/self/status")
    if not status.is_file():
        pytest.skip("no /proc on this system")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def test_random_edits_neither_drift_nor_leak(
    models: tuple[LlamaModel, LlamaModel], record_property: Callable[[str, object], None]
) -> None:
    kv = KvSession(models[0], memory_bytes_max=PARKED_BYTES_MAX)
    fresh = KvSession(models[1], memory_bytes_max=PARKED_BYTES_MAX)
    divergences, evaluated, resident = [], 0, 0
    random_ = random.Random(5)
    for case in edit_cases(source_files(), seed=5, limit=EDITS):
        text, offset = case.after.text, case.after.offset
        tokens = kv.model.tokenize(text[max(0, offset - 6 * PROMPT_TOKENS) : offset] or "\n")
        tokens = tokens[-PROMPT_TOKENS:]
        prefill = kv.prefill(tokens, document=case.after.name)
        evaluated += prefill.evaluated
        divergences.append(compare(fresh.prefill(tokens, policy=OFF).logits, prefill.logits)[0])
        if random_.random() < 0.2:
            assert kv.refresh()
        if case.number == EDITS // 3:
            resident = resident_bytes()
    third = EDITS // 3
    first, last = statistics.mean(divergences[:third]), statistics.mean(divergences[-third:])
    record_property("kl", f"first third {first:.5f}, last {last:.5f}; {evaluated} evaluated")
    assert last < 0.02 and last < 3 * first + 0.005
    assert evaluated < EDITS * PROMPT_TOKENS / 2
    assert resident_bytes() < 1.02 * resident


def test_after_a_refresh_all_is_as_computed_from_the_beginning(
    models: tuple[LlamaModel, LlamaModel],
) -> None:
    kv, fresh = KvSession(models[0]), KvSession(models[1])
    for name, text in source_files()[:: len(source_files()) // FILES][:FILES]:
        tokens = kv.model.tokenize(text)[:300]
        kv.prefill(tokens, document=name)
        for edited in edits(tokens, kv.model.tokenize("\n    x = y\n")):
            kv.prefill(edited)
            keystroke = iter(range(40))
            while not kv.refresh(lambda: next(keystroke, None) == 20):  # noqa: B023
                pass
            assert kv.buffer.exact == len(edited)
            check_greedy(fresh, kv, edited)


def edits(tokens: list[int], new: list[int]) -> Iterator[list[int]]:
    """Several places at once, then a block that moves, then one that comes above."""
    yield [*tokens[:100], *tokens[130:200], *new, *tokens[200:]]
    yield [*tokens[:60], *tokens[140:200], *tokens[60:140], *tokens[200:]]
    yield [*tokens[:20], *new, *tokens[20:]]


def check_greedy(fresh: KvSession, kv: KvSession, tokens: list[int]) -> None:
    """The greedy answers have the same logits, bit for bit."""
    # A build with other kernels rounds a token alone otherwise than in a batch: alone on both sides.
    fresh.prefill(tokens[:-1], policy=OFF)
    expected = fresh.extend(tokens[-1:])
    kv.truncate(len(tokens) - 1)
    found = kv.extend(tokens[-1:])
    for _ in range(GREEDY_TOKENS):
        assert np.array_equal(expected, found)
        token = int(np.argmax(expected[-1]))
        expected, found = fresh.extend([token]), kv.extend([token])
