"""Watches that a candidate inside a string leaves the closing quote to the suffix that has it."""

from __future__ import annotations

from assist.analysis.monitors.monitor import FINE, NOTHING, Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """Nothing for the end of a string that was open at the cursor and that the suffix closes."""
    if int(slot.subject) > view.head_length:
        return None
    return NOTHING if view.suffix.closes_string else FINE


MONITOR = Monitor("quotes", frozenset({Role.QUOTE}), legal, early=False, hard=False)
