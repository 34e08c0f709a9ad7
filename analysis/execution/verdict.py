"""Says whether a new version of a function behaves like the old one and is faster; it never guesses: what was not run is not said."""

from __future__ import annotations

import ast
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from assist.analysis.execution.bundle import describe as describe_interpreter
from assist.analysis.execution.compare import Outcome, difference
from assist.analysis.execution.counterexample import counterexample
from assist.analysis.execution.functions import (
    Function,
    changed_lines,
    find_function,
    newly_used,
    reads_the_clock,
    watched_data,
)
from assist.analysis.execution.kinds import Kinds
from assist.analysis.execution.measure import measure
from assist.analysis.execution.pool import Pool, collect, keep, timed_classes
from assist.analysis.execution.profiles import make_plan
from assist.analysis.execution.session import (
    LoadFailure,
    Session,
    Specification,
    Version,
    preload_of,
    version_of,
)
from assist.analysis.execution.timed import results_equal, timed_roots
from assist.analysis.execution.types import (
    Evidence,
    Layer,
    Mutants,
    Profile,
    RecordedCall,
    RecordedCalls,
    Relaxation,
    SandboxLayers,
    Skipped,
    Sources,
    Speedup,
    Subject,
    Target,
    Targets,
    Verdict,
    VerdictName,
    VerifyOptions,
)

__all__ = [
    "Evidence",
    "Layer",
    "Mutants",
    "Profile",
    "RecordedCall",
    "RecordedCalls",
    "Relaxation",
    "SandboxLayers",
    "Skipped",
    "Sources",
    "Speedup",
    "Subject",
    "Target",
    "Targets",
    "Verdict",
    "VerdictName",
    "VerifyOptions",
    "verify",
]

HASH_SEEDS = (0, 1, 77)
RETURNS_MIN = 3
INPUTS_MIN = 8
BRANCHES_MIN = 0.9
MUTANTS_MAX = 24
MUTANTS_KILLED_MIN = 0.7
MUTANT_SECONDS_MAX = 0.15
SHARE_OF_EVIDENCE = 0.6  # of the time budget, before measuring starts

Progress = Callable[[str], None]


