"""Prefers for ``__all__`` names that the module defines; others may come later, so it never forbids."""

from __future__ import annotations

from assist.analysis.monitors.monitor import Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """Names of the module, unless it makes names up when they are asked for."""
    if slot.subject != "__all__":
        return None
    names = view.names()
    return None if names is None or "__getattr__" in names else names


MONITOR = Monitor("exports", frozenset({Role.STRING}), legal, hard=False, bias=True)
