"""Watches that a module that is imported exists, at the top level and inside packages."""

from __future__ import annotations

from assist.analysis.monitors.monitor import Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """Modules that can follow what is written of the dotted name."""
    if not slot.subject:
        return view.facts.modules()
    parent = slot.subject
    if parent.strip("."):
        parent = parent.removesuffix(".")
    submodules = view.facts.module(parent).submodules
    if not submodules:
        return None
    # "from . import" goes on without a name
    return submodules if parent.strip(".") else submodules | {"import"}


MONITOR = Monitor("modules", frozenset({Role.MODULE}), legal, hard=False)
