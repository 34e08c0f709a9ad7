"""Holds the monitors' view of an answer and turns a rejection into the tokens that may stand instead; it never asks the model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from assist.analysis.monitors.session import MonitorState, Tally
from assist.analysis.monitors.verdict import ACCEPTED, Verdict
from assist.completion.token_trie import TokenIds, TokenTrie

# Past this the monitors stay open for the rest of the answer. It is counted in the time of the
# thread, so that a busy machine does not turn them off.
SECONDS_MAX = 0.1
# Past this drafts are no longer looked at before they are evaluated. It is counted apart: a wrong
# draft must not open the monitors sooner than plain decoding would.
DRAFT_SECONDS_MAX = 0.05
REJECTIONS_MAX = 12
# Texts that are only known to be wrong are avoided so often; then the model means something else,
BANS_MAX = 2
# as it does where all that is left has less probability than this.
ALLOWED_MASS_MIN = 0.05
# With less probability on all legal tokens together the model means something else.
LEGAL_MASS_MIN = 0.002
SETS_MAX = 256


@dataclass
class LegalSets:
    """Tokens that may begin what is left of legal texts, compiled once and kept."""

    trie: TokenTrie
    tokenize: Callable[[str], list[int]]
    known: dict[tuple[bytes, frozenset[str]], TokenIds] = field(default_factory=dict)

    def tokens(self, start: bytes, texts: frozenset[str], written: bytes) -> TokenIds:
        """Tokens after ``written`` with which it can still become ``start`` and one of ``texts``.

        A token may go on behind a legal text, but not with a character that would continue it.
        """
        key = start + b"\n" + written, texts
        found = self.known.get(key)
        if found is None:
            found = self._compile(start, texts, written)
            if len(self.known) >= SETS_MAX:
                self.known.pop(next(iter(self.known)))
            self.known[key] = found
        return found

    def _compile(self, start: bytes, texts: frozenset[str], written: bytes) -> TokenIds:
        allowed: list[TokenIds] = []
        for text in texts:
            whole = start + text.encode()
            if whole.startswith(written):
                rest = whole[len(written) :]
                allowed.append(self._first(rest))
                allowed.append(self._going_on(rest, continues=_is_word(whole[-1:])))
        return np.unique(np.concatenate(allowed)) if allowed else np.zeros(0, np.int64)

    def _first(self, rest: bytes) -> TokenIds:
        """The token that begins ``rest`` as the model has learned to write it."""
        tokens = self.tokenize(rest.decode("utf-8", "ignore"))[:1]
        if tokens and rest.startswith(self.trie.vocabulary.pieces[tokens[0]]):
            return np.array(tokens, np.int64)
        return self.trie.starts_of(rest)

    def _going_on(self, rest: bytes, *, continues: bool) -> TokenIds:
        """Tokens that hold all of ``rest`` and do not continue a word behind it."""
        tokens = self.trie.starting_with(rest)
        if not continues:
            return tokens
        if not rest:
            return self._no_words
        pieces, size = self.trie.vocabulary.pieces, len(rest)
        return tokens[[not _is_word(pieces[token][size : size + 1]) for token in tokens.tolist()]]

    @cached_property
    def _no_words(self) -> TokenIds:
        pieces = self.trie.vocabulary.pieces
        tokens = self.trie.starting_with(b"")
        return tokens[[not _is_word(pieces[token][:1]) for token in tokens.tolist()]]


@dataclass(frozen=True)
class _Step:
    """What one token does to the monitors, and the time it took them."""

    before: MonitorState
    state: MonitorState
    verdict: Verdict
    seconds: float


class Mask(NamedTuple):
    """Tokens that may stand at a place, because ``whole`` and one of the ``legal`` texts can come of
    them; with ``is_bias`` whatever the model thinks of them, because analysis knows that they are wanted."""

    tokens: TokenIds
    whole: bytes
    legal: frozenset[str]
    is_bias: bool


@dataclass
class Guard:
    """The monitors beside one answer: their state after each of its tokens.

    ``heal`` are the bytes that the answer repeats from before the cursor, ``head`` the text
    before the cursor. ``masked`` counts the tokens that were chosen among legal ones only.
    ``seconds`` is the time that plain decoding would have taken here, ``seconds_max`` its bound.
    """

    sets: LegalSets
    heal: bytes
    head: str
    states: list[MonitorState]
    written: list[bytes] = field(default_factory=lambda: [b""])
    masks: dict[int, Mask] = field(default_factory=dict)
    banned: dict[int, list[int]] = field(default_factory=dict)
    masked: int = 0
    rejected: int = 0
    bans: int = 0
    legal_mass: float = 1.0
    seconds: float = 0.0
    seconds_max: float = SECONDS_MAX
    draft_seconds: float = 0.0
    _ahead: dict[bytes, _Step] = field(default_factory=dict)

    @property
    def tally(self) -> Tally:
        return self.states[0].tally

    def advance(self, data: bytes) -> Verdict:
        """The answer grew by a token and is ``data`` now, healed bytes included."""
        state = self.states[-1]
        step = self._ahead.get(data)
        if self.seconds >= self.seconds_max:
            step = _Step(state, state, ACCEPTED, 0.0)
        elif step is None or step.before is not state:
            step = self._step(state, self.written[-1], data)
        self.written.append(data)
        self.states.append(step.state)
        self.seconds += step.seconds
        return step.verdict

    def finish(self) -> Verdict:
        """The answer ends here."""
        if self.seconds >= self.seconds_max:
            return ACCEPTED
        started = time.thread_time()
        verdict = self.states[-1].finish()
        self.seconds += time.thread_time() - started
        return verdict

    def accepts(self, text: str) -> bool:
        """Whether ``text`` may stand as the whole answer, with all that is known by now."""
        started = time.thread_time()
        state, verdict = replace(self.states[0], biased=False).advance(text)
        accepted = verdict.accepted and state.finish().accepted
        self.seconds += time.thread_time() - started
        return accepted

    def legal_start(self, pieces: Iterable[bytes]) -> int:
        """How many of drafted ``pieces`` the monitors let stand after the answer so far.

        What is found out is kept for :meth:`advance`, which gets the same pieces where they are right.
        """
        state, data = self.states[-1], self.written[-1]
        self._ahead.clear()
        count = 0
        for piece in pieces:
            if self.draft_seconds < DRAFT_SECONDS_MAX:
                step = self._step(state, data, data + piece)
                self._ahead[data + piece] = step
                self.draft_seconds += step.seconds
                if not step.verdict.accepted:
                    break
                state = step.state
            data += piece
            count += 1
        return count

    def _step(self, state: MonitorState, written: bytes, data: bytes) -> _Step:
        started = time.thread_time()
        added = self._text(data)[len(self._text(written)) :]
        after, verdict = state.advance(added) if added else (state, ACCEPTED)
        return _Step(state, after, verdict, time.thread_time() - started)

    def reject(self, verdict: Verdict, tokens: Sequence[int], *, ended: bool = False) -> int | None:
        """How many tokens may stay after a rejection; none where the answer has to be dropped.

        ``ended``: not the last token was rejected but the end after it. The mask for the token after
        them is kept until the answer is cut below it.
        """
        self.rejected += 1
        if self.rejected > REJECTIONS_MAX or not tokens:
            return None
        if verdict.legal is None and verdict.is_bias:
            return None
        if verdict.legal is None:
            # A call that takes nothing more is not gone on with.
            ends = verdict.monitor == "keywords"
            kept = self._end_list(self._whole(verdict.span.start), tokens) if ends else None
            return self._ban(self._token_at(verdict.span.start), tokens) if kept is None else kept
        started = time.thread_time()
        masked = self._mask(verdict, len(tokens) - (not ended))
        self.seconds += time.thread_time() - started
        return masked

    def back_off(self, tokens: Sequence[int]) -> int | None:
        """How many tokens may stay where the mask after them leaves too little probability; none
        where the model means something else.

        Another token is taken inside the name that cannot be gone on with, or none of the list
        that the name would be the next of.
        """
        self.rejected += 1
        mask = self.masks.get(len(tokens))
        if self.rejected > REJECTIONS_MAX or mask is None:
            return None
        kept = len(tokens) - 1
        while kept >= 0 and len(self.written[kept + 1]) > len(mask.whole):
            allowed = self.sets.tokens(mask.whole, mask.legal, self.written[kept])
            others = allowed[allowed != tokens[kept]]
            if len(others):
                self._cut(kept)
                self.masks[kept] = mask._replace(tokens=others)
                return kept
            kept -= 1
        return self._end_list(mask.whole, tokens)

    def _end_list(self, whole: bytes, tokens: Sequence[int]) -> int | None:
        """Avoid the comma that ends ``whole``; none where it ends otherwise."""
        kept = sum(len(written) <= len(whole) for written in self.written[1:]) - 1
        leads = kept >= 0 and self.sets.trie.vocabulary.pieces[tokens[kept]].strip() == b","
        return self._ban(kept, tokens) if leads else None

    def _ban(self, kept: int, tokens: Sequence[int]) -> int | None:
        self.banned.setdefault(kept, []).append(tokens[kept])
        self._cut(kept)
        self.bans += 1
        return kept if self.bans <= BANS_MAX else None

    def _mask(self, verdict: Verdict, newest: int) -> int | None:
        assert verdict.legal is not None
        start, legal = verdict.span.start, verdict.legal
        if start < 0:
            typed = self.head[start:]
            legal = frozenset(name[-start:] for name in legal if name.startswith(typed))
        whole = self._whole(start)
        for kept in range(newest, -1, -1):
            written = self.written[kept]
            allowed = self.sets.tokens(whole, legal, written)
            if len(allowed):
                self._cut(kept)
                self.masks[kept] = Mask(allowed, whole, legal, verdict.is_bias)
                return kept
            if len(written) <= len(whole):
                return None
        return None

    def _whole(self, start: int) -> bytes:
        """The answer up to its character ``start``, which may lie before it."""
        return self.heal + self._text(self.written[-1])[: max(start, 0)].encode()

    def _text(self, data: bytes) -> str:
        return data[len(self.heal) :].decode("utf-8", "ignore")

    def _token_at(self, start: int) -> int:
        """Index of the token that holds the character at ``start`` of the answer's text."""
        written = range(1, len(self.written) - 1)
        return next(
            (n - 1 for n in written if len(self._text(self.written[n])) > start), len(written)
        )

    def _cut(self, kept: int) -> None:
        del self.states[kept + 1 :], self.written[kept + 1 :]
        self.masks = {at: mask for at, mask in self.masks.items() if at <= kept}
        self.banned = {at: tokens for at, tokens in self.banned.items() if at <= kept}


def _is_word(data: bytes) -> bool:
    return data.isalnum() or data == b"_" or data >= b"\x80"
