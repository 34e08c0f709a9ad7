"""What is known about one verification while it runs; it runs nothing by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from assist.analysis.execution.compare import Outcome
from assist.analysis.execution.functions import Function
from assist.analysis.execution.ground import Ground
from assist.analysis.execution.kinds import Kinds
from assist.analysis.execution.pool import Pool
from assist.analysis.execution.profiles import Plan
from assist.analysis.execution.session import Session, Specification, Version
from assist.analysis.execution.types import (
    Evidence,
    Mutants,
    RecordedCall,
    Subject,
    Verdict,
    VerdictName,
    VerifyOptions,
)

Progress = Callable[[str], None]


class Refused(Exception):
    """A verdict that was reached before the end."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


@dataclass
class Case:
    """Everything about one verification; ``pool`` and the numbers fill as it goes."""

    before: Subject
    after: Subject
    options: VerifyOptions
    old: Version
    new: Version
    function: Function
    kinds: Kinds
    plan: Plan
    ground: Ground
    session: Session
    recorded: Sequence[RecordedCall]
    constants: Sequence[int | float | str]
    keeps_results: bool
    progress: Progress
    deadline: float
    cancelled: Callable[[], bool] | None
    keeps_state: bool = False
    pool: Pool = field(default_factory=Pool)
    branches: float = 0.0
    mutants: Mutants = field(default_factory=Mutants)
    growth: str | None = None

    def observe(self, inputs: Sequence[Specification]) -> list[Outcome]:
        """Outcomes of the old version on inputs that may take too long or make no sense."""
        return self.ground.observe(self.session, self.old, inputs) if inputs else []

    def evidence(self) -> Evidence:
        return Evidence(
            inputs=len(self.pool.inputs),
            sources=self.pool.sources(),
            branches=round(self.branches, 3),
            mutants=self.mutants,
            growth=self.growth,
            relaxations=tuple(map(str, self.options.relaxations)),
        )


def refused(
    name: VerdictName,
    reason: str,
    counterexample: str | None = None,
    specification: Specification | None = None,
) -> Refused:
    text = json.dumps(specification) if specification is not None else None
    return Refused(Verdict(name, reason, counterexample=counterexample, input=text))
