"""Decodes an answer greedily from the model's logits until a rule ends it; it never decides what is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from assist.analysis.monitors.verdict import ACCEPTED
from assist.completion.drafter import Draft, Drafter
from assist.completion.guard import ALLOWED_MASS_MIN, LEGAL_MASS_MIN, Guard
from assist.completion.stop import StopRules, find_stop, loops
from assist.completion.token_trie import NO_HEAL, Heal, TokenTrie, choose_forced
from assist.models.kv_session import KvSession
from assist.models.model import Abort, Logits
from assist.models.vocabulary import Vocabulary

Reason = Literal["end", "stop", "loop", "tokens", "time", "illegal", "unlikely"]


@dataclass(frozen=True)
class Limits:
    """Bounds of one answer; ``deadline`` is a time of :func:`time.perf_counter`.

    ``log_probability_min`` is the sum over the tokens below which the answer is not worth its time.
    """

    tokens_max: int
    deadline: float
    log_probability_min: float = -np.inf


@dataclass(frozen=True)
class Decoded:
    """One answer: its text after the healed bytes, tokens, and natural log-probabilities.

    ``reason``: the model's end token, a stop rule, a repetition, a limit in tokens or
    time, monitors that left nothing probable, or too little probability. ``drafted`` and ``accepted`` count speculated
    tokens. ``rows`` are the logits that the tokens were chosen from.
    """

    text: str
    tokens: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    reason: Reason
    drafted: int = 0
    accepted: int = 0
    rows: tuple[Logits, ...] = field(default=(), repr=False, compare=False)

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
    heal: Heal = NO_HEAL,
    given: Sequence[tuple[int, Logits]] = (),
    drafter: Drafter | None = None,
    guard: Guard | None = None,
    progress: Callable[[str], None] | None = None,
    abort: Abort | None = None,
) -> Decoded:
    """Answer after the tokens in ``kv``, whose last row of logits is ``logits``.

    Speculation is lossless: a drafted token counts only where it is the model's own choice.
    With a ``guard`` every token is sampled freely and checked; only after a rejection the model
    chooses among what is legal. ``given`` tokens, each with the row it comes from, begin the
    answer. ``progress`` hears the text so far. Raises :class:`assist.models.model.Aborted` on ``abort``; ``kv``
    stays valid and may hold the answer's tokens.
    """
    answer = _Answer(kv.model.vocabulary, rules, limits, heal, trie, ends, guard)
    start = len(kv.tokens)
    draft: Draft | None = None
    rows = logits[-1:]
    for token, row in given:
        if answer.add(token, row):
            return answer.decoded("illegal")
    if given:
        rows = kv.extend(answer.tokens, abort=abort)[-1:]
    while True:
        accepted, reason = _accept(rows, draft, answer)
        if draft and drafter:
            drafter.record(draft, accepted)
            answer.drafted += len(draft.tokens)
            answer.accepted += accepted
        draft = None
        kept = len(answer.tokens)
        if reason == "retry":
            kv.truncate(start + kept)
            rows = answer.rows[kept][np.newaxis]
            continue
        if reason:
            kv.truncate(start + kept)
            return answer.decoded(reason)
        kv.truncate(start + kept - 1)
        if progress:
            progress(answer.text)
        if drafter:
            draft = drafter.propose(answer.tokens, limits.tokens_max, answer.usable)
            draft = answer.legal_part(draft)
        if draft and drafter and drafter.needs_trial(1 + len(draft.tokens)):
            _try_out(kv, answer.tokens[-1], draft, drafter, abort)
            draft = None
        rows = _evaluate(kv, answer.tokens[-1], draft, drafter, abort)


class _Answer:
    """The answer so far: its tokens, the rows they were chosen from, and what ends it."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        rules: StopRules,
        limits: Limits,
        heal: Heal,
        trie: TokenTrie,
        ends: frozenset[int],
        guard: Guard | None,
    ) -> None:
        self.tokens: list[int] = []
        self.rows: list[Logits] = []
        self.scores: list[float] = []
        self.drafted = self.accepted = 0
        self._rules, self._limits = rules, limits
        self._heal = heal
        self._vocabulary, self._trie, self._ends, self._guard = vocabulary, trie, ends, guard

    def take(self, row: Logits) -> Reason | Literal["retry"] | None:
        """Add the best token of ``row``; returns why the answer ends with it.

        "retry": the monitors took the answer back to fewer tokens; its next row is known.
        """
        token = self._next(row, len(self.tokens))
        if token is not None:
            return self.add(token, row)
        kept = self._guard.back_off(self.tokens) if self._guard else None
        if kept is None:
            return "illegal"
        del self.tokens[kept:]
        return "retry"

    def add(self, token: int, row: Logits) -> Reason | Literal["retry"] | None:
        """Add a token that was chosen from ``row``."""
        del self.rows[len(self.tokens) :], self.scores[len(self.tokens) :]
        self.rows.append(row)
        if token in self._ends:
            return self._judged("end", "")
        self.tokens.append(token)
        self.scores.append(_log_probability(row, token))
        text = self.text
        cut = find_stop(self._rules, text)
        if cut is not None:
            return self._judged("stop", text[:cut])
        looped = loops(self.tokens)
        if looped:
            del self.tokens[-looped:]
            return "loop"
        reason: Reason | None = None
        if len(self.tokens) >= self._limits.tokens_max:
            reason = "tokens"
        elif time.perf_counter() > self._limits.deadline:
            reason = "time"
        elif sum(self.scores) < self._limits.log_probability_min:
            return "unlikely"
        return self._judged(reason, text)

    @property
    def text(self) -> str:
        """Text after the healed bytes; a character that is not complete yet is left out."""
        return self._data[len(self._heal.data) :].decode("utf-8", "ignore")

    @property
    def _data(self) -> bytes:
        pieces = self._vocabulary.pieces
        return b"".join([pieces[token] for token in self.tokens])

    def usable(self, tokens: Sequence[int]) -> int:
        """How many of the drafted ``tokens`` stand before the one that would end the answer."""
        pieces = self._vocabulary.pieces
        data = self._data[len(self._heal.data) :]
        for count, token in enumerate(tokens):
            data += pieces[token]
            text = data.decode("utf-8", "ignore")
            if token in self._ends or find_stop(self._rules, text) is not None:
                return count
        return len(tokens)

    def legal_part(self, draft: Draft | None) -> Draft | None:
        """The draft up to its first token that the monitors would reject."""
        if draft is None or self._guard is None:
            return draft
        pieces = self._vocabulary.pieces
        count = self._guard.legal_start(pieces[token] for token in draft.tokens)
        return replace(draft, tokens=draft.tokens[:count]) if count else None

    def decoded(self, reason: Reason) -> Decoded:
        text = self.text
        cut = find_stop(self._rules, text) if reason == "stop" else None
        return Decoded(
            text[:cut],
            tuple(self.tokens),
            tuple(self.scores[: len(self.tokens)]),
            reason,
            self.drafted,
            self.accepted,
            tuple(self.rows[: len(self.tokens)]),
        )

    def _next(self, row: Logits, at: int) -> int | None:
        """Most probable token; where bytes are forced or texts are legal, among those that lead there."""
        guard = self._guard
        banned = guard.banned.get(at, ()) if guard else ()
        if banned:
            left = 1.0 - float(np.exp(row[list(banned)] - _log_sum(row)).sum())
            if left < ALLOWED_MASS_MIN:
                return None
            row = row.copy()
            row[list(banned)] = -np.inf
        mask = guard.masks.get(at) if guard else None
        if guard and mask is not None:
            mass = float(np.exp(row[mask.tokens] - _log_sum(row)).sum())
            guard.masked += 1
            guard.legal_mass = min(guard.legal_mass, mass)
            allowed = mask.tokens
            if not mask.is_bias:
                if mass < LEGAL_MASS_MIN:
                    return None
                # An end is never masked: it leaves the answer as it is.
                allowed = np.append(allowed, sorted(self._ends))
            return int(allowed[row[allowed].argmax()])
        return choose(row, self._trie, self._heal, len(self._data))

    def _judged(self, reason: Reason | None, shown: str) -> Reason | Literal["retry"] | None:
        """``reason``, unless the monitors reject what was written."""
        guard = self._guard
        if guard is None:
            return reason
        verdict = ACCEPTED
        if reason != "end":
            verdict = guard.advance(
                self._heal.data + shown.encode() if reason == "stop" else self._data
            )
        if verdict.accepted and reason in ("end", "stop"):
            verdict = guard.finish()
            if reason == "end" and not (verdict.accepted or verdict.is_bias):
                return "illegal"
        if verdict.accepted:
            return reason
        kept = guard.reject(verdict, self.tokens, ended=reason == "end")
        if kept is None:
            return "illegal"
        del self.tokens[kept:]
        return "retry"


