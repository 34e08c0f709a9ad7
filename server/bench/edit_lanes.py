"""The ways to answer after an edit that `assist bench edits` compares: policies of the cache, and llama-server; each evaluates the same tokens."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Protocol

from assist.models.kv_session import KvSession
from assist.models.llama import LlamaOptions
from assist.models.model import Logits
from assist.server.bench.peer_server import (
    PeerOptions,
    peer_address,
    peer_command,
    peer_environment,
)

LINE_TOKENS_MAX = 24
# For the documents that are not in focus, in every lane and in the peer.
PARKED_MIB_MAX = 1024
ANSWER_SECONDS_MAX = 120.0


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

    def close(self) -> None: ...


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

    def close(self) -> None:
        self.session.model.close()

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
    """llama-server with reuse of its cache, in a process of its own."""

    name = "llama-server"

    def __init__(self, model: Path, options: LlamaOptions) -> None:
        peer = PeerOptions(
            options.context_tokens,
            options.batch_tokens,
            options.threads_decode,
            options.threads_prefill,
            PARKED_MIB_MAX,
        )
        self._process = subprocess.Popen(
            peer_command(str(model), peer),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=peer_environment(peer),
        )
        assert self._process.stdout is not None
        address = None
        while address is None:
            address = peer_address(self._process.stdout.readline())
        self._address = address.netloc

    def open(self, tokens: Sequence[int], document: str) -> None:
        self.answer(tokens, document)

    def answer(self, tokens: Sequence[int], document: str) -> Answer:
        """Times are the server's own, without the way of the request."""
        request = {"prompt": list(tokens), "n_predict": 1, "cache_prompt": True, "temperature": 0}
        headers = {"Content-Type": "application/json"}
        # It ends a connection that rests for some seconds.
        with closing(HTTPConnection(self._address, timeout=ANSWER_SECONDS_MAX)) as connection:
            connection.request("POST", "/completion", json.dumps(request), headers)
            timings = json.loads(connection.getresponse().read())["timings"]
        cached, evaluated = int(timings["cache_n"]), int(timings["prompt_n"])
        return Answer(cached, 0, evaluated, float(timings["prompt_ms"]), None, None)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
