"""Rules on functions of installed packages: for each rule a few functions that it fits, verified like any other; it keeps names and verdicts, never text."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assist.analysis.execution.functions import find_function
from assist.analysis.execution.kinds import Kinds
from assist.analysis.execution.verdict import Subject, VerifyOptions, verify
from assist.analysis.rules.compose import single_proposals
from assist.analysis.rules.rule import Proposal
from assist.analysis.rules.target import Facts
from assist.server.bench.report import append_case, read_cases, write_cases

FILE_BYTES_MAX = 60_000
LINES_MIN, LINES_MAX = 2, 60
TRIES_PER_RULE = 5
PER_PACKAGE_AND_RULE = 2
Progress = Callable[[str, float | None], None]


@dataclass(frozen=True)
class PackageCase:
    """One rule on one function; ``digest`` is SHA-256 of the function's text, ``ratio`` 0 where nothing was timed."""

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
    seconds: float
    reason: str


@dataclass(frozen=True)
class _Found:
    package: str
    version: str
    path: Path
    shown: str
    line: int
    digest: str
    subject: Subject
    proposal: Proposal


def run_packages(
    scan_seconds: float,
    seconds: float,
    jobs: int,
    seed: int,
    csv_path: Path | None,
    progress: Progress,
) -> dict[str, Any]:
    """Verify what rules propose for functions whose inputs can be made from their annotations."""
    cases = read_cases(csv_path, PackageCase) if csv_path is not None else []
    by_rule = _candidates(scan_seconds, seed, progress)
    known = {(case.digest, case.rule) for case in cases}
    verified = {case.rule for case in cases if case.verdict == "verified"}
    # every rule once before any rule a second time, and none any more that was verified
    for turn in range(TRIES_PER_RULE):
        wave = [
            found[turn]
            for rule, found in sorted(by_rule.items())
            if turn < len(found)
            and rule not in verified
            and (found[turn].digest, rule) not in known
        ]
        with ThreadPoolExecutor(max_workers=jobs) as executor:
            futures = [executor.submit(_verified, each, seconds) for each in wave]
            for number, future in enumerate(as_completed(futures)):
                case = future.result()
                progress(f"round {turn + 1}: {case.rule}", number / len(wave))
                cases.append(case)
                if csv_path is not None:
                    append_case(csv_path, case)
                if case.verdict == "verified":
                    verified.add(case.rule)
    cases.sort(key=lambda case: (case.rule, case.package, case.path, case.line))
    if csv_path is not None:
        write_cases(csv_path, cases)
    return {
        "functions": len({case.digest for case in cases}),
        "rules_that_fit": len({case.rule for case in cases}),
        "rules_verified": len(verified),
        "verified": ", ".join(sorted(verified)),
        "verdicts": dict(Counter(case.verdict for case in cases)),
    }


def _candidates(seconds: float, seed: int, progress: Progress) -> dict[str, list[_Found]]:
    """A few functions for every rule, from as many files as can be read in the time."""
    files = [(d, path) for d in importlib.metadata.distributions() for path in _files(d)]
    files.sort(key=lambda item: str(item[1]))
    random.Random(seed).shuffle(files)
    found: dict[str, list[_Found]] = {}
    counts: Counter[tuple[str, str]] = Counter()
    started = time.monotonic()
    for distribution, path in files:
        spent = time.monotonic() - started
        if spent > seconds:
            break
        progress("reading installed packages", min(spent / seconds, 1.0))
        for each in _in_file(distribution, path):
            rule = each.proposal.rules[0]
            own = found.setdefault(rule, [])
            if len(own) < TRIES_PER_RULE and counts[each.package, rule] < PER_PACKAGE_AND_RULE:
                counts[each.package, rule] += 1
                own.append(each)
    return found


def _files(distribution: importlib.metadata.Distribution) -> Iterator[Path]:
    for file in distribution.files or ():
        parts = set(file.parts)
        if file.suffix == ".py" and not parts & {"tests", "test", "_vendor", ".."}:
            yield Path(str(distribution.locate_file(file)))


def _in_file(distribution: importlib.metadata.Distribution, path: Path) -> Iterator[_Found]:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            return
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (OSError, ValueError, SyntaxError, RecursionError):
        return
    kinds = Kinds(tree)
    root = Path(str(distribution.locate_file("")))
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or not _can_be_called(tree, node, kinds):
            continue
        subject = Subject(path, node.name, text)
        digest = hashlib.sha256((ast.get_source_segment(text, node) or "").encode()).hexdigest()
        for proposal in single_proposals(text, node.name, Facts()):
            yield _Found(
                distribution.metadata["Name"],
                distribution.version,
                path,
                path.relative_to(root).as_posix(),
                node.lineno,
                digest[:16],
                subject,
                proposal,
            )


def _can_be_called(tree: ast.Module, node: ast.FunctionDef, kinds: Kinds) -> bool:
    """Whether a function is of a usual size and its parameters say what they take."""
    lines = (node.end_lineno or node.lineno) - node.lineno
    function = find_function(tree, node.name)
    if function is None or not LINES_MIN <= lines <= LINES_MAX or node.decorator_list:
        return False
    parameters = function.parameters
    return bool(parameters) and all(kinds.of_annotation(each.annotation) for each in parameters)


def _verified(found: _Found, seconds: float) -> PackageCase:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        options = VerifyOptions(
            workspace=Path(directory),
            interpreter=Path(sys.executable),
            budget_seconds=seconds,
            adversarial=found.proposal.adversarial,
            relaxations=found.proposal.relaxations,
        )
        after = replace(found.subject, module_text=found.proposal.module_text)
        verdict = verify(found.subject, after, options)
    speedup = verdict.speedup
    return PackageCase(
        found.package,
        found.version,
        found.shown,
        found.line,
        found.subject.qualname,
        found.digest,
        found.proposal.rules[0],
        verdict.verdict,
        speedup.ratio if speedup is not None else 0.0,
        speedup.low if speedup is not None else 0.0,
        speedup.high if speedup is not None else 0.0,
        verdict.evidence.inputs,
        round(time.monotonic() - started, 1),
        verdict.reason,
    )