def _accept(
    rows: Logits, draft: Draft | None, answer: _Answer
) -> tuple[int, Reason | Literal["retry"] | None]:
    """Add the model's own tokens, one for each row while the draft foresaw them.

    Returns how many drafted tokens were right, and why the answer ends.
    """
    drafted = draft.tokens if draft else ()
    for number, row in enumerate(rows):
        reason = answer.take(row)
        right = number < len(drafted) and answer.tokens[-1:] == [drafted[number]]
        if reason or not right:
            return number + (right and reason != "retry"), reason
    raise AssertionError("the row after the draft always ends the loop")


def _evaluate(
    kv: KvSession, token: int, draft: Draft | None, drafter: Drafter | None, abort: Abort | None
) -> Logits:
    tokens = [token, *(draft.tokens if draft else ())]
    started = time.process_time()
    rows = kv.extend(tokens, logits=len(tokens), abort=abort)
    if drafter:
        drafter.record_cost(len(tokens), time.process_time() - started)
        if draft is None:
            drafter.compare(token, rows[-1])
    return rows


def _try_out(
    kv: KvSession, token: int, draft: Draft, drafter: Drafter, abort: Abort | None
) -> None:
    """Evaluate a draft and forget it again: only to see whether its rows are those of single tokens."""
    length = len(kv.tokens)
    tokens = [token, *draft.tokens]
    drafter.begin_trial(tokens, kv.extend(tokens, logits=len(tokens), abort=abort))
    kv.truncate(length)