def verify(
    before: Subject,
    after: Subject,
    options: VerifyOptions,
    *,
    recorded: RecordedCalls | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Verdict:
    """Run both versions on the same inputs in a sandbox and compare everything a caller could notice.

    Raises SandboxUnavailable where code cannot be isolated well enough, Cancelled when
    ``cancelled()`` says so. Everything else, broken code included, is a Verdict.
    """
    try:
        read = _read(before, after)
    except _Refused as refused:
        return refused.verdict
    plan = make_plan(
        describe_interpreter(options.interpreter),
        options.workspace,
        [],
        preload_of(read.trees, version_of(before, options.workspace, (), False).roots),
        options.allow_reduced_isolation,
    )
    watched = watched_data(*read.trees)
    with Session(plan, cancelled) as session:
        case = _Case(
            before=before,
            after=after,
            options=options,
            old=version_of(before, options.workspace, watched, read.function.receiver, recorded),
            new=version_of(after, options.workspace, watched, read.function.receiver, recorded),
            function=read.function,
            kinds=Kinds(read.trees[0]),
            session=session,
            recorded=recorded.of(before) if recorded else (),
            progress=progress or (lambda _text: None),
            deadline=time.monotonic() + options.budget_seconds,
            cancelled=cancelled,
        )
        try:
            verdict = _decide(case)
        except _Refused as refused:
            verdict = refused.verdict
        except LoadFailure as failure:
            verdict = Verdict(
                "error", f"the old version cannot be imported in the sandbox: {failure}"
            )
    return _finished(verdict, case, plan.isolation)


class _Refused(Exception):
    """A verdict that was reached before the end."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


@dataclass
class _Case:
    """Everything about one verification; ``pool`` and the numbers fill as it goes."""

    before: Subject
    after: Subject
    options: VerifyOptions
    old: Version
    new: Version
    function: Function
    kinds: Kinds
    session: Session
    recorded: Sequence[RecordedCall]
    progress: Progress
    deadline: float
    cancelled: Callable[[], bool] | None
    pool: Pool = field(default_factory=Pool)
    branches: float = 0.0
    mutants: Mutants = field(default_factory=Mutants)
    growth: str | None = None

    def observe(self, inputs: Sequence[Specification]) -> list[Outcome]:
        return self.session.run(self.old, inputs) if inputs else []

    def evidence(self) -> Evidence:
        return Evidence(
            inputs=len(self.pool.inputs),
            sources=self.pool.sources(),
            branches=round(self.branches, 3),
            mutants=self.mutants,
            growth=self.growth,
            relaxations=tuple(map(str, self.options.relaxations)),
        )


@dataclass(frozen=True)
class _Read:
    trees: tuple[ast.Module, ast.Module]
    function: Function


def _read(before: Subject, after: Subject) -> _Read:
    trees: list[ast.Module] = []
    functions: list[Function] = []
    for subject, label in ((before, "old"), (after, "new")):
        try:
            tree = ast.parse(subject.module_text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = (
                f" (line {error.lineno})" if isinstance(error, SyntaxError) and error.lineno else ""
            )
            raise _refused(
                "error", f"the {label} version does not parse: {error.args[0]}{line}"
            ) from error
        function = find_function(tree, subject.qualname)
        if function is None:
            raise _refused("error", f"the {label} version has no function {subject.qualname}")
        trees.append(tree)
        functions.append(function)
    for function in functions:
        if isinstance(function.node, ast.AsyncFunctionDef):
            raise _refused("not_enough_evidence", "coroutines are not run")
    if functions[0].receiver != functions[1].receiver:
        raise _refused("not_equivalent", "one version is a static method, the other is not")
    reaches = newly_used(*trees)
    if reaches:
        raise _refused("unsafe", f"the new version newly uses {', '.join(reaches)}")
    clock = reads_the_clock(functions[0].node) or reads_the_clock(functions[1].node)
    if clock:
        raise _refused("nondeterministic", f"the function uses {clock}")
    return _Read((trees[0], trees[1]), functions[0])


def _refused(name: VerdictName, reason: str, counterexample: str | None = None) -> _Refused:
    return _Refused(Verdict(name, reason, counterexample=counterexample))


def _decide(case: _Case) -> Verdict:
    case.progress("collecting inputs")
    case.pool = collect(case.function, case.kinds, case.options, case.recorded, case.observe)
    _check_pool(case)
    _check_deterministic(case)
    case.progress(f"comparing on {len(case.pool.inputs)} inputs")
    _check_same(case)
    case.progress("breaking the new version to test the inputs")
    _check_evidence(case)
    case.progress("measuring")
    return _check_speed(case)


def _check_pool(case: _Case) -> None:
    for outcome in case.pool.outcomes:
        events = outcome.data.get("events")
        if events:
            raise _refused(
                "unsafe", f"the function reaches outside: {events[0][0]} {events[0][1]}".rstrip()
            )
        if outcome.data.get("random"):
            raise _refused("nondeterministic", "the function uses random numbers")
    returned = case.pool.returned()
    takes_nothing = not case.function.parameters and not case.function.receiver
    if returned < (1 if takes_nothing else RETURNS_MIN):
        why = f": {case.pool.reason}" if case.pool.reason and not returned else ""
        raise _refused("not_enough_evidence", f"the old version returned on {returned} inputs{why}")
    if len(case.pool.inputs) < INPUTS_MIN and not takes_nothing and not _takes_few_values(case):
        raise _refused(
            "not_enough_evidence", f"only {len(case.pool.inputs)} different inputs were found"
        )


def _takes_few_values(case: _Case) -> bool:
    annotations = [
        ast.unparse(p.annotation) if p.annotation else "" for p in case.function.parameters
    ]
    return all(a == "bool" or a.startswith("Literal") for a in annotations)


def _check_deterministic(case: _Case) -> None:
    """The old version against itself, with other hash seeds and other random numbers."""
    inputs = case.pool.specifications
    runs = _together(
        [
            partial(case.session.run, case.old, inputs, hash_seed=seed, random_seed=seed)
            for seed in HASH_SEEDS[1:]
        ],
        HASH_SEEDS[1:],
        case.session,
    )
    for run in runs:
        for first, again in zip(case.pool.outcomes, run, strict=True):
            found = difference(first, again)
            if found:
                raise _refused("nondeterministic", f"the old version differs from itself: {found}")


def _together(
    tasks: Sequence[Callable[[], list[Outcome]]], hash_seeds: Sequence[int], session: Session
) -> list[list[Outcome]]:
    """Runs in different sandboxes at the same time; they are started here because they end with their thread."""
    for seed in hash_seeds:
        session.start(seed)
    with ThreadPoolExecutor(max_workers=2) as executor:
        return [future.result() for future in [executor.submit(task) for task in tasks]]


def _check_same(case: _Case) -> None:
    inputs = case.pool.specifications
    references = (case.pool.outcomes, None)
    for seed, reference in zip(HASH_SEEDS, references, strict=False):
        expected = reference or case.session.run(case.old, inputs, hash_seed=seed)

        def stop(index: int, outcome: Outcome, expected: list[Outcome] = expected) -> bool:
            return difference(expected[index], outcome, case.options.relaxations) is not None

        try:
            found = case.session.run(
                case.new, inputs, hash_seed=seed, until=stop, input_seconds_max=2.0
            )
        except LoadFailure as failure:
            raise _refused(
                "error", f"the new version cannot be imported in the sandbox: {failure}"
            ) from failure
        last = len(found) - 1
        why = (
            difference(expected[last], found[last], case.options.relaxations)
            if found
            else "nothing came back"
        )
        if why or len(found) < len(inputs):
            shown = counterexample(
                case.session,
                case.old,
                case.new,
                inputs[last],
                case.options.relaxations,
                case.deadline,
            )
            raise _refused("not_equivalent", why or "an outcome is missing", shown)


def _check_evidence(case: _Case) -> None:
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
        raise _refused(
            "not_enough_evidence", f"the inputs miss branches of the change ({missing[0]})"
        )
    case.mutants, survivor = _run_mutants(case, lines.after)
    # one more counts as noticed: a single survivor is often no error at all (`>` for `>=` of ties)
    if (case.mutants.killed + 1) / (case.mutants.total + 1) < MUTANTS_KILLED_MIN:
        raise _refused(
            "not_enough_evidence",
            f"the inputs do not notice {case.mutants.total - case.mutants.killed} of {case.mutants.total} "
            f"deliberate errors ({survivor})",
        )


def _run_mutants(case: _Case, lines: Sequence[int]) -> tuple[Mutants, str]:
    possible = case.session.mutants(case.new, lines)
    numbers = list(range(len(possible)))
    random.Random(case.options.seed).shuffle(numbers)
    deadline = case.deadline - (1 - SHARE_OF_EVIDENCE) * case.options.budget_seconds
    killed = total = 0
    survivor = ""
    inputs, outcomes = _diverse(case)
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


def _diverse(case: _Case) -> tuple[list[Specification], list[Outcome]]:
    """The pool in an order in which different outcomes come early; slow inputs last."""
    order = list(range(len(case.pool.inputs)))
    random.Random(1).shuffle(order)
    order.sort(key=lambda index: case.pool.outcomes[index].seconds > MUTANT_SECONDS_MAX / 10)
    return (
        [case.pool.inputs[index].specification for index in order],
        [case.pool.outcomes[index] for index in order],
    )


def _check_speed(case: _Case) -> Verdict:
    roots, fresh = timed_roots(case.pool, case.function, case.kinds, case.options.seed)
    classes = timed_classes(roots, case.observe)
    fresh_pool = Pool()
    keep(fresh_pool, fresh, case.observe)
    fresh_classes = timed_classes(fresh_pool.inputs, case.observe)
    if not classes:
        return Verdict("equivalent", "same behaviour; no input is quick enough to be timed")
    measurement = measure(
        case.session.plan,
        case.old,
        case.new,
        classes,
        fresh_classes,
        min_speedup=case.options.min_speedup,
        deadline=case.deadline,
        seed=case.options.seed,
        same_results=lambda a, b: results_equal(a, b, case.options.relaxations),
        cancelled=case.cancelled,
    )
    case.growth = measurement.growth
    slowest = min(measurement.classes, key=lambda name: measurement.classes[name], default=None)
    count = len(case.pool.inputs)
    if measurement.problem.startswith("results differ"):
        return Verdict("not_equivalent", measurement.problem)
    if measurement.problem.startswith("works outside"):
        return Verdict("unsafe", measurement.problem)
    if measurement.problem or measurement.speedup is None:
        reason = f"same behaviour on {count} inputs; {measurement.problem}"
        return Verdict("equivalent", reason, measurement.speedup, slowest_input=slowest)
    reason = f"same behaviour on {count} inputs, {measurement.speedup.ratio:.2f}× faster"
    return Verdict("verified", reason, measurement.speedup, slowest_input=slowest)


def _finished(verdict: Verdict, case: _Case, isolation: str) -> Verdict:
    reason = verdict.reason + (" (reduced isolation)" if isolation == "reduced" else "")
    return Verdict(
        verdict.verdict,
        reason,
        verdict.speedup,
        case.evidence(),
        verdict.counterexample,
        "reduced" if isolation == "reduced" else "full",
        verdict.slowest_input,
    )
