"""Searches a faster version of one function: proposals from rules and from a model, each verified; it shows nothing that was not run. Read suggest() first."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from assist.analysis.execution.functions import find_function
from assist.analysis.execution.ground import Ground
from assist.analysis.execution.inputs import split_kinds
from assist.analysis.execution.verdict import (
    RecordedCalls,
    Subject,
    Verdict,
    VerifyOptions,
    verify,
)
from assist.analysis.rules.catalog import RULES
from assist.analysis.rules.compose import Chain, compose, single_proposals
from assist.analysis.rules.rule import Proposal
from assist.analysis.rules.splice import parse_module
from assist.analysis.rules.target import Facts
from assist.completion.rewriter import Feedback, Rewriter

Proposer = Literal["rules", "model"]
Verify = Callable[..., Verdict]

SECONDS_PER_FUNCTION_MAX = 90.0
VERIFICATIONS_MAX = 16
SINGLES_MAX = 6
REPAIRS_MAX = 4
MODEL_ROUNDS_MAX = 3
SURVIVORS_MAX = 3
# A larger change must be this much faster than a smaller one to be shown instead of it.
WORTH_MORE = 1.10
ENDED = "the search ended at its limit"
LIBRARIES = frozenset({"numpy", "pandas"})
SMALL_RULES = frozenset(rule.name for rule in RULES if rule.small)


@dataclass(frozen=True)
class SuggestOptions:
    """How to search; ``verify`` also carries workspace, interpreter and the wanted speed-up."""

    verify: VerifyOptions
    proposers: frozenset[Proposer] = frozenset({"rules"})
    seconds_max: float = SECONDS_PER_FUNCTION_MAX


@dataclass(frozen=True)
class Suggestion:
    """A verified faster version: both module texts, why it is faster, and what proved it."""

    subject: Subject
    origin: str
    title: str
    explanation: str
    module_text: str
    verdict: Verdict


@dataclass(frozen=True)
class Rejection:
    """A proposal that verification refused."""

    subject: Subject
    origin: str
    verdict: Verdict


@dataclass(frozen=True)
class Search:
    """What was found for one function; ``reason`` says why nothing could be tried, if so."""

    suggestion: Suggestion | None = None
    rejections: tuple[Rejection, ...] = ()
    reason: str = ""
    verifications: int = 0
    unfinished: bool = False


def suggest(
    subject: Subject,
    options: SuggestOptions,
    *,
    recorded: RecordedCalls | None = None,
    rewriter: Rewriter | None = None,
    progress: Callable[[str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    verify: Verify = verify,
) -> Search:
    """The best verified version of a function that rules or the model propose.

    Raises what :func:`verify` raises: SandboxUnavailable, Cancelled.
    """
    with Ground() as ground:
        session = _Session(
            subject,
            options,
            facts_of(subject, recorded),
            recorded,
            progress or (lambda _text: None),
            cancelled,
            partial(verify, ground=ground),
            time.monotonic() + options.seconds_max,
        )
        return _searched(session, rewriter)


def _searched(session: _Session, rewriter: Rewriter | None) -> Search:
    proposers = session.options.proposers
    try:
        if "rules" in proposers:
            _search_rules(session)
        if "model" in proposers and rewriter is not None:
            _search_model(session, rewriter)
        winner = _winner(session)
        if time.monotonic() >= session.deadline:
            session.unfinished = True
            session.reason = session.reason or ENDED
    except _Hopeless as hopeless:
        return Search(None, tuple(session.rejections), str(hopeless), session.verifications)
    return Search(
        winner,
        tuple(session.rejections),
        session.reason,
        session.verifications,
        session.unfinished,
    )


def facts_of(subject: Subject, recorded: RecordedCalls | None) -> Facts:
    """What recorded calls and the module's imports say about a function."""
    tree = parse_module(subject.module_text)
    function = find_function(tree, subject.qualname) if tree is not None else None
    if tree is None or function is None:
        return Facts()
    libraries = frozenset(
        name for name in LIBRARIES if re.search(rf"^\s*import {name}\b", subject.module_text, re.M)
    )
    observed: dict[str, str] = {}
    shapes = [split_kinds(call.shape) for call in recorded.of(subject)] if recorded else []
    for index, parameter in enumerate(function.parameters):
        kinds = {shape[index] for shape in shapes if len(shape) == len(function.parameters)}
        kind = next(iter(kinds)) if len(kinds) == 1 else None
        if kind is not None:
            observed[parameter.arg] = kind
    return Facts(observed, libraries)


