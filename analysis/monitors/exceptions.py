"""Watches that what is raised or caught is an exception."""

from __future__ import annotations

from assist.analysis.monitors.monitor import NOTHING, Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot, Use
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """Nothing for a name that is known to be no exception."""
    if slot.use not in (Use.EXCEPT, Use.RAISE):
        return None
    return NOTHING if view.value(slot.text).exception is False else None


MONITOR = Monitor("exceptions", frozenset({Role.NAME}), legal, early=False)
