"""Watches class patterns after ``case``: their keywords are attributes of the class."""

from __future__ import annotations

from assist.analysis.monitors.monitor import Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """Attributes of the matched class."""
    return view.value(slot.subject).members


MONITOR = Monitor("patterns", frozenset({Role.PATTERN_KEYWORD}), legal, hard=False)
