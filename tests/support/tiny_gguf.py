"""Writes a GGUF that llama.cpp really runs and that is small enough to be made in a test: random weights, one token per byte."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

WIDTH = 64
HIDDEN = 96
LAYERS = 2
CONTEXT_TOKENS = 256
NORMAL = int(gguf.TokenType.NORMAL)
CONTROL = int(gguf.TokenType.CONTROL)


def write_tiny_gguf(
    path: Path,
    *,
    markers: tuple[str, ...] = (),
    metadata: dict[str, int] | None = None,
    name: str = "Tiny",
    architecture: str = "llama",
    seed: int = 0,
) -> Path:
    """A llama of two layers over single bytes; ``markers`` follow as control tokens.

    ``metadata`` adds unsigned integers, for instance the ids of fill-in-the-middle markers.
    """
    draw = np.random.default_rng(seed)
    texts = [_byte_text(byte) for byte in range(256)] + list(markers) + ["<|endoftext|>"]
    kinds = [NORMAL] * 256 + [CONTROL] * (len(markers) + 1)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(name)
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH)
    writer.add_file_type(0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(texts)
    writer.add_token_types(kinds)
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(len(texts) - 1)
    writer.add_bos_token_id(len(texts) - 1)
    writer.add_add_bos_token(False)
    for key, value in (metadata or {}).items():
        writer.add_uint32(key, value)

    def add(tensor: str, *shape: int) -> None:
        weights = draw.standard_normal(shape) / np.sqrt(shape[-1])
        writer.add_tensor(tensor, weights.astype(np.float32))

    add("token_embd.weight", len(texts), WIDTH)
    add("output_norm.weight", WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        add(f"{block}.attn_norm.weight", WIDTH)
        add(f"{block}.ffn_norm.weight", WIDTH)
        for matrix in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"{block}.{matrix}.weight", WIDTH, WIDTH)
        add(f"{block}.ffn_gate.weight", HIDDEN, WIDTH)
        add(f"{block}.ffn_up.weight", HIDDEN, WIDTH)
        add(f"{block}.ffn_down.weight", WIDTH, HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _byte_text(byte: int) -> str:
    """A byte as GPT-2's vocabularies write it: printable ones as themselves, others from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    if byte in printable:
        return chr(byte)
    others = [other for other in range(256) if other not in printable]
    return chr(256 + others.index(byte))
