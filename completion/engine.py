"""Completes a document at a position: prompt, prefill, decode, stop, fit; read this first. It never speaks a protocol."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property

from assist.analysis.document import Document, Position, Span
from assist.completion.candidate import Candidate, Place, fit
from assist.completion.decoder import Decoded, Limits, decode
from assist.completion.prompt import FimPrompt, Window, build_prompt, marker_id
from assist.completion.stop import stop_rules
from assist.completion.token_trie import TokenTrie
from assist.models.kv_session import KvSession, Prefill
from assist.models.model import Abort
from assist.models.template import FimTemplate

TOKENS_MAX = 64
TIME_MS_MAX = 4_000.0
DOCUMENTS_MAX = 64


@dataclass(frozen=True)
class CompletionOptions:
    """Bounds of one answer; ``multiline`` asks for a block where a line of its own starts."""

    tokens_max: int = TOKENS_MAX
    context_tokens_max: int = 1024
    time_ms_max: float = TIME_MS_MAX
    multiline: bool = False
    heal: bool = True


@dataclass(frozen=True)
class Completion:
    """Answer to one request, best candidate first, with its counts and times in ms."""

    candidates: tuple[Candidate, ...]
    tokens: dict[str, int] = field(default_factory=dict)
    timing_ms: dict[str, float] = field(default_factory=dict)
    monitors: dict[str, int] = field(default_factory=dict)


@dataclass
class EngineSession:
    """What lives between completions: the model's cache, its template, and the window of each document."""

    kv: KvSession
    template: FimTemplate
    windows: OrderedDict[str, Window] = field(default_factory=OrderedDict)

    @cached_property
    def trie(self) -> TokenTrie:
        return TokenTrie(self.kv.model.vocabulary)

    @cached_property
    def ends(self) -> frozenset[int]:
        """Tokens that end an answer: the model's own, all without text, and the template's stops."""
        vocabulary = self.kv.model.vocabulary
        stops = {marker_id(self.kv.model, marker) for marker in self.template.stops}
        return vocabulary.end_of_generation | vocabulary.special | stops

    def close_document(self, uri: str) -> None:
        """Forget what is kept for a document."""
        self.windows.pop(uri, None)


def complete(
    session: EngineSession,
    document: Document,
    position: Position,
    options: CompletionOptions | None = None,
    *,
    abort: Abort | None = None,
) -> Completion:
    """Candidates for the cursor; an empty answer is valid.

    Raises :class:`assist.models.model.Aborted` when ``abort`` returned true; the session stays
    valid then.
    """
    options = options or CompletionOptions()
    started = time.perf_counter()
    offset = document.offset_at(position)
    prompt = _prompt(session, document, offset, options)
    prompted = time.perf_counter()
    prefill = session.kv.prefill(prompt.tokens, abort=abort)
    prefilled = time.perf_counter()
    language = document.language
    decoded = decode(
        session.kv,
        prefill.logits,
        stop_rules(prompt.prefix, prompt.suffix, language, multiline=options.multiline),
        Limits(options.tokens_max, started + options.time_ms_max / 1e3),
        trie=session.trie,
        ends=session.ends,
        heal=prompt.heal,
        abort=abort,
    )
    place = Place(prompt.prefix, document.text[offset : prompt.window.end], language)
    text = fit(decoded.text, place, finished=decoded.reason not in ("tokens", "time"))
    ended = time.perf_counter()
    candidates = (Candidate(text, Span(offset, offset), _score(decoded)),) if text else ()
    return Completion(
        candidates,
        tokens=_counts(prompt, prefill, decoded),
        timing_ms={
            "total": (ended - started) * 1e3,
            "context": (prompted - started) * 1e3,
            "prefill": (prefilled - prompted) * 1e3,
            "decode": (ended - prefilled) * 1e3,
            "monitors": 0.0,
        },
        monitors={"checked": 0, "rejected": 0, "masked": 0, "open": 0},
    )


def _prompt(
    session: EngineSession, document: Document, offset: int, options: CompletionOptions
) -> FimPrompt:
    windows = session.windows
    tokens_max = min(
        options.context_tokens_max, session.kv.model.context_tokens_max - options.tokens_max - 1
    )
    prompt = build_prompt(
        session.kv.model,
        session.template,
        document.text,
        offset,
        tokens_max=tokens_max,
        window=windows.get(document.uri),
        heal=options.heal,
    )
    windows[document.uri] = prompt.window
    windows.move_to_end(document.uri)
    while len(windows) > DOCUMENTS_MAX:
        windows.popitem(last=False)
    return prompt


def _score(decoded: Decoded) -> float:
    """Geometric mean of the tokens' probabilities."""
    if not decoded.log_probabilities:
        return 0.0
    return math.exp(sum(decoded.log_probabilities) / len(decoded.log_probabilities))


def _counts(prompt: FimPrompt, prefill: Prefill, decoded: Decoded) -> dict[str, int]:
    return {
        "prompt": len(prompt.tokens),
        "reused": prefill.reused,
        "shifted": prefill.shifted,
        "evaluated": prefill.evaluated,
        "generated": len(decoded.tokens),
        "drafted": 0,
        "accepted": 0,
    }
