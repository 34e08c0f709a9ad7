"""Completes a document at a position: prompt, prefill, decode, stop; read this first. It never speaks a protocol."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from assist.analysis.document import Document, Position, Span
from assist.completion.prompt import build_prompt
from assist.models.kv_session import KvSession
from assist.models.model import Abort
from assist.models.template import FimTemplate

TOKENS_MAX = 64


@dataclass(frozen=True)
class CompletionOptions:
    """Bounds of one answer."""

    tokens_max: int = TOKENS_MAX
    context_tokens_max: int = 1024


@dataclass(frozen=True)
class Candidate:
    """A proposal: ``text`` replaces ``span`` of the document."""

    text: str
    span: Span
    score: float
    origin: str = "model"


@dataclass(frozen=True)
class Completion:
    """Answer to one request, best candidate first, with its token counts and times in ms."""

    candidates: tuple[Candidate, ...]
    tokens: dict[str, int] = field(default_factory=dict)
    timing_ms: dict[str, float] = field(default_factory=dict)


@dataclass
class EngineSession:
    """What lives between completions: the model's cache and its template."""

    kv: KvSession
    template: FimTemplate


def complete(
    session: EngineSession,
    document: Document,
    position: Position,
    options: CompletionOptions | None = None,
    *,
    abort: Abort | None = None,
) -> Completion:
    """Candidates for the cursor; an empty answer is valid. Raises :class:`Aborted` on ``abort``."""
    options = options or CompletionOptions()
    started = time.perf_counter()
    offset = document.offset_at(position)
    model = session.kv.model
    prompt = build_prompt(
        model, session.template, document.text, offset, tokens_max=options.context_tokens_max
    )
    prefill = session.kv.prefill(prompt.tokens, abort=abort)
    prefilled = time.perf_counter()
    text, generated = _decode_line(session, prefill.logits, options.tokens_max, abort)
    ended = time.perf_counter()
    candidates = (Candidate(text, Span(offset, offset), 0.0),) if text.strip() else ()
    return Completion(
        candidates,
        tokens={
            "prompt": len(prompt.tokens),
            "reused": prefill.reused,
            "shifted": prefill.shifted,
            "evaluated": prefill.evaluated,
            "generated": generated,
        },
        timing_ms={
            "total": (ended - started) * 1e3,
            "prefill": (prefilled - started) * 1e3,
            "decode": (ended - prefilled) * 1e3,
        },
    )


def _decode_line(
    session: EngineSession, logits: object, tokens_max: int, abort: Abort | None
) -> tuple[str, int]:
    import numpy as np

    vocabulary = session.kv.model.vocabulary
    rows = np.asarray(logits)
    data = b""
    for count in range(tokens_max):
        token = int(rows[-1].argmax())
        if token in vocabulary.end_of_generation or token in vocabulary.special:
            return data.decode("utf-8", "ignore"), count
        data += vocabulary.pieces[token]
        if b"\n" in data:
            return data[: data.index(b"\n")].decode("utf-8", "ignore"), count + 1
        rows = session.kv.extend([token], abort=abort)
    return data.decode("utf-8", "ignore"), tokens_max
