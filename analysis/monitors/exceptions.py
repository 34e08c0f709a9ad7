"""Watches that what is raised or caught is an exception."""

from __future__ import annotations

from assist.analysis.monitors.monitor import FINE, NOTHING, Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot, Use
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """Nothing for a name that is known to be no exception."""
    if slot.use not in (Use.EXCEPT, Use.RAISE):
        return None
    is_exception = view.value(slot.text).exception
    return None if is_exception is None else FINE if is_exception else NOTHING


MONITOR = Monitor("exceptions", frozenset({Role.NAME}), legal, early=False)
