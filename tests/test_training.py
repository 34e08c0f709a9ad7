"""Data, network and training on tiny sizes; what needs torch is skipped without the extra ``train``."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from assist.analysis.document import Document, Span
from assist.analysis.holes import find_holes
from assist.analysis.syntax import parse
from assist.models.training import corpus, evaluate
from assist.models.training.build import load, save
from assist.models.training.examples import (
    END,
    LABELS_MAX,
    NO_LABEL,
    PREFIX,
    SUFFIX,
    Example,
    Mix,
    hole_example,
    make_example,
)

SOURCE = '''import math


def area(radius: float) -> float:
    """Area of a circle."""
    if radius < 0:
        raise ValueError("negative")
    square = radius * radius
    return math.pi * square


def total(items):
    """Sum of prices."""
    result = 0
    for item in items:
        result += item.price
    return result
'''


def letters(text: str) -> list[int]:
    return [11 + ord(letter) for letter in text]


def check(text: str, end: int, context: str = "") -> Example:
    """What is shown is suffix, context and prefix; what is predicted is all that leads to the end."""
    example = hole_example(text, end, Span(0, len(text)), letters, context)
    suffix = [SUFFIX, *letters(text[end:]), PREFIX]
    before = letters(context + text[:end])
    assert example.tokens.tolist() == suffix + before
    wanted = [*before, END][-LABELS_MAX:]
    assert example.labels[example.labels != NO_LABEL].tolist() == wanted
    assert example.labels[-len(wanted) :].tolist() == wanted
    return example


def test_a_hole_ends_with_the_end_token() -> None:
    check(SOURCE, SOURCE.index("\n    return math"))


def test_short_prefixes_and_missing_suffixes() -> None:
    check("x = 1\n", 1)
    check("x = 1\n", 6)
    check("x = 1\n", 0)


def test_related_lines_stand_at_the_head_of_the_prefix() -> None:
    check("x = f(1)\n", 8, "# def f(a)\n")


def test_examples_are_the_same_for_the_same_seed() -> None:
    syntax = parse(Document("", SOURCE))
    holes = find_holes(syntax)

    def made(seed: int) -> list[list[int]]:
        chance = random.Random(seed)
        all_made = [make_example(syntax, holes, Mix(), letters, chance) for _ in range(20)]
        return [one[0].tokens.tolist() for one in all_made if one]

    assert made(3) == made(3) != made(4)
    assert made(3)


def test_examples_survive_the_disk(tmp_path: Path) -> None:
    example = check(SOURCE, 200)
    save(tmp_path / "short.npz", [example, example])
    again = load(tmp_path / "short.npz")
    assert [one.tokens.tolist() for one in again] == [example.tokens.tolist()] * 2


def test_near_duplicates_go_and_the_first_stays() -> None:
    seen: set[int] = set()
    assert corpus.unseen(SOURCE, seen)
    assert not corpus.unseen(SOURCE.replace("negative", "below zero"), seen)
    assert corpus.unseen("\n".join(f"x{i} = {i}" for i in range(9)), seen)


def test_licences_are_read_from_the_metadata() -> None:
    import email

    def stated(text: str) -> str:
        return corpus.licence_of(email.message_from_string(text), corpus.plan()["licences"])

    assert stated("License-Expression: MIT\n") == "MIT"
    assert stated("Classifier: License :: OSI Approved :: BSD License\n") == "BSD License"
    assert stated("License-Expression: GPL-3.0-only\n") == ""
    assert stated("Classifier: License :: OSI Approved :: MIT License\nLicense: GPL\n") != ""
    assert stated("Summary: nothing said\n") == ""


def test_no_package_is_in_two_splits() -> None:
    plan = corpus.plan()
    names = [name for split in corpus.SPLITS for name in plan[split]["packages"]]
    assert len(names) == len(set(names))
    assert {*names, "standard library"} == set(corpus.pinned_versions())


def test_the_benchmark_is_recognised_in_another_layout() -> None:
    grams = corpus.ngrams(SOURCE)
    assert corpus.ngrams(SOURCE.replace("    ", "\t").replace("\n\n\n", "\n")) <= grams
    assert (
        not corpus.ngrams("def other(x):\n    return [y for y in x if y > 3 and y < 9]\n") & grams
    )


def test_mined_tasks_are_found_again_by_offset() -> None:
    file = corpus.SourceFile("test", "shapes", "1.0", "shapes.py", SOURCE)
    tasks = evaluate.mine([file], 2, seed=1)
    assert {task.kind for task in tasks} == set(evaluate.KINDS)
    for task in tasks:
        assert task.low <= task.start < task.end <= task.high
        if task.kind in ("line", "rest"):
            assert SOURCE[task.end] == "\n"


@pytest.mark.parametrize(
    ("answer", "form", "exact"),
    [
        ("a + b", "fim", True),
        ("a + b)", "fim", True),
        ("a + b) * 2", "fim", False),
        ("a + b + c", "fim", False),
        ("a + b) * 2", "prefix", True),
        ("a + bc", "prefix", False),
    ],
)
def test_a_prefix_only_answer_is_right_when_it_goes_on_into_the_suffix(
    answer: str, form: str, exact: bool
) -> None:
    assert evaluate.judge(answer, "a + b", ")\n", form)[0] is exact


def tiny_network(rank: int = 2):  # type: ignore[no-untyped-def]
    torch = pytest.importorskip("torch")
    from assist.models.training.network import LINEARS, Llama, Shape

    torch.manual_seed(3)
    shape = Shape(2, 32, 4, 2, 10_000.0, 1e-5)
    sizes = {"attn_k": (16, 32), "attn_v": (16, 32), "ffn_gate": (64, 32), "ffn_up": (64, 32)}
    sizes["ffn_down"] = (32, 64)
    weights = {"token_embd.weight": torch.randn(1100, 32), "output_norm.weight": torch.ones(32)}
    for block in range(2):
        for name in LINEARS:
            weights[f"blk.{block}.{name}.weight"] = torch.randn(sizes.get(name, (32, 32))) / 6
        for name in ("attn_norm", "ffn_norm"):
            weights[f"blk.{block}.{name}.weight"] = torch.ones(32)
    network = Llama(shape, weights, rank=rank, scale=2.0)
    for name, parameter in network.named_parameters():
        if name.endswith(".b"):
            parameter.data.normal_(std=0.1)
    return network, shape, weights


def test_padding_changes_no_loss_and_the_end_weighs_most() -> None:
    network, _, _ = tiny_network()
    import torch

    from assist.models.training.train import Recipe, forward

    recipe = Recipe()
    long, short = check(SOURCE, 300), check(SOURCE[:120], 80)
    together, _, _, weights = forward(network, [long, short], recipe)
    apart = [forward(network, [one], recipe)[0] for one in (long, short)]
    assert torch.allclose(together, torch.cat(apart), rtol=1e-4, atol=1e-3)
    assert float(weights[-1]) == recipe.end_weight == float(weights.max())
    assert float(weights[-2]) == 1.0
    assert float(weights[0]) == pytest.approx(recipe.far_weight)


def test_gradients_of_the_low_rank_product() -> None:
    torch = pytest.importorskip("torch")
    from assist.models.training.network import LowRankProduct

    x, w, a, b = (
        torch.randn(*size, dtype=torch.float64) for size in ((5, 6), (4, 6), (2, 6), (4, 2))
    )
    for one in (x, a, b):
        one.requires_grad_()
    ours = LowRankProduct.apply(x, w, a, b, 1.5)
    plain = x @ (w + 1.5 * b @ a).T
    assert torch.allclose(ours, plain)
    weights = torch.randn_like(plain)
    got = torch.autograd.grad((ours * weights).sum(), (x, a, b))
    wanted = torch.autograd.grad((plain * weights).sum(), (x, a, b))
    assert all(
        torch.allclose(g, h.to(g.dtype), atol=1e-5) for g, h in zip(got, wanted, strict=True)
    )


@pytest.mark.parametrize("hard_share", [0.0, 1.0])
def test_a_resumed_run_goes_on_as_if_never_stopped(tmp_path: Path, hard_share: float) -> None:
    torch = pytest.importorskip("torch")
    from assist.models.training.train import Recipe, Run, advance

    data = {"short": [check(SOURCE, end) for end in range(200, 220)]}
    recipe = Recipe(batch_tokens=900, micro_tokens=600, rank=2, steps=4, hard_share=hard_share)

    def run() -> Run:
        network, _, _ = tiny_network()
        return Run(tmp_path, network, recipe)

    whole, first = run(), run()
    losses = [advance(whole, data)[0] for _ in range(4)]
    for _ in range(2):
        advance(first, data)
    first.save()
    second = run()
    second.resume()
    again = [advance(second, data)[0] for _ in range(2)]
    assert again == pytest.approx(losses[2:], abs=1e-5)
    assert losses[3] < losses[0] or hard_share
    assert torch.isfinite(torch.tensor(losses)).all()


def test_what_stayed_hard_is_drawn_again_and_what_is_easy_is_not(tmp_path: Path) -> None:
    from collections import Counter

    network, _, _ = tiny_network()
    from assist.models.training.train import Recipe, Run, Seen, next_draws

    examples = [check(SOURCE, end) for end in range(200, 300)]
    run = Run(tmp_path, network, Recipe(batch_tokens=9000, hard_share=1.0, steps=100))
    run.step = 90
    run.cursors["short"] = 1000
    run.hard = [Seen("short", cursor, float(cursor % 100)) for cursor in range(900, 1000)]
    drawn = [cursor for _, cursor in next_draws(run, {"short": examples})]
    again = Counter(cursor % 100 for cursor in drawn if cursor < 1000)
    assert again and all(60 <= loss < 95 for loss in again)
    assert max(again.values()) == 1, "an example leaves the list until its new loss is known"
    assert any(cursor >= 1000 for cursor in drawn)
    run.step, run.hard = 0, [Seen("short", 0, 1.0)] * 20
    assert all(cursor > 0 for _, cursor in next_draws(run, {"short": examples}))


def test_an_exported_adapter_merges_into_what_was_trained(tmp_path: Path) -> None:
    import gguf

    from assist.models.merge import merge_adapter

    network, shape, weights = tiny_network()
    import torch

    from assist.models.training.export import export, read_adapter
    from assist.models.training.network import Llama, halves_to_rotary, read_network
    from assist.models.training.train import adapter_state

    base, adapter, merged = (tmp_path / f"{name}.gguf" for name in ("base", "adapter", "merged"))
    writer = gguf.GGUFWriter(base, "llama")
    writer.add_block_count(shape.blocks)
    writer.add_embedding_length(shape.width)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads_kv)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    for name, weight in weights.items():
        heads = {"attn_q": shape.heads, "attn_k": shape.heads_kv}.get(name.split(".")[-2])
        array = weight.numpy()
        writer.add_tensor(name, halves_to_rotary(array, heads) if heads else array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    torch.save({"adapter": adapter_state(network)}, tmp_path / "checkpoint.pt")
    export(tmp_path / "checkpoint.pt", base, adapter, scale=2.0, rank=2)
    again = read_adapter(adapter, shape)
    assert set(again) == set(adapter_state(network))
    for name, tensor in adapter_state(network).items():
        assert torch.allclose(again[name], tensor, atol=1e-3), name
    zeros = {name: torch.zeros_like(tensor) for name, tensor in again.items()}
    torch.save({"adapter": zeros}, tmp_path / "zeros.pt")
    half = tmp_path / "half.gguf"
    export(tmp_path / "zeros.pt", base, half, scale=2.0, rank=2, start=adapter, share=0.75)
    for name, tensor in read_adapter(half, shape).items():
        assert torch.allclose(tensor, again[name] / 4, atol=1e-3), name
    merge_adapter(base, adapter, merged, progress=lambda *_: None)
    merged_network = Llama(*read_network(merged), rank=1, scale=0.0)
    tokens, positions = torch.arange(20, 60)[None], torch.arange(40)[None]
    with torch.no_grad():
        trained = network.logits(network.hidden(tokens, positions))
        written = merged_network.logits(merged_network.hidden(tokens, positions))
    # Q8_0 keeps seven bits of a weight
    assert torch.corrcoef(torch.stack((trained.flatten(), written.flatten())))[0, 1] > 0.999
    keys = gguf.GGUFReader(merged).fields
    assert keys["tokenizer.ggml.fim_suf_token_id"].contents() == SUFFIX


def test_full_fine_tuning_is_reduced_to_its_nearest_rank() -> None:
    torch = pytest.importorskip("torch")
    from assist.models.training.export import reduced

    torch.manual_seed(1)
    difference = torch.randn(12, 3) @ torch.randn(3, 8)
    a, b = reduced(difference, rank=3, scale=2.0)
    assert np.allclose(2.0 * b @ a, difference.numpy(), atol=1e-4)
