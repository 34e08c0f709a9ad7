"""Watches that a decorator can be called."""

from __future__ import annotations

from assist.analysis.monitors.monitor import FINE, NOTHING, Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot, Use
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """Nothing for a name that is known to have no way to be called."""
    if slot.use is not Use.DECORATOR:
        return None
    signatures = view.value(slot.text).signatures
    return None if signatures is None else FINE if signatures else NOTHING


MONITOR = Monitor("decorators", frozenset({Role.NAME}), legal, early=False, hard=False)
