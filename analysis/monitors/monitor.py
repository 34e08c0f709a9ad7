"""What a monitor is: the roles it watches and a function from a slot to what is legal there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View

Legal = frozenset[str] | None
NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Monitor:
    """``legal`` gives every text that may fill a slot, or none where anything may.

    An empty set says that what is written is wrong and that no text is known that would be right.
    ``early`` monitors are also asked while the slot is being written. ``hard`` ones may forbid;
    the others only count what they would have said (their measured recall is not good enough).
    """

    name: str
    roles: frozenset[Role]
    legal: Callable[[Slot, View], Legal]
    early: bool = True
    hard: bool = True
