"""Moves keys and values within a model's memory, and out of it and back; it never evaluates a token."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from assist.cache.kv import EditPlan
from assist.cache.parked import State
from assist.cache.tokens import Tokens
from assist.models.model import HAND, LIVE, STAGE, Model


def move_spans(model: Model, positions: Tokens, plan: EditPlan) -> None:
    """Bring the spans of ``plan`` from ``positions``, those of what LIVE holds, to their new ones.

    The head stays in LIVE, all others are in STAGE.
    """
    for span in plan.spans:
        if span.new < plan.head:
            continue
        start = int(positions[span.old])
        end = start + span.size
        model.memory_copy(LIVE, HAND, start, end)
        model.memory_remove(LIVE, start, end)
        if span.delta:
            model.memory_shift(HAND, 0, -1, span.delta)
        model.memory_copy(HAND, STAGE, 0, -1)
        model.memory_remove(HAND, 0, -1)
    model.memory_remove(LIVE, plan.head, -1)


def take_out(model: Model, positions: Tokens, cuts: Sequence[int]) -> list[State]:
    """Take the end of LIVE out, from the first of ``cuts`` on, which are indices; returns the states of the tokens between them."""
    states: list[State] = []
    for start, end in pairwise(cuts):
        if start == end:
            states.append(b"")
            continue
        model.memory_copy(LIVE, STAGE, int(positions[start]), int(positions[end - 1]) + 1)
        states.append(model.state_save(STAGE))
        model.memory_remove(STAGE, 0, -1)
    model.memory_remove(LIVE, int(positions[cuts[0]]), -1)
    return states


def put_back(model: Model, states: Sequence[State]) -> None:
    """Put what was taken out at the end of LIVE, and in the memory behind what is there.

    Raises :class:`RuntimeError` when a state does not fit, which those of the same model do.
    """
    for state in states:
        if not state:
            continue
        if not model.state_load(HAND, state):
            raise RuntimeError("a state that was just saved cannot be loaded")
        model.memory_copy(HAND, LIVE, 0, -1)
        model.memory_remove(HAND, 0, -1)
