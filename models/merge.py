"""Adds a low-rank adapter to the weights of a GGUF file and writes them as Q8_0; it runs no model and knows no network but the names of its tensors."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from assist.models.errors import ModelFileError

Array = npt.NDArray[np.float32]

ADAPTED_KINDS = (".lora_a", ".lora_b")
MARKER_KEYS = "tokenizer.ggml.fim_"
Q8_0 = gguf.GGMLQuantizationType.Q8_0
FILE_TYPE_Q8_0 = 7


@dataclass(frozen=True)
class Difference:
    """``scale * b @ a`` is what one matrix changes by: a (rank, columns), b (rows, rank)."""

    a: Array
    b: Array
    scale: float

    def of(self) -> Array:
        return np.asarray(self.scale * (self.b @ self.a), dtype=np.float32)


def merge_adapter(
    base: Path, adapter: Path, target: Path, *, progress: Callable[[str, float | None], None]
) -> None:
    """Write ``base`` with ``adapter`` added to ``target`` as Q8_0, one tensor in memory at a time.

    Matrices without a difference keep their bytes where they are Q8_0 already; the adapter's
    fill-in-the-middle marker ids become the target's. ``target`` is renamed into place when it is
    whole. Raises :class:`ModelFileError` when a file cannot be read or the two do not fit.
    """
    source, addition = _read(base), _read(adapter)
    differences = read_differences(addition, adapter)
    names = {tensor.name for tensor in source.tensors}
    if not differences or not names.issuperset(differences):
        raise ModelFileError(f"{adapter.name} is no adapter for {base.name}: tensors differ.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".merge-") as folder:
        partial = Path(folder) / target.name
        writer = gguf.GGUFWriter(partial, _text(source, "general.architecture"))
        _copy_fields(source, writer, skip=("general.file_type", MARKER_KEYS))
        writer.add_uint32("general.file_type", FILE_TYPE_Q8_0)
        for key, field in addition.fields.items():
            if key.startswith(MARKER_KEYS):
                writer.add_uint32(key, int(field.contents()))
        for tensor in source.tensors:
            shape = tuple(int(size) for size in reversed(tensor.shape))
            kind = _target_kind(tensor)
            bytes_shape = gguf.quant_shape_to_byte_shape(shape, kind) if kind is Q8_0 else shape
            size = int(np.prod(bytes_shape)) * (1 if kind is Q8_0 else 4)
            dtype = np.dtype(np.uint8 if kind is Q8_0 else np.float32)
            writer.add_tensor_info(tensor.name, bytes_shape, dtype, size, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for number, tensor in enumerate(source.tensors):
            progress("merge the adapter", number / len(source.tensors))
            writer.write_tensor_data(_merged(tensor, differences.get(tensor.name), adapter))
        writer.close()
        partial.replace(target)


def read_differences(reader: gguf.GGUFReader, path: Path) -> dict[str, Difference]:
    """The differences of a LoRA GGUF by the name of their matrix.

    Raises :class:`ModelFileError` when the file is no adapter or a pair is incomplete.
    """
    alpha = reader.fields.get("adapter.lora.alpha")
    if alpha is None or _text(reader, "general.type") != "adapter":
        raise ModelFileError(f"{path.name} is not a LoRA adapter.")
    halves: dict[str, dict[str, Array]] = {}
    for tensor in reader.tensors:
        name, kind = tensor.name[:-7], tensor.name[-7:]
        if kind not in ADAPTED_KINDS:
            raise ModelFileError(f"{path.name} holds {tensor.name}, which is no part of a LoRA.")
        halves.setdefault(name, {})[kind] = np.asarray(tensor.data, dtype=np.float32)
    differences = {}
    for name, pair in halves.items():
        if len(pair) != 2 or len(pair[".lora_a"]) != pair[".lora_b"].shape[1]:
            raise ModelFileError(f"{path.name} is damaged: {name} has no matching pair.")
        a, b = pair[".lora_a"], pair[".lora_b"]
        differences[name] = Difference(a, b, float(alpha.contents()) / len(a))
    return differences


def _merged(
    tensor: gguf.ReaderTensor, difference: Difference | None, adapter: Path
) -> npt.NDArray[Any]:
    kind = _target_kind(tensor)
    if difference is None and tensor.tensor_type == kind:
        return np.asarray(tensor.data)
    weights = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    if difference is not None:
        if weights.shape != (len(difference.b), difference.a.shape[1]):
            raise ModelFileError(f"{adapter.name} does not fit: {tensor.name} has another shape.")
        weights = weights + difference.of()
    return np.asarray(gguf.quants.quantize(weights, kind))


def _target_kind(tensor: gguf.ReaderTensor) -> gguf.GGMLQuantizationType:
    """Q8_0 for matrices whose rows divide into its blocks, else float32."""
    block = gguf.GGML_QUANT_SIZES[Q8_0][0]
    matrix = len(tensor.shape) > 1 and int(tensor.shape[0]) % block == 0
    return Q8_0 if matrix else gguf.GGMLQuantizationType.F32


def _read(path: Path) -> gguf.GGUFReader:
    try:
        return gguf.GGUFReader(path)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise ModelFileError(f"{path} cannot be read as GGUF ({error}).") from None


def _copy_fields(
    reader: gguf.GGUFReader, writer: gguf.GGUFWriter, *, skip: tuple[str, ...]
) -> None:
    for key, field in reader.fields.items():
        if key.startswith(("GGUF.", "general.architecture", *skip)):
            continue
        kind = field.types[0]
        if kind is gguf.GGUFValueType.ARRAY:
            writer.add_key_value(key, field.contents(), kind, field.types[-1])
        else:
            writer.add_key_value(key, field.contents(), kind)


def _text(reader: gguf.GGUFReader, key: str) -> str:
    field = reader.fields.get(key)
    return str(field.contents()) if field is not None else ""
