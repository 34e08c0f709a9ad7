"""Completes a document at a position: prompt, prefill, decode, stop, fit; read this first. It never speaks a protocol."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property

from assist.analysis.document import Document, Edit, Position, Span
from assist.analysis.lexer import StatementIndex
from assist.analysis.monitors.session import session as watch
from assist.analysis.monitors.view import Facts
from assist.analysis.syntax import Syntax, enclosing, indentation_at, parse, reparse
from assist.completion.candidate import Candidate, Place, fit
from assist.completion.decoder import Decoded, Limits, decode
from assist.completion.drafter import GAP, Drafter, DraftStatistics, TokenIndex
from assist.completion.guard import Guard, LegalSets
from assist.completion.parsable import keeps_parsable
from assist.completion.prompt import (
    HEAL_TOKENS_MAX,
    FimPrompt,
    Window,
    build_prompt,
    changed_span,
)
from assist.completion.stop import indentation, stop_rules
from assist.completion.token_trie import TokenTrie
from assist.models.kv_session import KvSession, Prefill
from assist.models.model import Abort
from assist.models.template import FimTemplate

TOKENS_MAX = 64
DECODE_MS_MAX = 4_000.0
DOCUMENTS_MAX = 64
UNFINISHED = ("loop", "tokens", "time")
# Code points before and after the cursor that a candidate is fitted to.
HEAD_MAX = 4_000
TAIL_MAX = 2_000


@dataclass(frozen=True)
class CompletionOptions:
    """Bounds of one answer; ``multiline`` asks for a block where a line of its own starts."""

    tokens_max: int = TOKENS_MAX
    context_tokens_max: int = 1024
    decode_ms_max: float = DECODE_MS_MAX
    multiline: bool = False
    heal: bool = True
    speculate: bool = True
    monitors: bool = True


@dataclass(frozen=True)
class Completion:
    """Answer to one request, best candidate first, with its counts and times in ms."""

    candidates: tuple[Candidate, ...]
    tokens: dict[str, int] = field(default_factory=dict)
    timing_ms: dict[str, float] = field(default_factory=dict)
    monitors: dict[str, int] = field(default_factory=dict)


@dataclass
class OpenDocument:
    """What is kept between two completions of one document."""

    syntax: Syntax
    statements: StatementIndex = field(default_factory=StatementIndex)
    window: Window | None = None

    def update(self, document: Document) -> None:
        """Follow the document to its new text at the cost of the difference."""
        old = self.syntax.document
        if old.text == document.text:
            return
        span, text = changed_span(old.text, document.text)
        self.syntax = reparse(self.syntax, document, [Edit(span, text)])


@dataclass
class EngineSession:
    """What lives between completions: the model's cache, its template, and the open documents."""

    kv: KvSession
    template: FimTemplate
    documents: OrderedDict[str, OpenDocument] = field(default_factory=OrderedDict)
    drafts: DraftStatistics = field(default_factory=DraftStatistics)

    @cached_property
    def trie(self) -> TokenTrie:
        return TokenTrie(self.kv.model.vocabulary)

    @cached_property
    def legal_sets(self) -> LegalSets:
        return LegalSets(self.trie)

    @cached_property
    def ends(self) -> frozenset[int]:
        """Tokens that end an answer: the model's own, all without text, and the template's stops."""
        vocabulary = self.kv.model.vocabulary
        stops = map(vocabulary.marker, self.template.stops)
        known = {token for token in stops if token is not None}
        return vocabulary.end_of_generation | vocabulary.special | known

    def open_document(self, document: Document) -> OpenDocument:
        """State of a document, brought up to its text."""
        opened = self.documents.get(document.uri)
        if opened is None or opened.syntax.document.language != document.language:
            opened = self.documents[document.uri] = OpenDocument(parse(document))
        opened.update(document)
        self.documents.move_to_end(document.uri)
        while len(self.documents) > DOCUMENTS_MAX:
            self.documents.popitem(last=False)
        return opened

    def close_document(self, uri: str) -> None:
        """Forget what is kept for a document."""
        self.documents.pop(uri, None)


