"""Watches string keys in a subscript: those of a typed dictionary."""

from __future__ import annotations

from assist.analysis.monitors.monitor import Legal, Monitor
from assist.analysis.monitors.slot import Bracket, Role, Slot
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """Keys of the subscripted value, where its type lists them."""
    if not slot.frames or slot.frames[-1].kind is not Bracket.SUBSCRIPT or slot.before != "[":
        return None
    return view.value(slot.subject).keys


MONITOR = Monitor("keys", frozenset({Role.STRING}), legal, hard=False)
