"""Chooses the inputs that are timed: ordinary ones, and for the repetition fresh ones of the same kind; it measures nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from assist.analysis.execution.compare import values_differ
from assist.analysis.execution.functions import Function
from assist.analysis.execution.inputs import Signature, split_kinds, typical_inputs
from assist.analysis.execution.kinds import Kinds
from assist.analysis.execution.pool import SIZE_TYPICAL, SLOW_SECONDS, Input, Observe, Pool, spread
from assist.analysis.execution.session import Specification
from assist.analysis.execution.timer import InputClass
from assist.analysis.execution.types import Relaxation

FRESH = 12
UNSEEN_TURNS_MAX, UNSEEN_ROOTS, UNSEEN_SECONDS = 80, 6, 0.03


def timed_roots(
    pool: Pool, function: Function, kinds: Kinds, seed: int
) -> tuple[list[Input], list[Input]]:
    """Ordinary inputs on which the old version returns, and fresh ones to repeat the measurement with."""
    returned = [
        each
        for each, outcome in zip(pool.inputs, pool.outcomes, strict=True)
        if outcome.raised is None and not outcome.data.get("events")
    ]
    recorded = [
        each for each in returned if each.source == "recorded" and each.signature != "docstring"
    ]
    typical = recorded or [each for each in returned if each.typical and each.source == "generated"]
    roots = (
        typical
        or [each for each in returned if each.source in ("recorded", "generated")]
        or returned
    )
    generator = random.Random(seed + 99)
    fresh: list[Input] = []
    for label in dict.fromkeys(each.signature for each in roots):
        own = [each for each in roots if each.signature == label]
        texts: list[str] = []
        if own[0].source == "generated":
            parts = tuple(None if part == "left out" else part for part in split_kinds(label))
            if len(parts) == len(function.parameters):
                texts = typical_inputs(
                    function, kinds, Signature(parts), generator, FRESH, SIZE_TYPICAL
                )
        fresh += [Input({"expression": text}, "generated", label, True) for text in texts]
        if not texts:
            changes: list[Specification] = [
                {"mutate": generator.getrandbits(32)}
                if turn
                else {"moved": generator.randrange(1, 9)}
                for _ in own
                for turn in (0, 1)
            ]
            sources = [each.specification for each in own for _ in (0, 1)]
            fresh += [
                Input({"base": source, **change}, "mutated", label, True)
                for source, change in zip(sources, changes, strict=True)
            ]
    return roots, fresh


def unseen_inputs(roots: Sequence[Input], observe: Observe) -> InputClass | None:
    """Many different inputs of one kind, each of which is called once; None where there are no different ones."""
    made: list[Specification] = [
        {"base": root.specification, "moved": turn + 1}
        for turn in range(UNSEEN_TURNS_MAX)
        for root in spread(roots, UNSEEN_ROOTS)
    ]
    good: list[Specification] = []
    seen: set[str] = set()
    seconds = 0.0
    fresh = lazy = False
    for specification, outcome in zip(made, observe(made), strict=False):
        if outcome.problem or outcome.raised is not None or outcome.input_id in seen:
            continue
        if outcome.seconds > SLOW_SECONDS:
            continue
        seen.add(outcome.input_id)
        good.append(specification)
        seconds += outcome.seconds
        fresh = fresh or bool(outcome.data.get("mutates"))
        result = outcome.data.get("result")
        lazy = lazy or (isinstance(result, list) and result[:1] == ["iterator"])
        if seconds > UNSEEN_SECONDS:
            break
    return InputClass("unseen", tuple(good), fresh, lazy) if good else None


def results_equal(before: Any, after: Any, relaxations: Sequence[Relaxation]) -> bool:
    """Whether the results of two timed runs are the same values; nothing that is missing is equal."""
    if not isinstance(before, list) or not isinstance(after, list) or len(before) != len(after):
        return False
    for one, other in zip(before, after, strict=True):
        if one is None and other is None:
            continue  # too large for both to be written down; it was compared before at smaller sizes
        if (
            not isinstance(one, list)
            or not isinstance(other, list)
            or len(one) != 2
            or len(other) != 2
        ):
            return False
        if values_differ(one[0], one[1], other[0], other[1], relaxations):
            return False
    return True
