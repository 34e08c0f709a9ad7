"""Watches that a call has as many arguments as the called function takes."""

from __future__ import annotations

from assist.analysis.facts import Signature
from assist.analysis.monitors.monitor import FINE, NOTHING, Legal, Monitor
from assist.analysis.monitors.slot import Frame, Role, Slot
from assist.analysis.monitors.view import View


def legal(slot: Slot, view: View) -> Legal:
    """Nothing where no signature takes so many positional arguments, or a required one is missing
    at the end of the call."""
    frame = slot.frames[-1]
    if frame.unpacked or frame.comprehension or not slot.subject or slot.keyword == "case":
        return None
    signatures = view.value(slot.subject).signatures
    if not signatures:
        return None
    if slot.role is Role.POSITIONAL:
        fits = any(takes_positional(signature, frame.positional + 1) for signature in signatures)
    else:
        fits = any(_is_complete(signature, frame) for signature in signatures)
    return FINE if fits else NOTHING


def takes_positional(signature: Signature, count: int) -> bool:
    """Whether a call may have ``count`` arguments without keyword."""
    kinds = [parameter.kind for parameter in signature.parameters]
    return "arguments" in kinds or sum(kind in ("positional", "either") for kind in kinds) >= count


def _is_complete(signature: Signature, frame: Frame) -> bool:
    """Whether every parameter without a default has an argument."""
    left = frame.positional
    for parameter in signature.parameters:
        takes_place = parameter.kind in ("positional", "either")
        if takes_place and left > 0:
            left -= 1
            continue
        required = (takes_place or parameter.kind == "keyword") and not parameter.has_default
        if required and parameter.name not in frame.keywords:
            return False
    return True


MONITOR = Monitor("arity", frozenset({Role.POSITIONAL, Role.CALL_END}), legal, early=False)
