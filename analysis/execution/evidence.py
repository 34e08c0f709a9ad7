"""Asks whether the inputs would have noticed a wrong version: by the branches they take and by deliberate errors they must tell apart."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from assist.analysis.execution.case import Case, refused
from assist.analysis.execution.compare import Outcome, difference
from assist.analysis.execution.functions import changed_lines
from assist.analysis.execution.session import LoadFailure
from assist.analysis.execution.types import Mutants

BRANCHES_MIN = 0.9
MUTANTS_MAX = 24
MUTANTS_KILLED_MIN = 0.7
MUTANT_SECONDS_MAX = 0.15
SHARE_OF_EVIDENCE = 0.6  # of the time budget, before measuring starts


def check_evidence(case: Case) -> None:
    lines = changed_lines(case.before.module_text, case.after.module_text, case.after.qualname)
    inputs = case.pool.specifications
    missing: list[str] = []
    shares: list[float] = []
    for version, own in ((case.old, lines.before), (case.new, lines.after)):
        found = case.session.coverage(version, inputs, own)
        sites, hits = found["sites"], set(found["hits"])
        if sites:
            shares.append(len(hits) / len(sites))
            missing += [
                f"line {line}: {text}" for k, (line, text) in enumerate(sites) if k not in hits
            ]
    case.branches = min(shares, default=1.0)
    if case.branches < BRANCHES_MIN:
        raise refused(
            "not_enough_evidence", f"the inputs miss branches of the change ({missing[0]})"
        )
    case.mutants, survivor = _run_mutants(case, lines.after)
    # one more counts as noticed: a single survivor is often no error at all (`>` for `>=` of ties)
    if (case.mutants.killed + 1) / (case.mutants.total + 1) < MUTANTS_KILLED_MIN:
        raise refused(
            "not_enough_evidence",
            f"the inputs do not notice {case.mutants.total - case.mutants.killed} of {case.mutants.total} "
            f"deliberate errors ({survivor})",
        )


def _run_mutants(case: Case, lines: Sequence[int]) -> tuple[Mutants, str]:
    possible = case.session.mutants(case.new, lines)
    numbers = list(range(len(possible)))
    random.Random(case.options.seed).shuffle(numbers)
    deadline = case.deadline - (1 - SHARE_OF_EVIDENCE) * case.options.budget_seconds
    killed = total = 0
    survivor = ""
    inputs, outcomes = case.pool.specifications, case.pool.outcomes
    for number in sorted(numbers[:MUTANTS_MAX]):
        if time.monotonic() > deadline and total:
            break

        def stop(index: int, outcome: Outcome) -> bool:
            return difference(outcomes[index], outcome, case.options.relaxations) is not None

        transform = {"mutant": number, "lines": list(lines)}
        total += 1
        try:
            found = case.session.run(
                case.new,
                inputs,
                transform=transform,
                until=stop,
                input_seconds_max=MUTANT_SECONDS_MAX,
            )
            last = len(found) - 1
            noticed = len(found) < len(inputs) or stop(last, found[last])
        except LoadFailure:
            noticed = True
        killed += noticed
        if not noticed and not survivor:
            survivor = f"line {possible[number][0]}: {possible[number][1]}"
    return Mutants(killed, total), survivor
