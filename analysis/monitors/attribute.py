"""Watches that an attribute that is read exists on its receiver."""

from __future__ import annotations

from assist.analysis.monitors.monitor import Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """Members of the receiver, and what the candidate itself has assigned to it."""
    members = view.value(slot.subject).members
    if members is None:
        return None
    return members | {name for receiver, name in view.stored if receiver == slot.subject}


MONITOR = Monitor("attribute", frozenset({Role.ATTRIBUTE}), legal)
