"""The ways to answer after an edit that `assist bench edits` compares: policies of the cache, and llama-server; each evaluates the same tokens."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from assist.models.kv_session import KvSession
from assist.models.llama import LlamaOptions
from assist.models.model import Logits

LINE_TOKENS_MAX = 24
# llama-server keeps a run of at least this many tokens when it reuses its cache.
PEER_RUN_TOKENS = 256
PEER_MEMORY_MB = 1024


@dataclass(frozen=True)
class Answer:
    """One prompt answered: token counts, time to the first token, its logits, the greedy line.

    A peer gives no logits; then ``logits`` and ``line`` are none.
    """

    reused: int
    shifted: int
    evaluated: int
    milliseconds: float
    logits: Logits | None
    line: bytes | None


class Lane(Protocol):
    """One way to answer, with a cache of its own."""

    name: str

    def open(self, tokens: Sequence[int], document: str) -> None:
        """Hold a prompt that was not edited, untimed."""
        ...

    def answer(self, tokens: Sequence[int], document: str) -> Answer: ...


class CacheLane:
    """The product's own cache under one policy; with ``refreshed`` after the idle refresh."""

    def __init__(self, name: str, session: KvSession, *, refreshed: bool = False) -> None:
        self.name = name
        self.session = session
        self._refreshed = refreshed

    def open(self, tokens: Sequence[int], document: str) -> None:
        self.session.prefill(tokens, document=document)
        self.session.refresh()

    def copy(self, other: CacheLane, document: str) -> None:
        """Hold what another lane of the same model holds of ``document``."""
        self.session.focus(document)
        self.session.restore(other.session.snapshot())

    def answer(self, tokens: Sequence[int], document: str) -> Answer:
        session = self.session
        if self._refreshed:
            session.prefill(tokens, document=document)
            session.refresh()
        started = time.perf_counter()
        prefill = session.prefill(tokens, document=document)
        milliseconds = (time.perf_counter() - started) * 1e3
        # llama.cpp rounds a token that is evaluated alone otherwise than one in a batch: to compare
        # what was reused and not that, every lane's logits come from the last token alone.
        session.truncate(len(tokens) - 1)
        logits = session.extend(tokens[-1:]).copy()
        line = self._line(logits)
        session.truncate(len(tokens))
        counts = (prefill.reused, prefill.shifted, prefill.evaluated)
        return Answer(*counts, milliseconds, logits, line)

    def _line(self, logits: Logits) -> bytes:
        session, vocabulary = self.session, self.session.model.vocabulary
        line = b""
        for _ in range(LINE_TOKENS_MAX):
            token = int(logits[-1].argmax())
            line += vocabulary.pieces[token]
            if token in vocabulary.special or b"\n" in line:
                break
            logits = session.extend([token])
        return line.partition(b"\n")[0]


class PeerLane:
    """llama-server with reuse of its cache, in this process through xllamacpp."""

    name = "llama-server"

    def __init__(self, model: Path, options: LlamaOptions) -> None:
        import xllamacpp

        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(model)
        parameters.n_ctx = options.context_tokens
        parameters.n_batch = parameters.n_ubatch = options.batch_tokens
        parameters.n_parallel = 1
        parameters.n_cache_reuse = PEER_RUN_TOKENS
        parameters.cache_ram_mib = PEER_MEMORY_MB
        parameters.cpuparams.n_threads = options.threads_decode
        parameters.cpuparams_batch.n_threads = options.threads_prefill
        parameters.cpuparams.poll = parameters.cpuparams_batch.poll = 0
        parameters.verbosity = 0
        self._server = xllamacpp.Server(parameters)

    def open(self, tokens: Sequence[int], document: str) -> None:
        self.answer(tokens, document)

    def answer(self, tokens: Sequence[int], document: str) -> Answer:
        """Times are the server's own, without the way of the request."""
        reply: dict[str, Any] = self._server.handle_completions(
            {"prompt": list(tokens), "n_predict": 1, "cache_prompt": True, "temperature": 0}
        )
        timings = reply["timings"]
        cached, evaluated = int(timings["cache_n"]), int(timings["prompt_n"])
        return Answer(cached, 0, evaluated, float(timings["prompt_ms"]), None, None)
