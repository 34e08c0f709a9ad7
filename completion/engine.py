"""Completes a document at a position: prompt, prefill, decode, stop, fit; read this first. It never speaks a protocol."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from assist.analysis.document import Document, Position, Span
from assist.analysis.monitors.session import session as watch
from assist.analysis.monitors.view import Facts
from assist.analysis.syntax import enclosing, indentation_at
from assist.completion.candidate import Candidate, Place, fit
from assist.completion.decoder import Decoded, Limits, branches, decode
from assist.completion.drafter import GAP, Drafter, TokenIndex
from assist.completion.guard import Guard
from assist.completion.judge import suffix_log_probability
from assist.completion.parsable import keeps_parsable
from assist.completion.prompt import HEAL_TOKENS_MAX, FimPrompt, build_prompt
from assist.completion.session import EngineSession as EngineSession
from assist.completion.session import OpenDocument
from assist.completion.stop import StopRules, indentation, stop_rules
from assist.models.model import Abort, Logits

TOKENS_MAX = 64
DECODE_MS_MAX = 4_000.0
# Other beginnings that are tried for one more candidate: some end in a text that is shown already.
BRANCHES_PER_CANDIDATE = 2
UNFINISHED = ("loop", "tokens", "time")
# Code points before and after the cursor that a candidate is fitted to.
HEAD_MAX = 4_000
TAIL_MAX = 2_000


@dataclass(frozen=True)
class CompletionOptions:
    """Bounds of one answer, and what takes part in it.

    ``multiline`` asks for a block where a line of its own starts. ``judge`` lets the suffix weigh
    the candidates of models whose prompt does not show it.
    """

    tokens_max: int = TOKENS_MAX
    context_tokens_max: int = 1024
    decode_ms_max: float = DECODE_MS_MAX
    multiline: bool = False
    heal: bool = True
    speculate: bool = True
    monitors: bool = True
    candidates: int = 1
    judge: bool = True


@dataclass(frozen=True)
class Completion:
    """Answer to one request, best candidate first, with its counts and times in ms."""

    candidates: tuple[Candidate, ...]
    tokens: dict[str, int] = field(default_factory=dict)
    timing_ms: dict[str, float] = field(default_factory=dict)
    monitors: dict[str, int] = field(default_factory=dict)


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
    prompted = time.perf_counter()
    prefill = session.kv.prefill(prompt.tokens, document=document.uri, abort=abort)
    prefilled = time.perf_counter()
    task = _Task(session, opened, offset, options, prompt, facts, progress, abort, prefilled)
    answers = _answers(task, prefill.logits)
    candidates = _ordered(answers, offset)
    ended = time.perf_counter()
    return Completion(
        candidates,
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
    )


@dataclass(frozen=True)
class _Task:
    """One request and what was made of it before decoding."""

    session: EngineSession
    opened: OpenDocument
    offset: int
    options: CompletionOptions
    prompt: FimPrompt
    facts: Facts | None
    progress: Callable[[str], None] | None
    abort: Abort | None
    prefilled: float

    @cached_property
    def rules(self) -> StopRules:
        return stop_rules(self.opened.syntax, self.offset, multiline=self.options.multiline)

    @cached_property
    def place(self) -> Place:
        document, offset = self.opened.syntax.document, self.offset
        # A block's header is code for sure, so brackets and quotes can be read from there.
        blocks = enclosing(self.opened.syntax, offset)
        start = max([block.span.start for block in blocks] + [offset - HEAD_MAX])
        return Place(
            document.text[min(start, offset) : offset],
            document.text[offset : offset + TAIL_MAX],
            document.language,
            indentation(indentation_at(document, offset)),
        )

    @cached_property
    def judges(self) -> bool:
        """Whether the suffix is asked about an answer, because the prompt does not show it."""
        return self.options.judge and not self.session.template.uses_suffix


@dataclass(frozen=True)
class _Answer:
    """A decoded answer and what is shown of it."""

    decoded: Decoded
    guard: Guard | None
    text: str
    suffix_fit: float | None = None


def _answers(task: _Task, logits: Logits) -> list[_Answer]:
    """The model's answer, and as many others as are asked for, that differ in what is shown."""
    session, options = task.session, task.options
    answers = [_answer(task, logits, ())]
    if options.candidates > 1 and answers[0].decoded.tokens:
        starts = branches(
            answers[0].decoded,
            BRANCHES_PER_CANDIDATE * (options.candidates - 1),
            trie=session.trie,
            ends=session.ends,
            heal=task.prompt.heal_tokens,
        )
        for start in starts:
            if len({answer.text for answer in answers if answer.text}) >= options.candidates:
                break
            answers.append(_answer(task, logits, start))
    return answers


