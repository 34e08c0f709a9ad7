"""Watches that a name that is read is defined: in the file, by the candidate, or built in."""

from __future__ import annotations

from assist.analysis.monitors.keywords import accepted_keywords
from assist.analysis.monitors.monitor import EXPRESSION_WORDS, Legal, Monitor
from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """Visible names and the words that an expression may begin with; keywords of the call too
    where an argument begins."""
    names = view.names()
    if names is None:
        return None
    if slot.role is Role.ARGUMENT:
        keywords = accepted_keywords(slot, view)
        return None if keywords is None else names | EXPRESSION_WORDS | keywords
    return names | EXPRESSION_WORDS


MONITOR = Monitor("names", frozenset({Role.NAME, Role.ARGUMENT}), legal)
