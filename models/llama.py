"""Runs a GGUF through llama.cpp's low-level functions; the only importer of llama_cpp, and it decides nothing about prompts."""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

# Waiting threads must sleep: libgomp reads these when it is loaded, and spinning for long costs a
# factor of ten as soon as another process wants the core. Some microseconds of it pay: threads wait
# for each other a thousand times in a batch, and waking one costs as much.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import llama_cpp as ll
import numpy as np

from assist.cache.parked import State
from assist.cache.pieces import PieceTokenizer
from assist.models.errors import ModelFileError
from assist.models.model import LIVE, SEQUENCES_MAX, Abort, Aborted, Logits, Row
from assist.models.threads import ThreadChoice
from assist.models.vocabulary import FimIds, Vocabulary

PIECE_BYTES_MAX = 512
METADATA_BYTES_MAX = 4096
GGUF_MAGIC = b"GGUF"
QUANTISATIONS = {
    "F16": ll.LLAMA_FTYPE_MOSTLY_F16,
    "Q4_0": ll.LLAMA_FTYPE_MOSTLY_Q4_0,
    "Q4_1": ll.LLAMA_FTYPE_MOSTLY_Q4_1,
    "Q8_0": ll.LLAMA_FTYPE_MOSTLY_Q8_0,
}
KeyType = Literal["f16", "q8_0"]
# Keys of other widths cannot be rotated in 8 bits.
Q8_KEY_WIDTH = 64
DECODE_ABORTED = 2
# Parts of the file that its fingerprint reads, spread from the first byte to the last.
FINGERPRINT_SAMPLES = 32
SAMPLE_BYTES = 64 << 10


@dataclass(frozen=True)
class LlamaOptions:
    """How to run a model: allocated context and batch in tokens, threads, type of the key cache.

    ``threads_decode`` (one token) and ``threads_prefill`` (several) are the most that are used;
    how many pay for a batch is learned, unless ``threads_fixed``. ``adapter`` is the path of a
    LoRA GGUF that is added at run time (empty: none); merged into the weights the same adapter
    costs nothing per token.
    """

    context_tokens: int = 2048
    batch_tokens: int = 256
    threads_decode: int = 1
    threads_prefill: int = 2
    threads_fixed: bool = False
    key_type: KeyType = "f16"
    adapter: str = ""


def load_model(path: Path, options: LlamaOptions | None = None, *, name: str = "") -> LlamaModel:
    """Load the GGUF at ``path``; raises :class:`ModelFileError` when it cannot be run."""
    options = options or LlamaOptions()
    _check_file(path)
    _silence()
    ll.llama_backend_init()
    parameters = ll.llama_model_default_params()
    parameters.n_gpu_layers = 0
    # A runtime that was built elsewhere may have the AMX kernels, which crash (llama_build.cmake).
    parameters.use_extra_bufts = "AMX_INT8" not in build_features()
    handle = ll.llama_model_load_from_file(str(path).encode(), parameters)
    if not handle:
        raise ModelFileError(
            f"{path} cannot be loaded: it is damaged or its architecture is not supported by "
            f"this build of llama.cpp. {_last_error()}Fetch it again or choose another model."
        )
    width = ll.llama_model_n_embd(handle) // max(ll.llama_model_n_head(handle), 1)
    if options.key_type == "q8_0" and width % Q8_KEY_WIDTH:
        ll.llama_model_free(handle)
        raise ModelFileError(f"{path} cannot keep its keys in 8 bits. Set kv.type to f16.")
    context = None
    if _context_bytes(handle, options) < _memory_bytes():
        context = ll.llama_init_from_model(handle, _context_parameters(options))
    if not context:
        ll.llama_model_free(handle)
        raise ModelFileError(
            f"{path} needs more memory than there is for a context of "
            f"{options.context_tokens} tokens. Lower context_tokens."
        )
    if options.adapter:
        _add_adapter(handle, context, Path(options.adapter), path)
    return LlamaModel(handle, context, path, options, name or path.stem)


def build_features() -> frozenset[str]:
    """Processor features that this build of llama.cpp uses (``AVX2``, …), and ``OPENMP``."""
    pairs = ll.llama_print_system_info().decode("utf-8", "replace").replace(":", "|").split("|")
    names = (pair.partition("=") for pair in pairs)
    return frozenset(name.strip() for name, _, value in names if value.strip() == "1")