def _answer(task: _Task, logits: Logits, given: Sequence[tuple[int, Logits]]) -> _Answer:
    session, options, prompt = task.session, task.options, task.prompt
    session.kv.truncate(len(prompt.tokens))
    guard = _guard(task) if options.monitors else None
    decoded = decode(
        session.kv,
        logits,
        task.rules,
        Limits(options.tokens_max, task.prefilled + options.decode_ms_max / 1e3),
        trie=session.trie,
        ends=session.ends,
        heal=prompt.heal_tokens,
        given=given,
        drafter=_drafter(session, prompt) if options.speculate else None,
        guard=guard,
        progress=None if given else task.progress,
        abort=task.abort,
    )
    text = _shown(task, decoded, guard)
    fit = None
    if text and task.judges:
        suffix, size = task.place.suffix, len(prompt.tokens)
        fit = suffix_log_probability(session.kv, size, prompt, text, suffix, task.abort)
    return _Answer(decoded, guard, text, fit)


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


def _guard(task: _Task) -> Guard | None:
    """The monitors for an answer; none where nothing is watched."""
    opened, prompt = task.opened, task.prompt
    state = watch(opened.syntax.document, task.offset, task.facts, opened.statements)
    if state is None:
        return None
    return Guard(task.session.legal_sets, prompt.heal, prompt.prefix, [state])


def _shown(task: _Task, decoded: Decoded, guard: Guard | None) -> str:
    """What is left of an answer that fits, exists and parses."""
    text = decoded.text
    if decoded.reason == "illegal":
        text = text.rpartition("\n")[0]
    text = fit(text, task.place, finished=decoded.reason not in UNFINISHED)
    while text and not (
        _exists(guard, text) and keeps_parsable(task.opened.syntax, task.offset, text)
    ):
        text = text.rpartition("\n")[0].rstrip()
    return text


def _exists(guard: Guard | None, text: str) -> bool:
    """Whether the monitors let ``text`` stand as a whole, with all that is known by now."""
    if guard is None:
        return True
    state, verdict = guard.states[0].advance(text)
    return verdict.accepted and state.finish().accepted


def _drafter(session: EngineSession, prompt: FimPrompt) -> Drafter:
    own = TokenIndex((*prompt.prefix_tokens, GAP, *prompt.suffix_tokens))
    return Drafter([("document", own)], session.drafts, prompt.prefix_tokens)


def _ordered(answers: Sequence[_Answer], offset: int) -> tuple[Candidate, ...]:
    """What is shown, each text once, best first."""
    candidates: dict[str, Candidate] = {}
    for answer in sorted(answers, key=_score, reverse=True):
        if answer.text and answer.text not in candidates:
            candidate = Candidate(answer.text, Span(offset, offset), math.exp(_score(answer)))
            candidates[answer.text] = candidate
    return tuple(candidates.values())


def _score(answer: _Answer) -> float:
    """Mean log-probability of the answer's tokens, and of the suffix after it where that was judged."""
    scores = answer.decoded.log_probabilities
    if not scores:
        return -math.inf
    mean = sum(scores) / len(scores)
    return mean if answer.suffix_fit is None else (mean + answer.suffix_fit) / 2


def _monitor_counts(answers: Sequence[_Answer]) -> dict[str, int]:
    guards = [answer.guard for answer in answers if answer.guard]
    return {
        "checked": sum(guard.tally.checked for guard in guards),
        "rejected": sum(guard.rejected for guard in guards),
        "masked": sum(guard.masked for guard in guards),
        "open": sum(guard.tally.open for guard in guards),
    }
