"""Completes a document at a position: prompt, prefill, answers, order; read this first. It never speaks a protocol."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from assist.analysis.document import Document, Position, Span
from assist.analysis.monitors.view import Facts
from assist.completion.answer import Answer, Task, decode_answers
from assist.completion.answer import CompletionOptions as CompletionOptions
from assist.completion.candidate import Candidate
from assist.completion.context import next_context
from assist.completion.prompt import (
    CODE_POINTS_PER_TOKEN,
    HEAL_TOKENS_MAX,
    FimPrompt,
    build_prompt,
)
from assist.completion.ranker import load_ranker, rank
from assist.completion.session import EngineSession as EngineSession
from assist.completion.session import OpenDocument
from assist.models.model import Abort

# The first answer in a document of which nothing is known is made from so many tokens around the
# cursor, where the whole prompt is more than twice as long.
FIRST_PASS_TOKENS = 256
FIRST_PASS_WORTH = 2


@dataclass(frozen=True)
class Completion:
    """Answer to one request, best candidate first, with its counts and times in ms.

    ``is_first_pass`` tells that only the nearest lines were read, because nothing was known of a
    document; :func:`prewarm` reads the rest. ``task`` and ``answers`` are for benches.
    """

    candidates: tuple[Candidate, ...]
    tokens: dict[str, int] = field(default_factory=dict)
    timing_ms: dict[str, float] = field(default_factory=dict)
    monitors: dict[str, int] = field(default_factory=dict)
    is_first_pass: bool = False
    task: Task | None = field(default=None, repr=False, compare=False)
    answers: tuple[Answer, ...] = field(default=(), repr=False, compare=False)


def complete(
    session: EngineSession,
    document: Document,
    position: Position,
    options: CompletionOptions | None = None,
    *,
    facts: Facts | None = None,
    progress: Callable[[str], None] | None = None,
    abort: Abort | None = None,
) -> Completion:
    """Candidates for the cursor; an empty answer is valid.

    ``facts`` are what the monitors know about the place besides the text. ``progress`` hears the
    first answer as it grows, before it is trimmed and judged. Raises
    :class:`assist.models.model.Aborted` when ``abort`` returned true; the session stays valid.
    """
    options = options or CompletionOptions()
    started = time.perf_counter()
    offset = document.offset_at(position)
    opened = session.open_document(document)
    prompt = _prompt(session, opened, offset, options)
    is_first_pass = options.first_pass and _is_worth_a_first_pass(session, document.uri, prompt)
    if is_first_pass:
        near = replace(options, context_tokens_max=FIRST_PASS_TOKENS, context=False)
        prompt = _build(session, replace(opened, window=None), offset, near)
    prompted = time.perf_counter()
    prefill = session.kv.prefill(prompt.tokens, document=document.uri, abort=abort)
    prefilled = time.perf_counter()
    task = Task(session, opened, offset, options, prompt, facts, progress, abort, prefilled)
    answers = decode_answers(task, prefill.logits)
    ranked = rank(load_ranker() if options.rank else None, task, answers, options.threshold)
    ended = time.perf_counter()
    return Completion(
        tuple(Candidate(answer.text, Span(offset, offset), chance) for chance, answer in ranked),
        tokens={
            "prompt": len(prompt.tokens),
            "reused": prefill.reused,
            "shifted": prefill.shifted,
            "evaluated": prefill.evaluated,
            "generated": sum(len(answer.decoded.tokens) for answer in answers),
            "drafted": sum(answer.decoded.drafted for answer in answers),
            "accepted": sum(answer.decoded.accepted for answer in answers),
        },
        timing_ms={
            "total": (ended - started) * 1e3,
            "context": (prompted - started) * 1e3,
            "prefill": (prefilled - prompted) * 1e3,
            "decode": (ended - prefilled) * 1e3,
            "monitors": sum(g.seconds for answer in answers if (g := answer.guard)) * 1e3,
        },
        monitors=_monitor_counts(answers),
        is_first_pass=is_first_pass,
        task=task,
        answers=tuple(answers),
    )


def prewarm(
    session: EngineSession,
    document: Document,
    offset: int | None,
    options: CompletionOptions | None = None,
    *,
    abort: Abort | None = None,
) -> bool:
    """Read the prompt for a place before anybody asks; false when ``abort`` interrupted it.

    Without an ``offset`` what is known of the document comes back, and a document of which nothing
    is known is read from its beginning.
    """
    options = options or CompletionOptions()
    if offset is None:
        if not session.kv.is_cold(document.uri):
            return True
        offset = min(len(document.text), int(options.context_tokens_max * CODE_POINTS_PER_TOKEN))
    opened = session.open_document(document)
    prompt = _prompt(session, opened, min(offset, len(document.text)), options)
    return session.kv.prewarm(prompt.tokens, document=document.uri, abort=abort)


def _is_worth_a_first_pass(session: EngineSession, uri: str, prompt: FimPrompt) -> bool:
    """Whether reading the nearest lines alone gives a first answer much earlier."""
    return len(prompt.tokens) > FIRST_PASS_WORTH * FIRST_PASS_TOKENS and session.kv.is_cold(uri)


def _prompt(
    session: EngineSession, opened: OpenDocument, offset: int, options: CompletionOptions
) -> FimPrompt:
    """The prompt; its context changes only with the window and the place, so that it stays cached."""
    prompt = _build(session, opened, offset, options)
    if options.context:
        told = opened.context.text if opened.context else ""
        others = [other.syntax for other in reversed(session.documents.values())]
        opened.context = next_context(
            opened.context,
            opened.syntax,
            Span(prompt.window.start, prompt.window.end),
            offset,
            others[1:],
            session.workspaces.of(opened.syntax.document.uri),
            is_recut=prompt.is_recut,
        )
        if opened.context.text != told:
            prompt = _build(session, opened, offset, options)
    opened.window = prompt.window
    return prompt


def _build(
    session: EngineSession, opened: OpenDocument, offset: int, options: CompletionOptions
) -> FimPrompt:
    room = session.kv.model.context_tokens_max - options.tokens_max - HEAL_TOKENS_MAX
    return build_prompt(
        session.kv.model,
        session.template,
        opened.syntax.document.text,
        offset,
        tokens_max=min(options.context_tokens_max, room),
        window=opened.window,
        context=opened.context.text if options.context and opened.context else "",
        heal=options.heal,
    )


def _monitor_counts(answers: Sequence[Answer]) -> dict[str, int]:
    guards = [answer.guard for answer in answers if answer.guard]
    return {
        "checked": sum(guard.tally.checked for guard in guards),
        "rejected": sum(guard.rejected for guard in guards),
        "masked": sum(guard.masked for guard in guards),
        "open": sum(guard.tally.open for guard in guards),
    }