def quantise_file(source: Path, target: Path, quantisation: str, *, threads: int = 0) -> None:
    """Write the weights of ``source`` in another quantisation (``Q8_0``, …) to ``target``.

    Raises :class:`ModelFileError`; then ``target`` does not exist.
    """
    _check_file(source)
    _silence()
    parameters = ll.llama_model_quantize_default_params()
    parameters.ftype = QUANTISATIONS[quantisation]
    parameters.nthread = threads
    parameters.allow_requantize = True
    if ll.llama_model_quantize(str(source).encode(), str(target).encode(), parameters) != 0:
        target.unlink(missing_ok=True)
        raise ModelFileError(
            f"{source} cannot be written as {quantisation}. {_last_error()}".strip()
        )


class LlamaModel:
    """One loaded model and its native memory; implements :class:`assist.models.model.Model`."""

    def __init__(
        self, handle: Any, context: Any, path: Path, options: LlamaOptions, name: str
    ) -> None:
        self._handle = handle
        self._context = context
        self._memory = ll.llama_get_memory(context)
        self._vocab = ll.llama_model_get_vocab(handle)
        self._batch = ll.llama_batch_init(options.batch_tokens, 0, 1)
        self._abort: Abort | None = None
        self._shift_pending = False
        self._decode_threads = ThreadChoice(options.threads_decode)
        self._prefill_threads = ThreadChoice(options.threads_prefill)
        self._abort_callback = ll.ggml_abort_callback(self._should_abort)
        ll.llama_set_abort_callback(context, self._abort_callback, None)
        self.name = name
        self.file = str(path)
        self.fingerprint = _fingerprint(path, options)
        self.options = options
        self.vocabulary = _vocabulary(self._vocab)
        by_pieces = ll.llama_vocab_type(self._vocab) == ll.LLAMA_VOCAB_TYPE_BPE
        self._pieces = PieceTokenizer(self.tokenize_whole) if by_pieces else None
        self.context_tokens_max = int(ll.llama_n_ctx(context))
        self.batch_tokens_max = options.batch_tokens
        self.can_shift = bool(ll.llama_memory_can_shift(self._memory))
        self.can_insert = self.can_shift and not ll.llama_model_n_swa(handle) and self._inserts()

    def tokenize(self, text: str) -> list[int]:
        return self._pieces.tokens(text) if self._pieces else self.tokenize_whole(text)

    def tokenize_whole(self, text: str) -> list[int]:
        """As :meth:`tokenize`, without the memory of pieces."""
        data = text.encode("utf-8", "surrogatepass")
        room = len(data) + 8
        buffer = (ll.llama_token * room)()
        count = ll.llama_tokenize(self._vocab, data, len(data), buffer, room, False, False)
        return list(buffer[: max(count, 0)])

    def evaluate(
        self,
        tokens: Sequence[int],
        position: int,
        *,
        sequence: int = LIVE,
        logits: int = 1,
        abort: Abort | None = None,
    ) -> Logits:
        end = ll.llama_memory_seq_pos_max(self._memory, sequence) + 1
        if position != end:
            raise RuntimeError(f"position {position} is not the end of sequence {sequence}, {end}")
        parts: list[Logits] = []
        size = self.batch_tokens_max
        for start in range(0, len(tokens), size):
            chunk = tokens[start : start + size]
            wanted = max(0, min(len(chunk), start + len(chunk) - (len(tokens) - logits)))
            if abort is not None and abort():
                raise Aborted
            first = position + start
            rows = [Row(sequence, first + index, token) for index, token in enumerate(chunk)]
            self._decode(rows, wanted, abort)
            parts.append(self._logits(wanted))
        return np.concatenate(parts) if len(parts) != 1 else parts[0]

    def evaluate_rows(
        self, rows: Sequence[Row], *, logits: int | None = None, abort: Abort | None = None
    ) -> Logits:
        if abort is not None and abort():
            raise Aborted
        wanted = len(rows) if logits is None else logits
        self._decode(rows, wanted, abort)
        return self._logits(wanted)

    def memory_remove(self, sequence: int, start: int, end: int) -> None:
        ll.llama_memory_seq_rm(self._memory, sequence, start, end)

    def memory_copy(self, source: int, target: int, start: int, end: int) -> None:
        ll.llama_memory_seq_cp(self._memory, source, target, start, end)

    def memory_shift(self, sequence: int, start: int, end: int, delta: int) -> None:
        ll.llama_memory_seq_add(self._memory, sequence, start, end, delta)
        self._shift_pending = True

    def state_save(self, sequence: int) -> State:
        if self._shift_pending:
            raise RuntimeError("a state cannot be saved while a shift is pending")
        size = ll.llama_state_seq_get_size(self._context, sequence)
        state = bytearray(size)
        buffer = (ctypes.c_uint8 * size).from_buffer(state)
        written = ll.llama_state_seq_get_data(self._context, buffer, size, sequence)
        del buffer
        del state[written:]
        return state

    def state_load(self, sequence: int, state: State) -> bool:
        data = np.frombuffer(state, np.uint8)
        pointer = data.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        return bool(ll.llama_state_seq_set_data(self._context, pointer, len(state), sequence))

    def metadata(self, key: str) -> str | None:
        """Value of a GGUF key as text; none when the file has no such key."""
        buffer = ctypes.create_string_buffer(METADATA_BYTES_MAX)
        length = ll.llama_model_meta_val_str(self._handle, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if length >= 0 else None

    def close(self) -> None:
        if self._context is not None:
            ll.llama_batch_free(self._batch)
            ll.llama_free(self._context)
            ll.llama_model_free(self._handle)
            self._context = None

    def _inserts(self) -> bool:
        """Whether this build evaluates a batch whose positions have a gap (llama_build.cmake)."""
        try:
            self.evaluate_rows([Row(LIVE, 0, 0), Row(LIVE, 2, 0)], logits=0)
        except RuntimeError:
            _log_lines.clear()
            return False
        self.memory_remove(LIVE, 0, -1)
        return True

    def _should_abort(self, _data: Any) -> bool:
        return self._abort is not None and self._abort()

    def _decode(self, rows: Sequence[Row], wanted: int, abort: Abort | None) -> None:
        batch = self._batch
        batch.n_tokens = len(rows)
        for index, row in enumerate(rows):
            batch.token[index] = row.token
            batch.pos[index] = row.position
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = row.sequence
            batch.logits[index] = index >= len(rows) - wanted
        choice = self._decode_threads if len(rows) == 1 else self._prefill_threads
        threads = choice.threads_max if self.options.threads_fixed else choice.threads(len(rows))
        # A shift goes before the batch with the threads of a single token: few large steps, for
        # which all of them pay.
        shifting = self._shift_pending and len(rows) > 1
        single = self._prefill_threads.threads_max if shifting else threads
        ll.llama_set_n_threads(self._context, single, threads)
        # An interrupted shift leaves some layers rotated and others not, in silence.
        self._abort = None if self._shift_pending else abort
        started = time.perf_counter()
        try:
            code = ll.llama_decode(self._context, batch)
        finally:
            self._abort = None
        if code == 0 and not self._shift_pending:
            choice.add(len(rows), threads, time.perf_counter() - started)
        self._shift_pending = False
        if code == DECODE_ABORTED:
            raise Aborted
        if code != 0:
            raise RuntimeError(f"llama_decode returned {code} at position {rows[0].position}")

    def _logits(self, count: int) -> Logits:
        """Logits of the last ``count`` tokens of the last batch, copied from the native buffer."""
        if not count:
            return np.zeros((0, self.vocabulary.size), np.float32)
        first = ll.llama_get_logits(self._context)
        return np.ctypeslib.as_array(first, shape=(count, self.vocabulary.size)).copy()


def _context_parameters(options: LlamaOptions) -> Any:
    parameters = ll.llama_context_default_params()
    parameters.n_ctx = options.context_tokens
    parameters.n_batch = options.batch_tokens
    parameters.n_ubatch = options.batch_tokens
    parameters.n_seq_max = SEQUENCES_MAX
    parameters.kv_unified = True
    parameters.n_threads = options.threads_decode
    parameters.n_threads_batch = options.threads_prefill
    parameters.type_k = ll.GGML_TYPE_Q8_0 if options.key_type == "q8_0" else ll.GGML_TYPE_F16
    # Flash attention is a little quicker, but its results depend on the size of a batch: then a
    # reused cache answers otherwise than a fresh one.
    parameters.flash_attn_type = ll.LLAMA_FLASH_ATTN_TYPE_DISABLED
    parameters.no_perf = True
    return parameters


def _add_adapter(handle: Any, context: Any, adapter: Path, path: Path) -> None:
    _check_file(adapter)
    lora = ll.llama_adapter_lora_init(handle, str(adapter).encode())
    adapters = (ll.llama_adapter_lora_p_ctypes * 1)(lora)
    scales = (ctypes.c_float * 1)(1.0)
    if not lora or ll.llama_set_adapters_lora(context, adapters, 1, scales) != 0:
        ll.llama_free(context)
        ll.llama_model_free(handle)
        raise ModelFileError(
            f"{adapter} is no adapter for {path}. {_last_error()}Give one that was made for it."
        )


def _fingerprint(path: Path, options: LlamaOptions) -> str:
    """Digest of what keys and values depend on: runtime, settings, and samples of the files."""
    digest = hashlib.sha256(f"{ll.__version__} {options.key_type}".encode())
    for source in (path, Path(options.adapter)) if options.adapter else (path,):
        size = source.stat().st_size
        digest.update(size.to_bytes(8, "little"))
        with source.open("rb") as file:
            for part in range(FINGERPRINT_SAMPLES):
                file.seek(part * max(size - SAMPLE_BYTES, 0) // (FINGERPRINT_SAMPLES - 1))
                digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()[:32]


def _context_bytes(handle: Any, options: LlamaOptions) -> int:
    """What the keys and values take; the runtime would end the process if it is too much."""
    heads = max(ll.llama_model_n_head(handle), 1)
    width = ll.llama_model_n_embd(handle) // heads * ll.llama_model_n_head_kv(handle)
    return int(options.context_tokens * ll.llama_model_n_layer(handle) * width * 2 * 2)


def _memory_bytes() -> int:
    """Memory of this machine; without an answer, no limit."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return sys.maxsize


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
    except OSError as error:
        raise ModelFileError(
            f"{path} cannot be read ({error.strerror}). Fetch the model again."
        ) from None
    if magic != GGUF_MAGIC:
        raise ModelFileError(f"{path} is not a GGUF file. Give the path of a .gguf model.")


def _vocabulary(vocab: Any) -> Vocabulary:
    size = ll.llama_vocab_n_tokens(vocab)
    buffer = ctypes.create_string_buffer(PIECE_BYTES_MAX)
    pieces: list[bytes] = []
    special: set[int] = set()
    ends: set[int] = set()
    for token in range(size):
        length = ll.llama_token_to_piece(vocab, token, buffer, PIECE_BYTES_MAX, 0, True)
        pieces.append(buffer.raw[: max(length, 0)])
        if ll.llama_vocab_is_control(vocab, token):
            special.add(token)
        if ll.llama_vocab_is_eog(vocab, token):
            ends.add(token)
    ids = [
        f(vocab) for f in (ll.llama_vocab_fim_pre, ll.llama_vocab_fim_suf, ll.llama_vocab_fim_mid)
    ]
    fim = FimIds(*ids) if min(ids) >= 0 else None
    return Vocabulary(tuple(pieces), frozenset(special), frozenset(ends), fim)


_log_lines: list[str] = []
LOG_LINES_MAX = 50
LOG_LEVEL_ERROR = 4


def _on_log(level: int, text: bytes, _data: Any) -> None:
    if level == LOG_LEVEL_ERROR and len(_log_lines) < LOG_LINES_MAX:
        _log_lines.append(text.decode("utf-8", "replace").strip())


_log_callback = ll.llama_log_callback(_on_log)


def _silence() -> None:
    _log_lines.clear()
    ll.llama_log_set(_log_callback, ctypes.c_void_p(0))


def _last_error() -> str:
    return f"({_log_lines[0]}) " if _log_lines else ""