class _Hopeless(Exception):
    """No version of this function can be verified; the message says why."""


@dataclass
class _Candidate:
    proposal: Proposal
    verdict: Verdict
    origin: str

    @property
    def ratio(self) -> float:
        return self.verdict.speedup.ratio if self.verdict.speedup is not None else 0.0


@dataclass
class _Session:
    """State of one search: what was tried, what was refused, and until when to go on."""

    subject: Subject
    options: SuggestOptions
    facts: Facts
    recorded: RecordedCalls | None
    progress: Callable[[str], None]
    cancelled: Callable[[], bool] | None
    run_verify: Verify
    deadline: float
    known: dict[str, Verdict] = field(default_factory=dict)
    verified: list[_Candidate] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    telling: tuple[str, ...] = ()  # inputs on which candidates differ from each other
    verifications: int = 0
    reason: str = ""
    unfinished: bool = False

    def may_go_on(self) -> bool:
        return self.verifications < VERIFICATIONS_MAX and time.monotonic() < self.deadline

    def try_out(self, proposal: Proposal, origin: str, *, seed: int = 0) -> Verdict | None:
        """Verdict on a proposal, none where the search's bounds are reached."""
        key = f"{seed}:{len(self.telling)}:{proposal.module_text}"
        if key in self.known:
            return self.known[key]
        if not self.may_go_on():
            self.unfinished = time.monotonic() >= self.deadline
            self.reason = self.reason or ENDED
            return None
        self.verifications += 1
        self.progress(proposal.title)
        base = self.options.verify
        options = replace(
            base,
            adversarial=(*base.adversarial, *proposal.adversarial),
            relaxations=(*base.relaxations, *proposal.relaxations),
            inputs=(*base.inputs, *self.telling),
            budget_seconds=min(base.budget_seconds, max(self.deadline - time.monotonic(), 1.0)),
            seed=base.seed + seed,
        )
        after = replace(self.subject, module_text=proposal.module_text)
        verdict = self.run_verify(
            self.subject, after, options, recorded=self.recorded, cancelled=self.cancelled
        )
        self.known[key] = verdict
        self.unfinished = self.unfinished or time.monotonic() >= self.deadline
        if _is_about_the_old(verdict):
            raise _Hopeless(verdict.reason)
        if verdict.verdict == "verified":
            self.verified.append(_Candidate(proposal, verdict, origin))
        else:
            self.rejections.append(Rejection(self.subject, origin, verdict))
        return verdict


def _differing_input(session: _Session, first: Proposal, second: Proposal) -> str | None:
    """An input on which two candidates do not behave alike; none where there is none or no time."""
    if not session.may_go_on():
        return None
    session.verifications += 1
    verdict = session.run_verify(
        replace(session.subject, module_text=first.module_text),
        replace(session.subject, module_text=second.module_text),
        session.options.verify,
        recorded=session.recorded,
        cancelled=session.cancelled,
        ground=None,
    )
    return verdict.input if verdict.verdict == "not_equivalent" else None


def _is_about_the_old(verdict: Verdict) -> bool:
    """Whether a refusal says that the function itself cannot be verified, whatever the proposal."""
    if verdict.verdict == "nondeterministic":
        return True
    old = ("the old version", "the function", "only ", "coroutines")
    return verdict.verdict in {"not_enough_evidence", "unsafe", "error"} and (
        verdict.reason.startswith(old)
    )


def _search_rules(session: _Session) -> None:
    text, qualname = session.subject.module_text, session.subject.qualname
    singles = single_proposals(text, qualname, session.facts)
    if not singles:
        session.reason = "no rule fits"
        return
    large = _settle(session, without=SMALL_RULES)
    full = _settle(session, without=())
    if large is None and full is None:
        _try_singles(session, singles)
    _try_alternatives(session, singles)


def _settle(session: _Session, *, without: Collection[str]) -> Proposal | None:
    """All rules that fit, less those that turn out wrong; the proposal if it was verified."""
    excluded = set(without)
    for _ in range(REPAIRS_MAX):
        chain = _composed(session, without=excluded)
        if not chain.steps:
            return None
        verdict = session.try_out(chain.last, chain.last.origin)
        if verdict is None or verdict.verdict == "equivalent":
            return None
        if verdict.verdict == "verified":
            return chain.last
        excluded |= _culprit(session, chain)
    return None


