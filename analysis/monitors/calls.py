"""Watches that what is called can be called."""

from __future__ import annotations

from assist.analysis.monitors.monitor import FINE, NOTHING, Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """Nothing where the called value is known to have no way to be called."""
    if not slot.subject or slot.keyword in ("class", "case"):
        return None
    value = view.value(slot.subject)
    if value.signatures is None:
        return None
    return NOTHING if not value.signatures and value.kind in ("instance", "module") else FINE


MONITOR = Monitor("calls", frozenset({Role.CALL}), legal, early=False)
