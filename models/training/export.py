"""Writes a trained checkpoint as a LoRA GGUF that llama.cpp loads, and reads one; it never trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from assist.models.training.examples import PREFIX, SUFFIX
from assist.models.training.network import (
    ROTARY,
    Shape,
    halves_to_rotary,
    read_network,
    rotary_to_halves,
)

# llama.cpp takes a vocabulary for one with markers only if a middle marker is named as well; the
# model was taught without one.
UNUSED_MIDDLE = 10
MARKERS = {"fim_pre": PREFIX, "fim_suf": SUFFIX, "fim_mid": UNUSED_MIDDLE}


def export(
    checkpoint: Path,
    model: Path,
    target: Path,
    *,
    scale: float,
    rank: int,
    start: Path | None = None,
    share: float = 1.0,
) -> None:
    """The low-rank differences of ``checkpoint`` as float16, with marker ids and provenance.

    A checkpoint of whole matrices (full fine-tuning) is reduced to ``rank`` by its singular
    values (Eckart and Young 1936). ``share`` of the new weights and the rest of those that the run
    went on from, ``start``: the mean of two rounds is better than either (Wortsman et al. 2022,
    https://arxiv.org/abs/2203.05482).
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["adapter"]
    shape, weights = read_network(model)
    before = read_adapter(start, shape) if start is not None else {}
    state |= {name: torch.lerp(old, state[name], share) for name, old in before.items()}
    pairs = {}
    for name in sorted({key.rpartition(".")[0] for key in state}):
        _, block, _, linear = name.split(".")
        tensor = f"blk.{block}.{linear}.weight"
        if f"{name}.weight" in state:
            difference = state[f"{name}.weight"].float() - weights[tensor]
            pairs[tensor] = reduced(difference, rank, scale)
        else:
            pairs[tensor] = (state[f"{name}.a"].numpy(), state[f"{name}.b"].numpy())
    write_adapter(target, pairs, shape, alpha=scale * rank)


def reduced(
    difference: torch.Tensor, rank: int, scale: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The nearest ``scale * b @ a`` of that rank."""
    u, s, v = torch.linalg.svd(difference, full_matrices=False)
    root = s[:rank].sqrt()
    return (root[:, None] * v[:rank]).numpy(), (u[:, :rank] * root / scale).numpy()


def write_adapter(
    target: Path,
    pairs: dict[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]],
    shape: Shape,
    *,
    alpha: float,
) -> None:
    """``pairs`` (a, b) by tensor name, rows of q and k in the order of this package's network."""
    partial = target.with_suffix(".partial")
    writer = gguf.GGUFWriter(partial, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    writer.add_name("SmolLM2 135M fills in the middle")
    writer.add_license("apache-2.0")
    for name, token in MARKERS.items():
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id", token)
    for tensor, (a, b) in pairs.items():
        linear = tensor.split(".")[-2]
        if linear in ROTARY:
            b = halves_to_rotary(b, shape.heads if linear == "attn_q" else shape.heads_kv)
        for suffix, half in (("lora_a", a), ("lora_b", b)):
            writer.add_tensor(f"{tensor}.{suffix}", np.ascontiguousarray(half, dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    partial.replace(target)


def read_adapter(path: Path, shape: Shape) -> dict[str, torch.Tensor]:
    """The low-rank halves of an exported adapter, by the names of this package's network."""
    state = {}
    for tensor in gguf.GGUFReader(path).tensors:
        _, block, linear, _, half = tensor.name.rsplit(".", 4)
        array = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if half == "lora_b" and linear in ROTARY:
            array = rotary_to_halves(array, shape.heads if linear == "attn_q" else shape.heads_kv)
        name = f"blocks.{block}.linears.{linear}.{half.removeprefix('lora_')}"
        state[name] = torch.from_numpy(np.ascontiguousarray(array))
    return state