def _composed(
    session: _Session,
    *,
    first: Proposal | None = None,
    without: Collection[str] = (),
    only: Collection[str] | None = None,
) -> Chain:
    """The rules that fit together, as far as there is time: a step in a long module takes a while."""
    return compose(
        session.subject.module_text,
        session.subject.qualname,
        session.facts,
        first=first,
        without=without,
        only=only,
        may_go_on=session.may_go_on,
    )


def _culprit(session: _Session, chain: Chain) -> set[str]:
    """The rule of the first step that verification refuses, found by halving."""
    low, high = 0, len(chain.steps) - 1
    while low < high:
        middle = (low + high) // 2
        verdict = session.try_out(chain.steps[middle], chain.steps[middle].origin)
        if verdict is None:
            break
        if verdict.verdict in {"verified", "equivalent"}:
            low = middle + 1
        else:
            high = middle
    before = set(chain.steps[high - 1].rules) if high else set()
    added = set(chain.steps[high].rules) - before
    return added or set(chain.steps[high].rules[-1:])


def _try_singles(session: _Session, singles: Sequence[Proposal]) -> None:
    """Rules one by one, and together those that were verified."""
    good: list[Proposal] = []
    for proposal in singles[:SINGLES_MAX]:
        verdict = session.try_out(proposal, proposal.origin)
        if verdict is None:
            return
        if verdict.verdict == "verified":
            good.append(proposal)
    if len(good) > 1:
        names = {name for proposal in good for name in proposal.rules}
        chain = _composed(session, only=names)
        if chain.steps:
            session.try_out(chain.last, chain.last.origin)


def _try_alternatives(session: _Session, singles: Sequence[Proposal]) -> None:
    """Other ways in which the first rule of the best version can be applied."""
    best = _best(session)
    if best is None:
        return
    first = best.proposal.rules[0]
    others = [proposal for proposal in singles if proposal.rules == (first,)][1:3]
    for proposal in others:
        chain = _composed(session, first=proposal, only=best.proposal.rules)
        session.try_out(chain.last, chain.last.origin)


def _best(session: _Session) -> _Candidate | None:
    """The fastest version, or a smaller change that is nearly as fast."""
    best: _Candidate | None = None
    for candidate in sorted(session.verified, key=lambda each: len(each.proposal.rules)):
        if best is None or candidate.ratio > best.ratio * WORTH_MORE:
            best = candidate
    return best


def _winner(session: _Session) -> Suggestion | None:
    """The best version; measured again where it was chosen among several."""
    while (best := _best(session)) is not None:
        verdict = best.verdict
        if len(session.verified) > 1:
            session.verified.remove(best)
            again = session.try_out(best.proposal, best.origin, seed=1)
            if again is not None and again.verdict != "verified":
                continue
            verdict = again or verdict
        return Suggestion(
            session.subject,
            best.origin,
            best.proposal.title,
            best.proposal.explanation,
            best.proposal.module_text,
            verdict,
        )
    return None


def _search_model(session: _Session, rewriter: Rewriter) -> None:
    """Versions that the model writes; what verification says goes back to it."""
    feedback: list[Feedback] = []
    for _ in range(MODEL_ROUNDS_MAX):
        if not session.may_go_on():
            return
        best = _best(session)
        text = best.proposal.module_text if best is not None else session.subject.module_text
        proposals = rewriter.propose(
            text, session.subject.qualname, feedback, deadline=session.deadline
        )
        feedback = []
        for proposal in proposals:
            verdict = session.try_out(proposal, "model")
            if verdict is None:
                return
            feedback.append(
                Feedback(
                    proposal.module_text,
                    verdict.verdict,
                    verdict.reason,
                    verdict.counterexample,
                    verdict.slowest_input,
                )
            )
        if session.verified or not proposals:
            _tell_apart(session)
            return


def _tell_apart(session: _Session) -> None:
    """Versions of the model that all passed, run against each other: where two differ, one is wrong."""
    survivors = [each for each in session.verified if each.origin == "model"][:SURVIVORS_MAX]
    for first, second in itertools.combinations(survivors, 2):
        if first not in session.verified or second not in session.verified:
            continue
        telling = _differing_input(session, first.proposal, second.proposal)
        if telling is None:
            continue
        session.telling = (*session.telling, telling)
        for each in (first, second):
            session.verified.remove(each)
            session.try_out(each.proposal, each.origin)
