"""The real runtime with the embedded model: its native memory keeps the rules that the scripted model states."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assist.cache.kv import ReusePolicy
from assist.models.errors import ModelError, ModelFileError
from assist.models.kv_session import KvSession
from assist.models.llama import LlamaModel, LlamaOptions, build_features, load_model
from assist.models.model import HAND, LIVE, Aborted, Logits
from support.lsp import model_file

OFF = ReusePolicy("off")
SOURCE = Path(__file__).read_text(encoding="utf-8")
# Rounding of activations to 8 bits turns the smallest difference in the order of a sum into this.
NOISE_NATS = 0.03


@pytest.fixture(scope="module")
def model() -> Iterator[LlamaModel]:
    model = load_model(Path(model_file()), LlamaOptions(context_tokens=1024))
    yield model
    model.close()


@pytest.fixture
def kv(model: LlamaModel) -> KvSession:
    session = KvSession(model)
    session.reset()
    return session


def divergence(reference: Logits, other: Logits) -> float:
    p, q = (row[-1].astype(np.float64) - row[-1].max() for row in (reference, other))
    p, q = p - np.log(np.exp(p).sum()), q - np.log(np.exp(q).sum())
    return float((np.exp(p) * (p - q)).sum())


def check(model: LlamaModel, tokens: list[int], logits: Logits, nats_max: float) -> None:
    """``logits`` are those of a fresh computation of ``tokens``, up to ``nats_max``."""
    fresh = KvSession(model)
    fresh.reset()
    assert divergence(fresh.prefill(tokens, policy=OFF).logits, logits) <= nats_max


def abort_after(calls: int) -> Callable[[], bool]:
    count = iter(range(calls))
    return lambda: next(count, None) is None


def check_refused(path: Path, *words: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_the_build_leaves_out_kernels_that_crash() -> None:
    assert "AMX_INT8" not in build_features()


@pytest.mark.parametrize("size", [0, 3, 4, 20, 1000, 500_000])
@pytest.mark.model
def test_a_truncated_file_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "cut.gguf"
    with Path(model_file()).open("rb") as file:
        path.write_bytes(file.read(size))
    check_refused(path, str(path))


@pytest.mark.model
def test_a_file_without_its_last_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    with Path(model_file()).open("rb") as file:
        path.write_bytes(file.read(5_000_000))
    check_refused(path, "incomplete", "Fetch it again")


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.gguf"
    path.write_text("print('hello')")
    check_refused(path, "not a GGUF")
    check_refused(tmp_path / "missing.gguf", "cannot be read")
    check_refused(tmp_path, "cannot be read")


def test_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.gguf"
    writer = GGUFWriter(path, "nonsense")
    writer.add_tensor("a", np.zeros((32, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    check_refused(path, "architecture", "nonsense")


@pytest.mark.model
def test_tokens_may_be_parts_of_a_character(model: LlamaModel) -> None:
    text = "naïve 日本語 😀 𝔘"
    tokens = model.tokenize(text)
    pieces = [model.vocabulary.pieces[token] for token in tokens]
    assert b"".join(pieces) == text.encode()
    assert any(piece.decode("utf-8", "ignore").encode() != piece for piece in pieces)
    assert model.tokenize("\udcff")


@pytest.mark.model
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(alphabet="ab1_ \n\t\r():'é😀", max_size=80))
def test_tokens_of_pieces_are_those_of_the_whole(model: LlamaModel, text: str) -> None:
    assert model.tokenize(text) == model.tokenize_whole(text)


@pytest.mark.model
def test_tokens_of_a_file_are_those_of_the_whole_after_every_edit(model: LlamaModel) -> None:
    random_ = random.Random(1)
    text = SOURCE
    for _ in range(200):
        start = random_.randrange(len(text))
        end = min(len(text), start + random_.choice([0, 0, 1, 30]))
        text = text[:start] + random_.choice(["", "\n", "    ", "x", "naïve = 1\n"]) + text[end:]
        assert model.tokenize(text) == model.tokenize_whole(text)


@pytest.mark.model
def test_a_batch_in_the_middle_is_refused_and_costs_only_the_cache(kv: KvSession) -> None:
    tokens = kv.model.tokenize(SOURCE)[:40]
    kv.prefill(tokens)
    with pytest.raises(RuntimeError):
        kv.model.evaluate([5], 10)
    kv.reset()
    assert kv.prefill(tokens).evaluated == 40


@pytest.mark.model
def test_all_places_of_an_edit_in_one_batch_answer_as_one_after_the_other(
    kv: KvSession, model: LlamaModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = model.tokenize(SOURCE)[:400]
    edited = [*tokens[:60], 500, *tokens[60:140], 700, *tokens[141:230], *tokens[240:]]
    prefills = []
    for can_insert in (True, False):
        monkeypatch.setattr(model, "can_insert", can_insert)
        kv.reset()
        kv.prefill(tokens)
        prefills.append(kv.prefill(edited))
        assert kv.buffer.contiguous == len(edited)
    one, other = prefills
    assert (one.evaluated, one.shifted) == (other.evaluated, other.shifted)
    assert one.evaluated < 60
    assert divergence(one.logits, other.logits) <= NOISE_NATS


@pytest.mark.model
def test_what_stands_behind_an_interrupted_batch_stays(kv: KvSession, model: LlamaModel) -> None:
    tokens = model.tokenize(SOURCE)[:400]
    kv.prefill(tokens)
    inserted = tokens[:100] + model.tokenize("other = [3, 5, 8]\n" * 5) + tokens[100:]
    with pytest.raises(Aborted):
        kv.prefill(inserted, abort=abort_after(40))
    prefill = kv.prefill(inserted)
    assert prefill.reused + prefill.shifted > 360
    check(model, inserted, prefill.logits, 0.1)


@pytest.mark.model
def test_neither_chunks_nor_threads_change_a_bit() -> None:
    rows = []
    for threads in (1, 2):
        options = LlamaOptions(
            512, threads_decode=threads, threads_prefill=threads, threads_fixed=True
        )
        with closing(load_model(Path(model_file()), options)) as model:
            tokens = model.tokenize(SOURCE)[:150]
            for size in (150, 64, 16, 7, 3, 2, 1):
                model.memory_remove(LIVE, 0, -1)
                for start in range(0, len(tokens), size):
                    row = model.evaluate(tokens[start : start + size], start)
                rows.append(row)
    assert all(np.array_equal(rows[0], row) for row in rows)


@pytest.mark.model
def test_an_edit_above_gives_nearly_the_same_answer(kv: KvSession, model: LlamaModel) -> None:
    tokens = model.tokenize(SOURCE)[:400]
    kv.prefill(tokens)
    edited = tokens[:150] + model.tokenize("value = 1\n") + tokens[150:]
    prefill = kv.prefill(edited)
    assert prefill.evaluated < 60 and prefill.shifted > 200
    check(model, edited, prefill.logits, 0.1)


@pytest.mark.model
def test_a_refresh_gives_the_answer_of_a_fresh_computation(
    kv: KvSession, model: LlamaModel
) -> None:
    tokens = model.tokenize(SOURCE)[:300]
    kv.prefill(tokens)
    edited = tokens[:20] + tokens[60:]
    kv.prefill(edited)
    assert not kv.refresh(abort_after(2))
    assert kv.refresh() and kv.buffer.exact == len(edited)
    prefill = kv.prefill(edited)
    assert prefill.evaluated == 1
    check(model, edited, prefill.logits, NOISE_NATS)


@pytest.mark.model
@pytest.mark.parametrize("calls", [1, 2, 40, 400])
def test_an_aborted_prefill_goes_on_where_it_stopped(
    kv: KvSession, model: LlamaModel, calls: int
) -> None:
    tokens = model.tokenize(SOURCE)[:300]
    with pytest.raises(Aborted):
        kv.prefill(tokens, abort=abort_after(calls))
    prefill = kv.prefill(tokens)
    assert prefill.reused > 0
    check(model, tokens, prefill.logits, NOISE_NATS)


@pytest.mark.model
def test_an_abort_never_interrupts_a_pending_shift(model: LlamaModel) -> None:
    tokens = model.tokenize(SOURCE)[:200]
    rows = []
    for abort in (None, abort_after(1)):
        model.memory_remove(LIVE, 0, -1)
        model.evaluate(tokens, 0, logits=0)
        model.memory_remove(LIVE, 50, 60)
        model.memory_copy(LIVE, HAND, 60, -1)
        model.memory_remove(LIVE, 60, -1)
        model.memory_shift(HAND, 0, -1, -10)
        model.memory_copy(HAND, LIVE, 0, -1)
        model.memory_remove(HAND, 0, -1)
        rows.append(model.evaluate([17], 190, abort=abort))
    assert np.array_equal(rows[0], rows[1])


@pytest.mark.model
def test_spans_that_move_by_different_distances_move_at_once_as_one_by_one(
    model: LlamaModel,
) -> None:
    tokens = model.tokenize(SOURCE)[:200]
    rows = []
    for one_by_one in (True, False):
        model.memory_remove(LIVE, 0, -1)
        model.evaluate(tokens, 0, logits=0)
        model.memory_remove(LIVE, 50, 60)
        model.memory_remove(LIVE, 120, 125)
        model.memory_shift(LIVE, 60, 120, -10)
        if one_by_one:
            model.evaluate([17], 200, logits=0)
            model.memory_remove(LIVE, 200, -1)
        model.memory_shift(LIVE, 125, -1, -15)
        rows.append(model.evaluate([17], 185))
    assert np.array_equal(rows[0], rows[1])


@pytest.mark.model
def test_a_state_is_not_saved_while_a_shift_is_pending(model: LlamaModel) -> None:
    model.memory_remove(LIVE, 0, -1)
    model.evaluate(model.tokenize(SOURCE)[:20], 0)
    model.memory_shift(LIVE, 0, -1, 3)
    with pytest.raises(RuntimeError):
        model.state_save(LIVE)
    model.memory_shift(LIVE, 0, -1, -3)
    model.evaluate([17], 20)
    assert model.state_save(LIVE)


@pytest.mark.model
def test_a_saved_state_gives_the_same_answer(kv: KvSession, model: LlamaModel) -> None:
    tokens = model.tokenize(SOURCE)[:200]
    kv.prefill(tokens, document="a")
    kv.prefill(model.tokenize("another = 1\n" * 20), document="b")
    prefill = kv.prefill(tokens, document="a")
    assert prefill.evaluated == 1
    check(model, tokens, prefill.logits, NOISE_NATS)


@pytest.mark.model
@pytest.mark.parametrize("cut", [0, 4, 100, 10_000])
def test_a_state_that_is_none_is_not_loaded(model: LlamaModel, cut: int) -> None:
    model.memory_remove(LIVE, 0, -1)
    model.evaluate(model.tokenize(SOURCE)[:50], 0)
    state = bytes(model.state_save(LIVE))
    assert not model.state_load(LIVE, state[:cut])
    model.memory_remove(LIVE, 0, -1)
    assert model.state_load(LIVE, state)


@pytest.mark.model
def test_candidates_share_the_prompt(kv: KvSession, model: LlamaModel) -> None:
    tokens = model.tokenize(SOURCE)[:100]
    kv.prefill(tokens)
    branches = kv.fork(3)
    rows = kv.step(branches, [17, 18, 19])
    assert rows.shape == (3, model.vocabulary.size)
    check(model, [*tokens, 18], rows[1:2], NOISE_NATS)


@pytest.mark.model
def test_keys_of_8_bits_can_be_shifted() -> None:
    model = load_model(Path(model_file()), LlamaOptions(context_tokens=512, key_type="q8_0"))
    tokens = model.tokenize(SOURCE)[:300]
    kv = KvSession(model)
    kv.prefill(tokens)
    edited = tokens[:100] + tokens[110:]
    prefill = kv.prefill(edited)
    assert prefill.shifted > 100
    check(model, edited, prefill.logits, 0.3)
    model.close()


@pytest.mark.model
def test_a_context_of_no_size_is_refused() -> None:
    with pytest.raises(ModelError):
        load_model(Path(model_file()), LlamaOptions(context_tokens=1 << 30))