def complete(
    session: EngineSession,
    document: Document,
    position: Position,
    options: CompletionOptions | None = None,
    *,
    facts: Facts | None = None,
    abort: Abort | None = None,
) -> Completion:
    """Candidates for the cursor; an empty answer is valid.

    ``facts`` are what the monitors know about the place besides the text. Raises :class:`assist.models.model.Aborted` when ``abort`` returned true; the session stays
    valid then.
    """
    options = options or CompletionOptions()
    started = time.perf_counter()
    offset = document.offset_at(position)
    opened = session.open_document(document)
    prompt = _prompt(session, opened, offset, options)
    prompted = time.perf_counter()
    prefill = session.kv.prefill(prompt.tokens, document=document.uri, abort=abort)
    prefilled = time.perf_counter()
    guard = _guard(session, opened, offset, prompt, facts) if options.monitors else None
    decoded = decode(
        session.kv,
        prefill.logits,
        stop_rules(opened.syntax, offset, multiline=options.multiline),
        Limits(options.tokens_max, prefilled + options.decode_ms_max / 1e3),
        trie=session.trie,
        ends=session.ends,
        heal=prompt.heal,
        drafter=_drafter(session, prompt) if options.speculate else None,
        guard=guard,
        abort=abort,
    )
    candidates = _candidates(opened, offset, decoded, guard)
    ended = time.perf_counter()
    return Completion(
        candidates,
        tokens=_counts(prompt, prefill, decoded),
        timing_ms={
            "total": (ended - started) * 1e3,
            "context": (prompted - started) * 1e3,
            "prefill": (prefilled - prompted) * 1e3,
            "decode": (ended - prefilled) * 1e3,
            "monitors": guard.seconds * 1e3 if guard else 0.0,
        },
        monitors={
            "checked": guard.tally.checked if guard else 0,
            "rejected": guard.rejected if guard else 0,
            "masked": guard.masked if guard else 0,
            "open": guard.tally.open if guard else 0,
        },
    )


def _prompt(
    session: EngineSession, opened: OpenDocument, offset: int, options: CompletionOptions
) -> FimPrompt:
    room = session.kv.model.context_tokens_max - options.tokens_max - HEAL_TOKENS_MAX
    prompt = build_prompt(
        session.kv.model,
        session.template,
        opened.syntax.document.text,
        offset,
        tokens_max=min(options.context_tokens_max, room),
        window=opened.window,
        heal=options.heal,
    )
    opened.window = prompt.window
    return prompt


def _guard(
    session: EngineSession,
    opened: OpenDocument,
    offset: int,
    prompt: FimPrompt,
    facts: Facts | None,
) -> Guard | None:
    """The monitors for an answer at ``offset``; none where nothing is watched."""
    state = watch(opened.syntax.document, offset, facts, opened.statements)
    if state is None:
        return None
    return Guard(session.legal_sets, prompt.heal, prompt.prefix, [state])


def _candidates(
    opened: OpenDocument, offset: int, decoded: Decoded, guard: Guard | None
) -> tuple[Candidate, ...]:
    document = opened.syntax.document
    # A block's header is code for sure, so brackets and quotes can be read from there.
    blocks = enclosing(opened.syntax, offset)
    start = max([block.span.start for block in blocks] + [offset - HEAD_MAX])
    place = Place(
        document.text[min(start, offset) : offset],
        document.text[offset : offset + TAIL_MAX],
        document.language,
        indentation(indentation_at(document, offset)),
    )
    text = decoded.text
    if decoded.reason == "illegal":
        text = text.rpartition("\n")[0]
    text = fit(text, place, finished=decoded.reason not in UNFINISHED)
    while text and not (_exists(guard, text) and keeps_parsable(opened.syntax, offset, text)):
        text = text.rpartition("\n")[0].rstrip()
    return (Candidate(text, Span(offset, offset), _score(decoded)),) if text else ()


def _exists(guard: Guard | None, text: str) -> bool:
    """Whether the monitors let ``text`` stand as a whole, with all that is known by now."""
    if guard is None:
        return True
    state, verdict = guard.states[0].advance(text)
    return verdict.accepted and state.finish().accepted


def _drafter(session: EngineSession, prompt: FimPrompt) -> Drafter:
    own = TokenIndex((*prompt.prefix_tokens, GAP, *prompt.suffix_tokens))
    return Drafter([("document", own)], session.drafts, prompt.prefix_tokens)


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
        "drafted": decoded.drafted,
        "accepted": decoded.accepted,
    }
