"""Notes string keys that no other line of the file uses for the same dictionary; dictionaries may grow, so it never forbids."""

from __future__ import annotations

import re

from assist.analysis.monitors.monitor import Legal, Monitor
from assist.analysis.monitors.slot import Bracket, Role, Slot
from assist.analysis.monitors.view import View

KEYS_MIN = 3


def legal(slot: Slot, view: View) -> Legal:
    """Keys that the file uses with the same receiver, when there are a few."""
    if not slot.frames or slot.frames[-1].kind is not Bracket.SUBSCRIPT or slot.before != "[":
        return None
    receiver = re.escape(slot.subject)
    pattern = rf"(?<![\w.]){receiver}(?:\[|\.get\(|\.pop\(|\.setdefault\()['\"]([^'\"\n]*)['\"]"
    found = frozenset(re.findall(pattern, view.suffix.document))
    return found if len(found) >= KEYS_MIN else None


MONITOR = Monitor("observed keys", frozenset({Role.STRING}), legal, hard=False)
