"""The conversation of a decoder with the monitors about one candidate; values only, so that every step can be returned to."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from functools import lru_cache

from assist.analysis.document import Document, Span
from assist.analysis.lexer import StatementIndex
from assist.analysis.monitors import names, registry
from assist.analysis.monitors.blocks import open_blocks
from assist.analysis.monitors.follow import feed, partial
from assist.analysis.monitors.monitor import FINE, Legal
from assist.analysis.monitors.place import Place
from assist.analysis.monitors.slot import Bracket, Role, Slot
from assist.analysis.monitors.suffix import read_suffix
from assist.analysis.monitors.verdict import ACCEPTED, Verdict
from assist.analysis.monitors.view import Facts, GivenFacts, Suffix, View

HEAD_CODE_POINTS_MAX = 20_000
SUFFIX_PEEK_CODE_POINTS = 80
WAITING_MAX = 32


Case = tuple[str, Role, int]


@dataclass
class Tally:
    """What the monitors did over one candidate.

    ``checked`` counts slots that a monitor was asked about, ``open`` those where none could say
    anything, ``rejected`` the verdicts against the candidate. ``cases`` holds for every monitor
    that did say something, role and place whether what was written fitted.
    """

    checked: int = 0
    rejected: int = 0
    open: int = 0
    cases: dict[Case, bool] = field(default_factory=dict)

    def note(self, monitor: str, slot: Slot, fits: bool) -> None:
        case = (monitor, slot.role, slot.start)
        self.cases[case] = fits and self.cases.get(case, True)


@dataclass(frozen=True)
class MonitorState:
    """The monitors after some text of a candidate; :meth:`advance` gives the state after more.

    States are values: a decoder keeps the ones it may want to return to.
    """

    place: Place
    facts: Facts
    suffix: Suffix
    head_length: int
    tally: Tally
    observe: bool = False
    biased: bool = True
    waiting: tuple[Slot, ...] = ()

    def advance(self, text: str) -> tuple[MonitorState, Verdict]:
        """The state after ``text``, and whether the candidate may go on like that."""
        place = self.place.copy()
        slots = feed(place, text)
        state = replace(self, place=place)
        state, verdict = state._judge(slots)
        if verdict.accepted:
            slot = partial(place)
            if slot is not None:
                verdict = state._check(slot)
        return state, verdict

    def finish(self) -> Verdict:
        """Whether the candidate may end here, with the suffix after it."""
        place = self.place.copy()
        length = len(place.text)
        joined = self.suffix.line[:SUFFIX_PEEK_CODE_POINTS]
        slots = feed(place, joined + "\n", last=True) if joined else feed(place, "", last=True)
        own = [slot for slot in slots if slot.start < length and slot.role is not Role.QUOTE]
        state, verdict = replace(self, place=place)._judge(own)
        if not verdict.accepted:
            return verdict
        for slot in state.waiting:
            verdict = state._forbid(slot, "names", None)
            if not verdict.accepted:
                return verdict
        inside = "string" if self.place.lex.in_text else ""
        return state._check(self.place.slot(Role.END, "", length, True, inside))

    def _judge(self, slots: list[Slot]) -> tuple[MonitorState, Verdict]:
        state = self
        for slot in slots:
            verdict = state._check(slot)
            if not verdict.accepted:
                return state, verdict
            if _may_be_bound_later(slot) and not state._is_known(slot):
                if len(state.waiting) >= WAITING_MAX:
                    return state, state._forbid(slot, "names", None)
                state = replace(state, waiting=(*state.waiting, slot))
        if state.waiting:
            bound = state.place.comprehended.union(state.place.bound)
            for slot in state.waiting:
                if slot.text in bound:
                    self.tally.note("names", slot, True)
            waiting = tuple(slot for slot in state.waiting if slot.text not in bound)
            state = replace(state, waiting=waiting)
            if waiting and not state.place.frames:
                return replace(state, waiting=()), state._forbid_all(waiting)
        return state, ACCEPTED

    def _forbid_all(self, slots: tuple[Slot, ...]) -> Verdict:
        verdicts = [
            self._forbid(slot, "names", names.legal(slot, self._view(slot))) for slot in slots
        ]
        return next((verdict for verdict in verdicts if not verdict.accepted), ACCEPTED)

    def _view(self, slot: Slot) -> View:
        return View(self.facts, slot.bound, self.suffix, self.head_length, slot.stored)

    def _is_known(self, slot: Slot) -> bool:
        """Whether a name that a comprehension could still bind is fine as it is."""
        legal = names.legal(slot, self._view(slot))
        return legal is None or slot.text in legal

    def _check(self, slot: Slot) -> Verdict:
        monitors = registry.watching(slot.role)
        is_typed = bool(slot.text) and slot.start + len(slot.text) < self.head_length
        if not monitors or is_typed:
            return ACCEPTED  # what stands before the cursor, the user wrote
        view = self._view(slot)
        legal: frozenset[str] | None = None
        preferred: frozenset[str] | None = None
        culprit = ""
        is_open = True
        waits = _may_be_bound_later(slot)
        self.tally.checked += 1
        for monitor in monitors:
            if not slot.complete and not monitor.early:
                continue
            said = monitor.legal(slot, view)
            if said is None:
                continue
            if said is FINE:
                self.tally.note(monitor.name, slot, True)
                is_open = False
                continue
            is_open = False
            fits = _fits(slot, said)
            if not fits and waits and monitor.name == "names":
                continue
            if slot.complete or not fits:
                self.tally.note(monitor.name, slot, fits)
            if monitor.bias:
                preferred = said
            if not monitor.hard:
                continue
            legal = said if legal is None else legal & said
            if not culprit and not _fits(slot, legal):
                culprit = monitor.name
        self.tally.open += is_open
        better = self._better(slot, preferred, legal)
        if culprit and not better:
            return self._forbid(slot, culprit, legal)
        if better is None or self.observe or (better and _fits(slot, better)):
            return ACCEPTED
        return replace(self._reject(slot, better, culprit or "bias"), is_bias=True)

    def _better(self, slot: Slot, preferred: Legal, legal: Legal) -> Legal:
        """What is legal of the preferred texts and goes on from what stands before the cursor; an
        empty set where nothing is wanted, none where there is no preference."""
        if preferred is None or not self.biased:
            return None
        typed = slot.text[: max(self.head_length - slot.start, 0)]
        if not preferred:
            return None if typed else preferred
        usable = preferred if legal is None else preferred & legal
        return frozenset(name for name in usable if name.startswith(typed)) or None

    def _forbid(self, slot: Slot, monitor: str, legal: frozenset[str] | None) -> Verdict:
        self.tally.note(monitor, slot, False)
        return ACCEPTED if self.observe else self._reject(slot, legal, monitor)

    def _reject(self, slot: Slot, legal: frozenset[str] | None, monitor: str) -> Verdict:
        self.tally.rejected += 1
        start = slot.start - self.head_length
        span = Span(start, max(start, start + len(slot.text)))
        return Verdict(False, span, legal or None, monitor)


def session(
    document: Document,
    offset: int,
    facts: Facts | None = None,
    index: StatementIndex | None = None,
    *,
    observe: bool = False,
) -> MonitorState | None:
    """Monitors for a candidate at ``offset``; none where nothing is watched.

    Nothing is watched in other languages than Python and inside comments. ``index`` is kept by the
    caller across versions of the document, so that opening a session costs the edit. With
    ``observe`` nothing is rejected, only counted.
    """
    if document.language != "python":
        return None
    text = document.text
    index = index or StatementIndex()
    head_text = text[:offset]
    start = index.start_before(head_text)
    if offset - start > HEAD_CODE_POINTS_MAX:
        return None
    place = Place(blocks=open_blocks(head_text[:start], index.starts[:-1]))
    place.after_header = bool(place.blocks) and place.blocks[-1].body < 0
    feed(place, head_text[start:])
    if place.lex.in_comment:
        return None
    place.slots = []
    return MonitorState(
        place=place,
        facts=facts or GivenFacts(),
        suffix=read_suffix(text, offset, place),
        head_length=offset - start,
        tally=Tally(),
        observe=observe,
    )


def _may_be_bound_later(slot: Slot) -> bool:
    """Whether a ``for`` of a comprehension that follows could bind the name."""
    if slot.role not in (Role.NAME, Role.ARGUMENT):
        return False
    return any(
        frame.kind in (Bracket.LIST, Bracket.BRACES, Bracket.GROUP)
        or (frame.kind is Bracket.CALL and frame.arguments == 0 and not frame.keywords)
        for frame in slot.frames
    )


def _fits(slot: Slot, legal: frozenset[str]) -> bool:
    if slot.complete or not legal:
        return slot.text in legal
    names = _sorted(legal)
    at = bisect_left(names, slot.text)
    return at < len(names) and names[at].startswith(slot.text)


@lru_cache(maxsize=512)
def _sorted(legal: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(legal))
