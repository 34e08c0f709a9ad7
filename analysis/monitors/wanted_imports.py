"""Prefers among the names that a module offers those that the file reads and has from nowhere."""

from __future__ import annotations

import re

from assist.analysis.monitors.monitor import NOTHING, Legal, Monitor
from assist.analysis.monitors.slot import Bracket, Role, Slot
from assist.analysis.monitors.view import View

_NAME = re.compile(r"[^\W\d]\w*")


def legal(slot: Slot, view: View) -> Legal:
    """Names of the module that are wanted and not imported yet; nothing where all of them are."""
    unbound = view.facts.unbound()
    if not unbound:
        return None
    module = view.facts.module(slot.subject)
    if module.members is None:
        return None
    wanted = unbound & (module.members | (module.submodules or frozenset()))
    left = wanted.difference(slot.bound, _imported_behind(slot, view))
    if left:
        return left
    return NOTHING if wanted.intersection(slot.bound) else None


def _imported_behind(slot: Slot, view: View) -> list[str]:
    """Names that the statement goes on with after the cursor."""
    in_brackets = any(frame.kind is Bracket.IMPORTS for frame in slot.frames)
    rest = view.suffix.text.partition(")")[0] if in_brackets else view.suffix.line
    return _NAME.findall(rest)


MONITOR = Monitor("wanted imports", frozenset({Role.IMPORTED}), legal, hard=False, bias=True)
