"""What a monitor is: the roles it watches and a function from a slot to what is legal there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assist.analysis.monitors.slot import Role, Slot
from assist.analysis.monitors.view import View

Legal = frozenset[str] | None
NOTHING: frozenset[str] = frozenset()
# What is written was judged and may stand; there is no list of what else might.
FINE: frozenset[str] = frozenset({"\0"})

# Words that begin an expression.
EXPRESSION_WORDS = frozenset({"not", "lambda", "None", "True", "False", "await", "yield"})


@dataclass(frozen=True)
class Monitor:
    """``legal`` gives every text that may fill a slot, or none where it cannot judge.

    An empty set says that what is written is wrong and that no text is known that would be right; :data:`FINE` that it may stand.
    ``early`` monitors are also asked while the slot is being written. ``hard`` ones may forbid;
    the others only count what they would have said (their measured recall is not good enough),
    or, with ``bias``, prefer: where what they say can be had, the model chooses among that.
    """

    name: str
    roles: frozenset[Role]
    legal: Callable[[Slot, View], Legal]
    early: bool = True
    hard: bool = True
    bias: bool = False
