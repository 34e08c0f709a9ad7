"""Rules on packages that others wrote: for each rule a few functions that it fits, verified on calls of the package's own tests and examples; it keeps names and verdicts, never text."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assist.analysis.execution.verdict import VerifyOptions, verify
from assist.server.bench.report import append_case, read_cases, write_cases
from assist.server.bench.suggest_sources import Found, Source, open_source, proposals_of, record

TRIES_PER_RULE = 8
PER_SOURCE_AND_RULE = 5
CALLS_ENOUGH = 3
Progress = Callable[[str, float | None], None]


@dataclass(frozen=True)
class PackageCase:
    """One rule on one function; ``digest`` is the start of SHA-256 of the function's text, ``ratio`` 0 where nothing was timed."""

    package: str
    version: str
    path: str
    line: int
    function: str
    digest: str
    rule: str
    verdict: str
    ratio: float
    low: float
    high: float
    inputs: int
    recorded: int
    branches: float
    killed: int
    mutants: int
    seconds: float
    reason: str


def run_packages(
    folders: Sequence[Path],
    seconds: float,
    limit: int | None,
    csv_path: Path | None,
    progress: Progress,
) -> dict[str, Any]:
    """Verify what rules propose for functions of unpacked source distributions.

    Every rule is tried once before any a second time, and none any more that was verified;
    ``limit`` bounds how many are tried, ``seconds`` each of them. Cases that the CSV has
    already are not repeated. Raises UsageError.
    """
    sources = [open_source(folder) for folder in folders]
    cases = read_cases(csv_path, PackageCase) if csv_path is not None else []
    found = _found(sources, progress)
    tried = 0
    for turn in range(TRIES_PER_RULE):
        for rule, own in sorted(found.items()):
            verified = {case.rule for case in cases if case.verdict == "verified"}
            known = {(case.digest, case.rule) for case in cases}
            if turn >= len(own) or rule in verified or (own[turn].digest, rule) in known:
                continue
            if limit is not None and tried >= limit:
                break
            tried += 1
            progress(f"round {turn + 1}: {rule}", None)
            case = _verified(own[turn], seconds)
            cases.append(case)
            if csv_path is not None:
                append_case(csv_path, case)
    cases.sort(key=lambda case: (case.rule, case.package, case.path, case.line))
    if csv_path is not None:
        write_cases(csv_path, cases)
    return summarise(cases)


def summarise(cases: Sequence[PackageCase]) -> dict[str, Any]:
    """Which rules fit anything, and which were verified."""
    verified = sorted({case.rule for case in cases if case.verdict == "verified"})
    return {
        "packages": len({case.package for case in cases}),
        "functions": len({case.digest for case in cases}),
        "rules_tried": len({case.rule for case in cases}),
        "rules_verified": len(verified),
        "verified": ", ".join(verified),
        "verdicts": dict(Counter(case.verdict for case in cases)),
    }


def _found(sources: Iterable[Source], progress: Progress) -> dict[str, list[Found]]:
    """The most promising functions of every rule: called in several ways, with the most work."""
    by_rule: dict[str, list[Found]] = {}
    for source in sources:
        progress(f"running the tests of {source.name}", None)
        recorded = record(source, Path(sys.executable), lambda step: progress(step, None))
        for each in proposals_of(source, recorded):
            by_rule.setdefault(each.rule, []).append(each)
    return {rule: _promising(own) for rule, own in by_rule.items()}


def _promising(found: Iterable[Found]) -> list[Found]:
    chosen: list[Found] = []
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    for each in sorted(found, key=lambda each: (-min(each.calls, CALLS_ENOUGH), -each.cost)):
        if each.digest in seen or counts[each.source.name] >= PER_SOURCE_AND_RULE:
            continue
        seen.add(each.digest)
        counts[each.source.name] += 1
        chosen.append(each)
    return chosen[:TRIES_PER_RULE]


def _verified(found: Found, seconds: float) -> PackageCase:
    started = time.monotonic()
    options = VerifyOptions(
        workspace=found.source.root,
        interpreter=Path(sys.executable),
        budget_seconds=seconds,
        adversarial=found.proposal.adversarial,
        relaxations=found.proposal.relaxations,
    )
    after = replace(found.subject, module_text=found.proposal.module_text)
    verdict = verify(found.subject, after, options, recorded=found.recorded)
    speedup, evidence = verdict.speedup, verdict.evidence
    return PackageCase(
        found.source.name,
        found.source.version,
        found.shown,
        found.line,
        found.subject.qualname,
        found.digest,
        found.rule,
        verdict.verdict,
        speedup.ratio if speedup is not None else 0.0,
        speedup.low if speedup is not None else 0.0,
        speedup.high if speedup is not None else 0.0,
        evidence.inputs,
        evidence.sources.recorded,
        evidence.branches,
        evidence.mutants.killed,
        evidence.mutants.total,
        round(time.monotonic() - started, 1),
        verdict.reason.replace(str(found.source.root), "."),
    )
