"""Watches that a name that is imported from a module is there."""

from __future__ import annotations

from assist.analysis.monitors.monitor import Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """What the module defines, and its submodules."""
    value = view.facts.module(slot.subject)
    if value.members is None:
        return None
    return value.members | (value.submodules or frozenset())


MONITOR = Monitor("imported names", frozenset({Role.IMPORTED}), legal)
