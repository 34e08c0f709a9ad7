"""Decodes an answer greedily from the model's logits until a rule ends it; it never decides what is shown."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np

from assist.completion.drafter import Draft, Drafter
from assist.completion.stop import StopRules, find_stop, loops
from assist.completion.token_trie import TokenTrie
from assist.models.kv_session import KvSession
from assist.models.model import Abort, Logits
from assist.models.vocabulary import Vocabulary

Reason = Literal["end", "stop", "loop", "tokens", "time"]

# Rows of a batch differ from rows of single evaluations in the last digits. Where the best two
# tokens are closer than this, the token is evaluated alone, so that drafts never change a text.
TIE_LOGITS = 0.05


@dataclass(frozen=True)
class Limits:
    """Bounds of one answer; ``deadline`` is a time of :func:`time.perf_counter`."""

    tokens_max: int
    deadline: float


@dataclass(frozen=True)
class Decoded:
    """One answer: its text after the healed bytes, tokens, and natural log-probabilities.

    ``reason``: the model's end token, a stop rule, a repetition, or a limit in tokens or time.
    ``drafted`` and ``accepted`` count speculated tokens.
    """

    text: str
    tokens: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    reason: Reason
    drafted: int = 0
    accepted: int = 0

    @property
    def finished(self) -> bool:
        """Whether the answer ended by itself."""
        return self.reason in ("end", "stop")


def decode(
    kv: KvSession,
    logits: Logits,
    rules: StopRules,
    limits: Limits,
    *,
    trie: TokenTrie,
    ends: frozenset[int],
    heal: bytes = b"",
    drafter: Drafter | None = None,
    abort: Abort | None = None,
) -> Decoded:
    """Answer after the tokens in ``kv``, whose last row of logits is ``logits``.

    Speculation is lossless: a drafted token counts only where it is the model's own choice.
    Raises :class:`assist.models.model.Aborted` on ``abort``; ``kv`` stays valid and may hold the
    answer's tokens.
    """
    answer = _Answer(kv.model.vocabulary, rules, limits, heal)
    start = len(kv.tokens)
    draft: Draft | None = None
    rows = logits[-1:]
    while True:
        accepted, reason = _accept(kv, start, rows, draft, answer, trie, ends, abort)
        if draft and drafter:
            drafter.record(draft, accepted)
            answer.drafted += len(draft.tokens)
            answer.accepted += accepted
        if reason:
            kv.truncate(start + len(answer.tokens))
            return answer.decoded(reason)
        kv.truncate(start + len(answer.tokens) - 1)
        draft = drafter.propose(answer.tokens, limits.tokens_max) if drafter else None
        rows = _evaluate(kv, answer.tokens[-1], draft, drafter, abort)


class _Answer:
    """The answer so far."""

    def __init__(
        self, vocabulary: Vocabulary, rules: StopRules, limits: Limits, heal: bytes
    ) -> None:
        self.tokens: list[int] = []
        self.scores: list[float] = []
        self.drafted = self.accepted = 0
        self._vocabulary, self._rules, self._limits, self._heal = vocabulary, rules, limits, heal
        self._data = b""
        self._cut: int | None = None

    @property
    def forced(self) -> bytes:
        """Bytes that the answer still has to begin with."""
        return self._heal[len(self._data) :]

    @property
    def text(self) -> str:
        """Text after the healed bytes; a character that is not complete yet is left out."""
        return self._data[len(self._heal) :].decode("utf-8", "ignore")

    def push(self, token: int, row: Logits) -> Reason | None:
        """Add a token; returns why the answer ends with it."""
        self.tokens.append(token)
        self.scores.append(_log_probability(row, token))
        self._data += self._vocabulary.pieces[token]
        self._cut = find_stop(self._rules, self.text)
        if self._cut is not None:
            return "stop"
        looped = loops(self.tokens)
        if looped:
            del self.tokens[-looped:], self.scores[-looped:]
            self._data = b"".join(self._vocabulary.pieces[token] for token in self.tokens)
            return "loop"
        if len(self.tokens) >= self._limits.tokens_max:
            return "tokens"
        return "time" if time.perf_counter() > self._limits.deadline else None

    def decoded(self, reason: Reason) -> Decoded:
        text = self.text[: self._cut] if reason == "stop" else self.text
        return Decoded(
            text, tuple(self.tokens), tuple(self.scores), reason, self.drafted, self.accepted
        )


def _accept(
    kv: KvSession,
    start: int,
    rows: Logits,
    draft: Draft | None,
    answer: _Answer,
    trie: TokenTrie,
    ends: frozenset[int],
    abort: Abort | None,
) -> tuple[int, Reason | None]:
    """Add the model's own tokens, one for each row while the draft foresaw them.

    Returns how many drafted tokens were right, and why the answer ends.
    """
    drafted = draft.tokens if draft else ()
    for number, row in enumerate(rows):
        exact = row
        if len(rows) > 1 and _is_tie(row):
            kv.truncate(start + len(answer.tokens) - 1)
            exact = kv.extend(answer.tokens[-1:], abort=abort)[-1]
            drafted = drafted[:number]
        token = _best(exact, trie, answer.forced)
        if token in ends:
            return number, "end"
        reason = answer.push(token, exact)
        right = number < len(drafted) and drafted[number] == token
        if reason or not right:
            return number + right, reason
    raise AssertionError("the row after the draft always ends the loop")


def _evaluate(
    kv: KvSession, token: int, draft: Draft | None, drafter: Drafter | None, abort: Abort | None
) -> Logits:
    tokens = [token, *(draft.tokens if draft else ())]
    started = time.process_time()
    rows = kv.extend(tokens, logits=len(tokens), abort=abort)
    if drafter:
        drafter.record_cost(len(tokens), time.process_time() - started)
    return rows


def _is_tie(row: Logits) -> bool:
    second, first = np.partition(row, -2)[-2:]
    return bool(first - second < TIE_LOGITS)


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
