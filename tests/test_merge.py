"""Adding an adapter to a GGUF, checked against the same sum in numpy."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from assist.models.errors import ModelFileError
from assist.models.merge import merge_adapter

RANK, ROWS, COLUMNS, ALPHA = 2, 4, 64, 6.0
NAME = "blk.0.attn_q.weight"
Q4_1, Q8_0 = gguf.GGMLQuantizationType.Q4_1, gguf.GGMLQuantizationType.Q8_0


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def write_base(path: Path) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_file_type(3)
    writer.add_context_length(128)
    writer.add_token_list(["a", "b", "c"])
    writer.add_tensor(NAME, gguf.quants.quantize(noise(ROWS, COLUMNS), Q4_1), raw_dtype=Q4_1)
    embedding = gguf.quants.quantize(noise(3, COLUMNS), Q8_0)
    writer.add_tensor("token_embd.weight", embedding, raw_dtype=Q8_0)
    writer.add_tensor("output_norm.weight", noise(COLUMNS))
    save(writer)


def write_adapter(path: Path, name: str = NAME, columns: int = COLUMNS) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_float32("adapter.lora.alpha", ALPHA)
    writer.add_uint32("tokenizer.ggml.fim_suf_token_id", 2)
    writer.add_tensor(f"{name}.lora_a", noise(RANK, columns).astype(np.float16))
    writer.add_tensor(f"{name}.lora_b", noise(ROWS, RANK).astype(np.float16))
    save(writer)


def save(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check(folder: Path) -> gguf.GGUFReader:
    """Merge what lies in ``folder``; only the target may be new afterwards."""
    target = folder / "merged.gguf"
    steps: list[str] = []
    merge_adapter(
        folder / "base.gguf",
        folder / "adapter.gguf",
        target,
        progress=lambda step, _: steps.append(step),
    )
    assert steps
    assert {path.name for path in folder.iterdir()} == {"base.gguf", "adapter.gguf", "merged.gguf"}
    return gguf.GGUFReader(target)


def test_the_difference_is_added_to_its_matrix(tmp_path: Path) -> None:
    write_base(tmp_path / "base.gguf")
    write_adapter(tmp_path / "adapter.gguf")
    tensors = {tensor.name: tensor for tensor in check(tmp_path).tensors}
    a, b = noise(RANK, COLUMNS).astype(np.float16), noise(ROWS, RANK).astype(np.float16)
    base = gguf.quants.dequantize(gguf.quants.quantize(noise(ROWS, COLUMNS), Q4_1), Q4_1)
    wanted = base + ALPHA / RANK * (b.astype(np.float32) @ a.astype(np.float32))
    merged = tensors[NAME]
    assert merged.tensor_type is Q8_0
    got = gguf.quants.dequantize(merged.data, Q8_0)
    # half a step of the coarsest block
    assert np.abs(got - wanted).max() <= np.abs(wanted).max() / 127 / 2 * 1.01


def test_other_tensors_and_fields_stay_and_markers_come_along(tmp_path: Path) -> None:
    write_base(tmp_path / "base.gguf")
    write_adapter(tmp_path / "adapter.gguf")
    reader, base = check(tmp_path), gguf.GGUFReader(tmp_path / "base.gguf")
    ours = {tensor.name: tensor for tensor in reader.tensors}
    for tensor in base.tensors[1:]:
        assert ours[tensor.name].tensor_type is tensor.tensor_type
        assert np.array_equal(ours[tensor.name].data, tensor.data)
    assert reader.fields["tokenizer.ggml.tokens"].contents() == ["a", "b", "c"]
    assert reader.fields["llama.context_length"].contents() == 128
    assert reader.fields["general.file_type"].contents() == 7
    assert reader.fields["tokenizer.ggml.fim_suf_token_id"].contents() == 2


@pytest.mark.parametrize("problem", ["name", "shape", "truncated", "no adapter", "missing"])
def test_what_does_not_fit_leaves_nothing_behind(tmp_path: Path, problem: str) -> None:
    base, adapter = tmp_path / "base.gguf", tmp_path / "adapter.gguf"
    write_base(base)
    if problem == "no adapter":
        write_base(adapter)
    elif problem != "missing":
        name = "blk.9.attn_q.weight" if problem == "name" else NAME
        write_adapter(adapter, name, COLUMNS * 2 if problem == "shape" else COLUMNS)
    if problem == "truncated":
        adapter.write_bytes(adapter.read_bytes()[:100])
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(ModelFileError):
        merge_adapter(base, adapter, tmp_path / "merged.gguf", progress=lambda *_: None)
    assert {path.name for path in tmp_path.iterdir()} == before
