"""Makes an input on which two versions differ as small as it goes and writes both outcomes for a reader; it decides nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence

from assist.analysis.execution.compare import difference
from assist.analysis.execution.session import LoadFailure, Session, Specification, Version
from assist.analysis.execution.types import Relaxation

ROUNDS_MAX = 12
SHRINKS_MAX = 40
SECONDS_MAX = 3.0
TEXT_CHARACTERS_MAX = 1500


def counterexample(
    session: Session,
    old: Version,
    new: Version,
    specification: Specification,
    relaxations: Sequence[Relaxation],
    deadline: float,
) -> str:
    """``f([1, 2]) returned 3; the new version returned 4``."""
    smallest = _shrunk(session, old, new, specification, relaxations, deadline)
    name = old.qualname
    call, first = session.show(old, smallest)
    _, second = session.show(new, smallest)
    return printable(f"{name}({call}) {first}; the new version {second}")[:TEXT_CHARACTERS_MAX]


def _shrunk(
    session: Session,
    old: Version,
    new: Version,
    specification: Specification,
    relaxations: Sequence[Relaxation],
    deadline: float,
) -> Specification:
    deadline = min(deadline, time.monotonic() + SECONDS_MAX)
    for _ in range(ROUNDS_MAX):
        if time.monotonic() > deadline:
            break
        smaller: list[Specification] = [
            {"base": specification, "shrink": index} for index in range(SHRINKS_MAX)
        ]
        try:
            before = session.run(old, smaller)
            after = session.run(new, smaller, input_seconds_max=1.0)
        except LoadFailure:
            break
        for candidate, one, other in zip(smaller, before, after, strict=True):
            if not one.problem and difference(one, other, relaxations):
                specification = candidate
                break
        else:
            break
    return specification


def printable(text: str) -> str:
    """Without control characters: what a function returned must not steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
