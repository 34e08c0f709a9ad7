"""A Llama network with low-rank adapters in torch, read from a GGUF file; it never decodes or saves.

The base weights are frozen; every linear layer of every block carries a low-rank difference
``scale * B @ A`` (LoRA, Hu et al. 2021, https://arxiv.org/abs/2106.09685). Rows of q and k are
taken back from llama.cpp's rotary order to the half-split order used here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

LINEARS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
ROTARY = ("attn_q", "attn_k")


@dataclass(frozen=True)
class Shape:
    """Sizes of a Llama network."""

    blocks: int
    width: int
    heads: int
    heads_kv: int
    rope_base: float
    norm_epsilon: float

    @property
    def head_width(self) -> int:
        return self.width // self.heads


class LowRankProduct(torch.autograd.Function):
    """``x @ W.T + scale * (x @ A.T) @ B.T`` without a gradient for ``W``."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        a_cast, b_cast = a.to(weight.dtype), (b * scale).to(weight.dtype)
        inner = x @ a_cast.T
        ctx.save_for_backward(x, weight, a_cast, b_cast, inner)
        ctx.scale = scale
        return (x @ weight.T).addmm_(inner, b_cast.T)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = gradients
        x, weight, a, b, inner = ctx.saved_tensors
        gradient_inner = gradient @ b
        gradient_x = (gradient @ weight).addmm_(gradient_inner, a)
        gradient_a = (gradient_inner.T @ x).float()
        gradient_b = (gradient.T @ inner).float() * ctx.scale
        return gradient_x, None, gradient_a, gradient_b, None


class LowRankLinear(nn.Module):
    """A frozen linear layer with a trainable low-rank difference."""

    def __init__(self, weight: torch.Tensor, rank: int, scale: float) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.register_buffer("weight", weight)
        self.a = nn.Parameter(torch.randn(rank, columns) / math.sqrt(columns))
        self.b = nn.Parameter(torch.zeros(rows, rank))
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return LowRankProduct.apply(x, self.weight, self.a, self.b, self.scale)


class FullLinear(nn.Module):
    """A linear layer that is trained as a whole; the master weights stay float32."""

    def __init__(self, weight: torch.Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.dtype = dtype

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight.to(self.dtype))


