"""Watches that an assignment does not replace a method of its own object: ``self.run = …`` where ``run`` is a method."""

from __future__ import annotations

from assist.analysis.monitors.monitor import FINE, NOTHING, Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """Anything but the name of a method; new attributes are what an assignment is for."""
    if slot.subject not in ("self", "cls"):
        return None
    members = view.value(slot.subject).members
    if members is None:
        return None
    if slot.text not in members:
        return FINE
    value = view.value(f"{slot.subject}.{slot.text}")
    return NOTHING if value.kind == "function" else FINE


MONITOR = Monitor("self store", frozenset({Role.ATTRIBUTE_STORE}), legal, early=False, hard=False)
