"""Watches that a new line is indented to a level that is open, deeper after a header, and that the suffix can follow."""

from __future__ import annotations

from assist.analysis.monitors.blocks import width_of
from assist.analysis.monitors.monitor import FINE, NOTHING, Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """The indentations that a statement on this line may have."""
    if slot.start + len(slot.text) < view.head_length:
        return None
    width = width_of(slot.text)
    if slot.subject == "header":
        header = slot.blocks[-1].indent if slot.blocks else -1
        return FINE if width > header else NOTHING
    levels = {0} | {block.body for block in slot.blocks if block.body >= 0}
    return FINE if width in levels else NOTHING


MONITOR = Monitor("indentation", frozenset({Role.INDENTATION}), legal, early=False, hard=False)
