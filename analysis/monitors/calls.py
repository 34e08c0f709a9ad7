"""Watches that what is called can be called."""

from __future__ import annotations

from assist.analysis.monitors.monitor import NOTHING, Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """Nothing where the called value is known to have no way to be called."""
    if not slot.subject or slot.keyword in ("class", "case"):
        return None
    value = view.value(slot.subject)
    return NOTHING if value.signatures == () and value.kind in ("instance", "module") else None


MONITOR = Monitor("calls", frozenset({Role.CALL}), legal, early=False)
