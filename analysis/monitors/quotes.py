"""Watches that a candidate inside a string leaves the closing quote to the suffix that has it."""

from __future__ import annotations

from assist.analysis.monitors.monitor import NOTHING, Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """Nothing for the end of a string that was open at the cursor and that the suffix closes."""
    opened_before = int(slot.subject) <= view.head_length
    return NOTHING if opened_before and view.suffix.closes_string else None


MONITOR = Monitor("quotes", frozenset({Role.QUOTE}), legal, early=False)
