"""Decodes an answer greedily from the model's logits until a rule ends it; it never decides what is shown."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np

from assist.completion.stop import StopRules, find_stop, loops
from assist.completion.token_trie import TokenTrie
from assist.models.kv_session import KvSession
from assist.models.model import Abort, Logits

Reason = Literal["end", "stop", "loop", "tokens", "time"]


@dataclass(frozen=True)
class Limits:
    """Bounds of one answer; ``deadline`` is a time of :func:`time.perf_counter`."""

    tokens_max: int
    deadline: float


@dataclass(frozen=True)
class Decoded:
    """One answer: its text after the healed bytes, tokens, and natural log-probabilities.

    ``reason``: the model's end token, a stop rule, a repetition, or a limit in tokens or time.
    """

    text: str
    tokens: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    reason: Reason


def decode(
    kv: KvSession,
    logits: Logits,
    rules: StopRules,
    limits: Limits,
    *,
    trie: TokenTrie,
    ends: frozenset[int],
    heal: bytes = b"",
    abort: Abort | None = None,
) -> Decoded:
    """Answer after the tokens in ``kv``, whose last row of logits is ``logits``.

    Raises :class:`assist.models.model.Aborted` on ``abort``; ``kv`` stays valid and may hold the
    answer's tokens.
    """
    pieces = kv.model.vocabulary.pieces
    data = b""
    tokens: list[int] = []
    scores: list[float] = []
    row = logits[-1]
    while True:
        token = _best(row, trie, heal[len(data) :])
        if token in ends:
            return _decoded(data, heal, tokens, scores, "end")
        tokens.append(token)
        scores.append(_log_probability(row, token))
        data += pieces[token]
        text = _text(data, heal)
        cut = find_stop(rules, text)
        if cut is not None:
            return Decoded(text[:cut], tuple(tokens), tuple(scores), "stop")
        looped = loops(tokens)
        if looped:
            del tokens[-looped:], scores[-looped:]
            data = b"".join(pieces[token] for token in tokens)
            return _decoded(data, heal, tokens, scores, "loop")
        if len(tokens) >= limits.tokens_max:
            return _decoded(data, heal, tokens, scores, "tokens")
        if time.perf_counter() > limits.deadline:
            return _decoded(data, heal, tokens, scores, "time")
        row = kv.extend([token], abort=abort)[-1]


def _best(row: Logits, trie: TokenTrie, forced: bytes) -> int:
    """Most probable token; while bytes are forced, among those that can lead to them."""
    if not forced:
        return int(row.argmax())
    allowed = trie.compatible(forced)
    if not len(allowed):
        return int(row.argmax())
    return int(allowed[row[allowed].argmax()])


def _log_probability(row: Logits, token: int) -> float:
    top = row.max()
    return float(row[token] - top - np.log(np.exp(row - top).sum()))


def _text(data: bytes, heal: bytes) -> str:
    """Text after the healed bytes; a character that is not complete yet is left out."""
    return data[len(heal) :].decode("utf-8", "ignore")


def _decoded(
    data: bytes, heal: bytes, tokens: list[int], scores: list[float], reason: Reason
) -> Decoded:
    return Decoded(_text(data, heal), tuple(tokens), tuple(scores), reason)
