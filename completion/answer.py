"""Turns a prompt that the model has read into answers that fit, exist and parse; it orders and hides none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from assist.analysis.monitors.session import session as watch
from assist.analysis.monitors.view import Facts
from assist.analysis.syntax import enclosing, indentation_at
from assist.completion.candidate import Place, complete_part, fit, without_last_operand
from assist.completion.decoder import Decoded, Limits, branches, decode
from assist.completion.drafter import DOCUMENT, GAP, Drafter, TokenIndex
from assist.completion.guard import SECONDS_MAX, Guard
from assist.completion.judge import suffix_log_probability
from assist.completion.parsable import keeps_parsable
from assist.completion.prompt import FimPrompt
from assist.completion.session import EngineSession, OpenDocument
from assist.completion.stop import StopRules, indentation, stop_rules
from assist.models.model import Abort, Logits

Threshold = Literal["quiet", "balanced", "eager", "all"]

TOKENS_MAX = 64
DECODE_MS_MAX = 4_000.0
# Other beginnings that are tried for one more candidate: some end in a text that is shown already.
BRANCHES_PER_CANDIDATE = 2
UNFINISHED = ("loop", "tokens", "time")
# So many words are taken from the end of an answer that cannot stand as it is; then whole lines.
TRIMS_MAX = 8
# Answers with a smaller sum of log-probabilities are given up where only likely ones are shown;
# no answer of the ranker's training that was right, or that it would show, was below this.
HOPELESS: dict[str, float] = {"quiet": -16.0, "balanced": -16.0}
# Code points before and after the cursor that a candidate is fitted to.
HEAD_MAX = 4_000
TAIL_MAX = 2_000


@dataclass(frozen=True)
class CompletionOptions:
    """Bounds of one answer, and what takes part in it.

    ``multiline`` asks for a block where a line of its own starts. ``first_pass`` allows a first
    answer from the nearest lines alone where nothing of the document was read yet. ``judge`` lets
    the suffix weigh the candidates of models whose prompt does not show it. After
    ``monitor_ms_max`` of their own time the monitors let the rest of an answer pass.
    ``threshold`` says how likely a
    candidate must be to be shown; "all" hides none.
    """

    tokens_max: int = TOKENS_MAX
    context_tokens_max: int = 1024
    decode_ms_max: float = DECODE_MS_MAX
    multiline: bool = False
    heal: bool = True
    context: bool = True
    first_pass: bool = False
    speculate: bool = True
    monitors: bool = True
    monitor_ms_max: float = SECONDS_MAX * 1e3
    candidates: int = 1
    judge: bool = True
    rank: bool = True
    threshold: Threshold = "all"


@dataclass(frozen=True)
class Task:
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
    def sources(self) -> list[tuple[str, TokenIndex]]:
        return draft_sources(self)

    def drafter(self) -> Drafter:
        """Drafts for one of the answers."""
        return Drafter(self.sources, self.session.drafts, self.prompt.prefix_tokens)

    @cached_property
    def judges(self) -> bool:
        """Whether the suffix orders several candidates, because the prompt does not show it."""
        several = self.options.candidates > 1
        return several and self.options.judge and not self.session.template.uses_suffix


@dataclass(frozen=True)
class Answer:
    """A decoded answer and what is shown of it."""

    decoded: Decoded
    guard: Guard | None
    text: str
    suffix_fit: float | None = None


def decode_answers(task: Task, logits: Logits) -> list[Answer]:
    """The model's answer, and as many others as are asked for, that differ in what is shown."""
    session, options = task.session, task.options
    answers = [_answer(task, logits, ())]
    if options.candidates > 1 and answers[0].decoded.tokens:
        starts = branches(
            answers[0].decoded,
            BRANCHES_PER_CANDIDATE * (options.candidates - 1),
            trie=session.trie,
            ends=session.ends,
            heal=task.prompt.heal,
        )
        for start in starts:
            if len({answer.text for answer in answers if answer.text}) >= options.candidates:
                break
            answers.append(_answer(task, logits, start))
    return answers


def _answer(task: Task, logits: Logits, given: Sequence[tuple[int, Logits]]) -> Answer:
    session, options, prompt = task.session, task.options, task.prompt
    session.kv.truncate(len(prompt.tokens))
    guard = _guard(task) if options.monitors else None
    decoded = decode(
        session.kv,
        logits,
        task.rules,
        Limits(
            options.tokens_max,
            task.prefilled + options.decode_ms_max / 1e3,
            HOPELESS.get(options.threshold, -math.inf),
        ),
        trie=session.trie,
        ends=session.ends,
        heal=prompt.heal,
        given=given,
        drafter=task.drafter() if options.speculate else None,
        guard=guard,
        progress=None if given else task.progress,
        abort=task.abort,
    )
    text = _shown(task, decoded, guard)
    fit = None
    if text and task.judges:
        suffix, size = task.place.suffix, len(prompt.tokens)
        fit = suffix_log_probability(session.kv, size, prompt, text, suffix, task.abort)
    return Answer(decoded, guard, text, fit)


def _guard(task: Task) -> Guard | None:
    """The monitors for an answer; none where nothing is watched."""
    opened, prompt = task.opened, task.prompt
    state = watch(opened.syntax.document, task.offset, task.facts, opened.statements)
    if state is None:
        return None
    seconds_max = task.options.monitor_ms_max / 1e3
    sets = task.session.legal_sets
    return Guard(sets, prompt.heal.data, prompt.prefix, [state], seconds_max=seconds_max)


def _shown(task: Task, decoded: Decoded, guard: Guard | None) -> str:
    """What is left of an answer that fits, exists and parses."""
    text = "" if decoded.reason == "unlikely" else decoded.text
    if decoded.reason == "illegal":
        text = _legal_part(guard, text, task.place)
    text = fit(text, task.place, finished=decoded.reason not in UNFINISHED)
    for _ in range(TRIMS_MAX if guard else 0):
        if not text or _stands(task, guard, text):
            return text
        text = without_last_operand(text, task.place)
    while text and not _stands(task, guard, text):
        text = text.rpartition("\n")[0].rstrip()
    return text


def _legal_part(guard: Guard | None, text: str, place: Place) -> str:
    """The answer up to where the monitors object, as far as it says something."""
    if guard is None:
        return text.rpartition("\n")[0]
    _, verdict = guard.states[0].advance(text)
    if not verdict.accepted:
        text = text[: max(verdict.span.start, 0)]
    return complete_part(text, place)


def _stands(task: Task, guard: Guard | None, text: str) -> bool:
    return _exists(guard, text) and keeps_parsable(task.opened.syntax, task.offset, text)


def _exists(guard: Guard | None, text: str) -> bool:
    """Whether the monitors let ``text`` stand as a whole, with all that is known by now."""
    return guard is None or guard.accepts(text)


def draft_sources(task: Task) -> list[tuple[str, TokenIndex]]:
    """What drafts are made of, with the names under which their success is counted."""
    prompt = task.prompt
    own = TokenIndex((*prompt.prefix_tokens, GAP, *prompt.suffix_tokens))
    document = task.opened.syntax.document
    others = task.session.library.sources(document.language, document.uri)
    return [(DOCUMENT, own), *others]
