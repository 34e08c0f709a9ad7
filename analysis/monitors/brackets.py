"""Watches that brackets close what is open, and leave to the suffix what the suffix closes."""

from __future__ import annotations

from assist.analysis.monitors.monitor import FINE, NOTHING, Legal, Monitor
from assist.analysis.monitors.slot import Bracket, Role, Slot
from assist.analysis.monitors.view import View

_OPENED_BY = {")": "(", "]": "[", "}": "{"}
_CLOSED_BY = {"(": ")", "[": "]", "{": "}"}


def legal(slot: Slot, view: View) -> Legal:
    """The closing bracket that fits the innermost open one, unless the suffix has it."""
    if slot.role is Role.END:
        return None if slot.subject == "string" else _at_end(slot, view)
    if not slot.frames:
        return NOTHING
    top = slot.frames[-1]
    if top.kind is not Bracket.FIELD and top.text != _OPENED_BY[slot.text]:
        return frozenset({_CLOSED_BY[top.text]})
    before_cursor = sum(frame.start < view.head_length for frame in slot.frames)
    if top.start < view.head_length and before_cursor <= view.suffix.closed:
        return NOTHING
    return FINE


def _at_end(slot: Slot, view: View) -> Legal:
    """A candidate may not leave open what it opened itself beyond what the suffix closes."""
    opened = sum(frame.start >= view.head_length for frame in slot.frames)
    if opened and len(slot.frames) > len(view.suffix.closers):
        return NOTHING if view.suffix.is_whole else None
    return FINE


MONITOR = Monitor("brackets", frozenset({Role.CLOSER, Role.END}), legal)