class Block(nn.Module):
    """One layer: grouped-query attention with rotary positions, then a gated feed-forward."""

    def __init__(
        self,
        shape: Shape,
        weights: dict[str, torch.Tensor],
        rank: int,
        scale: float,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.shape, self.dtype = shape, dtype
        self.linears = nn.ModuleDict(
            {
                name: LowRankLinear(weights[name].to(dtype), rank, scale)
                if rank
                else FullLinear(weights[name], dtype)
                for name in LINEARS
            }
        )
        self.register_buffer("attn_norm", weights["attn_norm"])
        self.register_buffer("ffn_norm", weights["ffn_norm"])

    def forward(
        self, x: torch.Tensor, rotary: tuple[torch.Tensor, torch.Tensor], bias: torch.Tensor
    ) -> torch.Tensor:
        """``x``: (batch · length, width) float32; ``bias``: (batch, 1, length, length)."""
        shape, linears = self.shape, self.linears
        batch, length = rotary[0].shape[0], rotary[0].shape[2]
        h = normalise(x, self.attn_norm, shape.norm_epsilon, self.dtype)

        def heads(name: str, count: int) -> torch.Tensor:
            return linears[name](h).view(batch, length, count, shape.head_width).transpose(1, 2)

        q = rotate(heads("attn_q", shape.heads), *rotary)
        k = rotate(heads("attn_k", shape.heads_kv), *rotary)
        v = heads("attn_v", shape.heads_kv)
        attended = attend(q, k, v, bias)
        x = x + linears["attn_output"](attended.transpose(1, 2).reshape(x.shape))
        h = normalise(x, self.ffn_norm, shape.norm_epsilon, h.dtype)
        return x + linears["ffn_down"](F.silu(linears["ffn_gate"](h)) * linears["ffn_up"](h))


class Llama(nn.Module):
    """The whole network; the output layer is the embedding (tied) or a matrix of its own.

    ``rank`` 0 trains the linear layers as a whole instead of low-rank differences.
    """

    def __init__(
        self,
        shape: Shape,
        weights: dict[str, torch.Tensor],
        *,
        rank: int,
        scale: float,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("embedding", weights["token_embd.weight"])
        output = weights.get("output.weight", weights["token_embd.weight"])
        self.register_buffer("output", output.to(dtype))
        self.register_buffer("norm", weights["output_norm.weight"])
        self.blocks = nn.ModuleList()
        for i in range(shape.blocks):
            head = f"blk.{i}."
            own = {
                name.removeprefix(head).removesuffix(".weight"): weight
                for name, weight in weights.items()
                if name.startswith(head)
            }
            self.blocks.append(Block(shape, own, rank, scale, dtype))

    def hidden(
        self, tokens: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """States before the output layer, (batch, length, width); ``mask`` true where visible."""
        rotary = rotary_tables(positions, self.shape, self.output.dtype)
        length = tokens.shape[1]
        if mask is None:
            mask = torch.ones(length, length, dtype=torch.bool, device=tokens.device).tril()
            mask = mask.expand(len(tokens), 1, length, length)
        bias = torch.zeros(mask.shape, dtype=self.output.dtype, device=mask.device)
        bias = bias.masked_fill(~mask, float("-inf"))
        x = self.embedding[tokens].reshape(-1, self.shape.width)
        for block in self.blocks:
            x = block(x, rotary, bias)
        x = normalise(x, self.norm, self.shape.norm_epsilon, self.output.dtype)
        return x.view(*tokens.shape, self.shape.width)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Scores of the vocabulary for rows of :meth:`hidden`, float32."""
        return (hidden @ self.output.T).float()


def read_network(path: Path) -> tuple[Shape, dict[str, torch.Tensor]]:
    """Shape and dequantised float32 weights of a Llama GGUF file."""
    reader = gguf.GGUFReader(path)

    def field(key: str) -> Any:
        return reader.fields[f"llama.{key}"].contents()

    shape = Shape(
        blocks=field("block_count"),
        width=field("embedding_length"),
        heads=field("attention.head_count"),
        heads_kv=field("attention.head_count_kv"),
        rope_base=field("rope.freq_base"),
        norm_epsilon=field("attention.layer_norm_rms_epsilon"),
    )
    weights = {}
    for tensor in reader.tensors:
        array = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        name = tensor.name.split(".")[-2]
        if name in ROTARY:
            heads = shape.heads if name == "attn_q" else shape.heads_kv
            array = rotary_to_halves(array, heads)
        weights[tensor.name] = torch.from_numpy(np.ascontiguousarray(array))
    return shape, weights


def rotary_to_halves(array: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """Rows in llama.cpp's order (pairs) put in the order of rotating the two halves."""
    rows, columns = array.shape
    return array.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(array.shape)


def halves_to_rotary(array: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """The inverse of :func:`rotary_to_halves`."""
    rows, columns = array.shape
    return array.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(array.shape)


def rotary_tables(
    positions: torch.Tensor, shape: Shape, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines, each (batch, 1, length, head_width)."""
    half = shape.head_width // 2
    steps = torch.arange(half, device=positions.device) / half
    angles = positions[:, None, :, None].float() * shape.rope_base**-steps
    return (
        torch.cat((angles.cos(), angles.cos()), -1).to(dtype),
        torch.cat((-angles.sin(), angles.sin()), -1).to(dtype),
    )


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Grouped-query attention by plain matrix products, (batch, heads, length, head_width).

    On a CPU twice as fast as torch's fused kernel at these lengths, which repeats keys and values
    for every head of a group.
    """
    batch, heads, length, width = q.shape
    groups = k.shape[1]
    shared = q.reshape(batch * groups, heads // groups * length, width) * width**-0.5
    keys, values = (x.reshape(batch * groups, length, width) for x in (k, v))
    scores = torch.bmm(shared, keys.transpose(1, 2))
    scores = scores.view(batch, groups, heads // groups, length, length) + bias[:, :, None]
    weights = torch.softmax(scores, -1).view(batch * groups, -1, length)
    return torch.bmm(weights, values).view(q.shape)


def rotate(x: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
    half = x.shape[-1] // 2
    return x * cosines + torch.cat((x[..., half:], x[..., :half]), -1) * sines


def normalise(
    x: torch.Tensor, weight: torch.Tensor, epsilon: float, dtype: torch.dtype
) -> torch.Tensor:
    """Root-mean-square normalisation in float32, returned as ``dtype``."""
    return F.rms_norm(x, weight.shape, weight, epsilon).to(dtype)
