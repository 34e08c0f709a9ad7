"""Watches that ``__all__`` lists names that the module defines."""

from __future__ import annotations

from assist.analysis.monitors.monitor import Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """Names of the module."""
    return view.names() if slot.subject == "__all__" else None


MONITOR = Monitor("exports", frozenset({Role.STRING}), legal)
