"""Watches strings where a type lists the ones that are possible: ``Literal`` parameters and values, members of string enums."""

from __future__ import annotations

from assist.analysis.facts import Parameter, Signature
from assist.analysis.monitors.monitor import Legal, Monitor
from assist.analysis.monitors.slot import Bracket, Frame, Role, Slot
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """The strings that the parameter, or the other side of a comparison, can be."""
    if slot.before in ("==", "!=") and slot.subject:
        return view.value(slot.subject).strings
    frame = slot.frames[-1] if slot.frames else None
    if frame is None or frame.kind is not Bracket.CALL or not frame.subject:
        return None
    if slot.before not in ("(", ",", "=") and not (frame.keyword and slot.before == frame.keyword):
        return None
    allowed: set[str] = set()
    for signature in view.value(frame.subject).signatures or ():
        parameter = _parameter(signature, frame)
        if parameter is None or parameter.literals is None:
            return None
        allowed |= parameter.literals
    return frozenset(allowed) or None


def _parameter(signature: Signature, frame: Frame) -> Parameter | None:
    if frame.keyword:
        return next((p for p in signature.parameters if p.name == frame.keyword), None)
    places = [p for p in signature.parameters if p.kind in ("positional", "either")]
    return places[frame.positional] if frame.positional < len(places) else None


MONITOR = Monitor("literals", frozenset({Role.STRING}), legal, hard=False)
