"""Watches that a keyword argument is one that the called function takes, once, and is written where no other argument can stand."""

from __future__ import annotations

from assist.analysis.facts import Signature
from assist.analysis.monitors.arity import takes_positional
from assist.analysis.monitors.monitor import EXPRESSION_WORDS, Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View

# What only functools.partial has: it takes the keywords of the function that it is given.
PARTIAL_MEMBERS = frozenset({"func", "args", "keywords"})


def legal(slot: Slot, view: View) -> Legal:
    """Keywords that the call accepts and does not have yet; where it takes an argument without
    keyword also what begins that."""
    keywords = accepted_keywords(slot, view)
    if keywords is None or not _may_be_positional(slot, view):
        return keywords
    if slot.role is Role.ARGUMENT:
        return None
    names = view.names() or frozenset()
    return (names | EXPRESSION_WORDS).difference({slot.text}) | keywords


def accepted_keywords(slot: Slot, view: View) -> Legal:
    """Keywords of the function that the innermost bracket calls, without those whose parameter has
    an argument; none where it may take any."""
    if not slot.subject or not slot.frames:
        return None
    called = view.value(slot.subject)
    frame = slot.frames[-1]
    positional = frame.positional
    is_partial = called.kind == "class" and PARTIAL_MEMBERS.issubset(called.members or ())
    if is_partial and frame.first:
        called = view.value(frame.first)
        positional -= 1
    signatures = called.signatures
    if not signatures:
        return None
    names: set[str] = set()
    for signature in signatures:
        if any(parameter.kind == "keywords" for parameter in signature.parameters):
            return None
        names |= _open_keywords(signature, positional)
    return frozenset(names.difference(frame.keywords))


def _open_keywords(signature: Signature, positional: int) -> set[str]:
    """Parameters that may be named where ``positional`` arguments stand before, which fill the first."""
    places = [p for p in signature.parameters if p.kind in ("positional", "either")]
    by_name = [p for p in signature.parameters if p.kind in ("either", "keyword")]
    filled = {parameter.name for parameter in places[: max(positional, 0)]}
    return {parameter.name for parameter in by_name} - filled


def _may_be_positional(slot: Slot, view: View) -> bool:
    frame = slot.frames[-1]
    if frame.keywords:
        return False
    if frame.unpacked or frame.comprehension or slot.keyword == "case":
        return True
    signatures = view.value(slot.subject).signatures or ()
    return any(takes_positional(signature, frame.positional + 1) for signature in signatures)


MONITOR = Monitor("keywords", frozenset({Role.ARGUMENT, Role.KEYWORD_ARGUMENT}), legal)