def _log_sum(row: Logits) -> float:
    """Logarithm of the sum of exponentials."""
    top = float(row.max())
    return top + float(np.log(np.exp(row - top).sum()))


def _log_probability(row: Logits, token: int) -> float:
    return float(row[token]) - _log_sum(row)


def choose(row: Logits, trie: TokenTrie, heal: Heal, written: int) -> int:
    """Most probable token after ``written`` bytes of an answer that begins with ``heal``."""
    token = choose_forced(row, trie, heal, written) if written < len(heal.data) else None
    return int(row.argmax()) if token is None else token


def branches(
    decoded: Decoded, count: int, *, trie: TokenTrie, ends: frozenset[int], heal: Heal
) -> list[tuple[tuple[int, Logits], ...]]:
    """Starts of the ``count`` most probable other answers: the same tokens up to one, then the next best.

    Each is what :func:`decode` takes as ``given``.
    """
    found: list[tuple[float, int, int]] = []
    probability, written = 0.0, 0
    for at, (token, row) in enumerate(zip(decoded.tokens, decoded.rows, strict=True)):
        others = row.copy()
        others[[token, *ends]] = -np.inf
        other = choose(others, trie, heal, written)
        if np.isfinite(others[other]):
            found.append((probability + _log_probability(row, other), at, other))
        probability += decoded.log_probabilities[at]
        written += len(trie.vocabulary.pieces[token])
    head = list(zip(decoded.tokens, decoded.rows, strict=True))
    best = sorted(found, reverse=True)[:count]
    return [(*head[:at], (other, decoded.rows[at])) for _, at, other in best]
