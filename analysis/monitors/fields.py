"""Watches the conversion in a field of a format string: ``!r``, ``!s`` or ``!a``."""

from __future__ import annotations

from assist.analysis.monitors.monitor import Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View

CONVERSIONS = frozenset({"r", "s", "a"})


def legal(_: Slot, __: View) -> Legal:
    """The three conversions."""
    return CONVERSIONS


MONITOR = Monitor("fields", frozenset({Role.CONVERSION}), legal, hard=False)
