"""Says whether a new version of a function behaves like the old one and is faster; it never guesses: what was not run is not said."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from assist.analysis.execution.bundle import describe as describe_interpreter
from assist.analysis.execution.case import Case, Progress, Refused, refused
from assist.analysis.execution.compare import Outcome, difference
from assist.analysis.execution.counterexample import counterexample
from assist.analysis.execution.deadline import OutOfTime, overrun_seconds, stop_after
from assist.analysis.execution.evidence import check_evidence
from assist.analysis.execution.functions import (
    Function,
    constants_of,
    find_function,
    watched_data,
)
from assist.analysis.execution.ground import Ground
from assist.analysis.execution.kinds import Kinds
from assist.analysis.execution.measure import Measurement, measure
from assist.analysis.execution.memory import may_remember
from assist.analysis.execution.pool import Pool, collect, keep, timed_classes
from assist.analysis.execution.profiles import make_plan
from assist.analysis.execution.screen import newly_reached, reads_the_clock
from assist.analysis.execution.session import (
    LoadFailure,
    Session,
    preload_of,
    version_of,
)
from assist.analysis.execution.timed import results_equal, timed_roots, unseen_inputs
from assist.analysis.execution.timer import InputClass
from assist.analysis.execution.turn import NoTurn, measuring_turn
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
SHARE_OF_COLLECTING = 0.3  # of the time budget
INPUTS_MIN = 8
TURN_SECONDS_MIN = 1.0
PATIENT_SECONDS = 2.0  # for inputs that took the old version less than a tenth of it


def verify(
    before: Subject,
    after: Subject,
    options: VerifyOptions,
    *,
    recorded: RecordedCalls | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    ground: Ground | None = None,
) -> Verdict:
    """Run both versions on the same inputs in a sandbox and compare everything a caller could notice.

    ``ground`` is shared by candidates that are compared with the same old version, one after
    the other in one thread: what was learnt about the old version is not learnt again.
    The answer comes within the budget and a little more (:func:`overrun_seconds`).
    Raises SandboxUnavailable where code cannot be isolated well enough, Cancelled when
    ``cancelled()`` says so. Everything else, broken code included, is a Verdict.
    """
    try:
        read = _read(before, after)
    except Refused as refused:
        return refused.verdict
    plan = make_plan(
        describe_interpreter(options.interpreter),
        options.workspace,
        [],
        preload_of(read.trees, version_of(before, options.workspace, (), False).roots),
        options.allow_reduced_isolation,
    )
    watched = watched_data(*read.trees)
    with ExitStack() as stack:
        ground = ground or stack.enter_context(Ground())
        deadline = time.monotonic() + options.budget_seconds
        stop = stop_after(deadline + overrun_seconds(options.budget_seconds), cancelled)
        session = ground.session(plan, stop)
        case = Case(
            before=before,
            after=after,
            options=options,
            old=version_of(before, options.workspace, watched, read.function.receiver, recorded),
            new=version_of(after, options.workspace, watched, read.function.receiver, recorded),
            function=read.function,
            kinds=Kinds(read.trees[0]),
            plan=plan,
            ground=ground,
            session=session,
            recorded=recorded.of(before) if recorded else (),
            constants=constants_of(*read.functions),
            progress=progress or (lambda _text: None),
            deadline=deadline,
            cancelled=stop,
            keeps_results=may_remember(*read.trees),
        )
        try:
            verdict = _decide(case)
        except Refused as refused:
            verdict = refused.verdict
        except LoadFailure as failure:
            verdict = Verdict(
                "error", f"the old version cannot be imported in the sandbox: {failure}"
            )
        except OutOfTime:
            session.close()
            verdict = Verdict("not_enough_evidence", "the time was used up while it was compared")
    return _finished(verdict, case, plan.isolation)


@dataclass(frozen=True)
class _Read:
    trees: tuple[ast.Module, ast.Module]
    functions: tuple[Function, Function]

    @property
    def function(self) -> Function:
        return self.functions[0]


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
            raise refused(
                "error", f"the {label} version does not parse: {error.args[0]}{line}"
            ) from error
        function = find_function(tree, subject.qualname)
        if function is None:
            raise refused("error", f"the {label} version has no function {subject.qualname}")
        trees.append(tree)
        functions.append(function)
    for function in functions:
        if isinstance(function.node, ast.AsyncFunctionDef):
            raise refused("not_enough_evidence", "coroutines are not run")
    if functions[0].receiver != functions[1].receiver:
        raise refused("not_equivalent", "one version is a static method, the other is not")
    reaches = newly_reached(*trees)
    if reaches:
        raise refused("unsafe", f"the new version newly uses {', '.join(reaches)}")
    clock = reads_the_clock(functions[0].node) or reads_the_clock(functions[1].node)
    if clock:
        raise refused("nondeterministic", f"the function uses {clock}")
    return _Read((trees[0], trees[1]), (functions[0], functions[1]))


def _decide(case: Case) -> Verdict:
    case.progress("collecting inputs")
    collecting = time.monotonic() + SHARE_OF_COLLECTING * case.options.budget_seconds
    case.pool = collect(
        case.function,
        case.kinds,
        case.options,
        case.recorded,
        case.constants,
        case.observe,
        collecting,
    )
    _settle(case)
    _check_pool(case)
    _check_deterministic(case)
    case.progress(f"comparing on {len(case.pool.inputs)} inputs")
    _check_same(case)
    case.progress("breaking the new version to test the inputs")
    check_evidence(case)
    case.progress("measuring")
    try:
        return _check_speed(case)
    except OutOfTime:
        case.session.close()
        count = len(case.pool.inputs)
        return Verdict(
            "equivalent",
            f"same behaviour on {count} inputs; the time was used up while it was measured",
        )


def _settle(case: Case) -> None:
    """One run of the old version over the whole pool: what every other run is compared with.

    The pool was filled by several runs; a function that keeps state across calls needs one.
    """
    outcomes = _old_run(case)
    good = [index for index, outcome in enumerate(outcomes) if not outcome.problem]
    case.keeps_state = any(
        difference(case.pool.outcomes[index], outcomes[index])
        for index in good
        if not case.pool.inputs[index].specification.get("once")
    )
    if len(good) < len(outcomes):
        case.pool.inputs = [case.pool.inputs[index] for index in good]
        outcomes = _old_run(case)
    case.pool.outcomes = outcomes


def _old_run(case: Case, hash_seed: int = 0, random_seed: int = 0) -> list[Outcome]:
    return case.ground.run(
        case.session,
        case.old,
        case.pool.specifications,
        hash_seed=hash_seed,
        random_seed=random_seed,
        input_seconds_max=PATIENT_SECONDS,
    )


def _check_pool(case: Case) -> None:
    for outcome in case.pool.outcomes:
        events = outcome.data.get("events")
        if events:
            raise refused(
                "unsafe", f"the function reaches outside: {events[0][0]} {events[0][1]}".rstrip()
            )
        if outcome.data.get("random"):
            raise refused("nondeterministic", "the function uses random numbers")
    returned = case.pool.returned()
    takes_nothing = not case.function.parameters and not case.function.receiver
    if returned < (1 if takes_nothing else RETURNS_MIN):
        why = f": {case.pool.reason}" if case.pool.reason and not returned else ""
        raise refused("not_enough_evidence", f"the old version returned on {returned} inputs{why}")
    if len(case.pool.inputs) < INPUTS_MIN and not takes_nothing and not _takes_few_values(case):
        raise refused(
            "not_enough_evidence", f"only {len(case.pool.inputs)} different inputs were found"
        )


def _takes_few_values(case: Case) -> bool:
    annotations = [
        ast.unparse(p.annotation) if p.annotation else "" for p in case.function.parameters
    ]
    return all(a == "bool" or a.startswith("Literal") for a in annotations)


def _check_deterministic(case: Case) -> None:
    """The old version against itself, with other hash seeds and other random numbers."""
    runs = _together(
        [partial(_old_run, case, seed, seed) for seed in HASH_SEEDS[1:]],
        HASH_SEEDS[1:],
        case.session,
    )
    for run in runs:
        for first, again in zip(case.pool.outcomes, run, strict=True):
            found = difference(first, again)
            if again.problem:
                raise refused(
                    "not_enough_evidence", f"the old version {again.problem} the second time"
                )
            if found:
                raise refused("nondeterministic", f"the old version differs from itself: {found}")


def _together(
    tasks: Sequence[Callable[[], list[Outcome]]], hash_seeds: Sequence[int], session: Session
) -> list[list[Outcome]]:
    """Runs in different sandboxes at the same time; they are started here because they end with their thread."""
    for seed in hash_seeds:
        session.start(seed)
    try:
        with ThreadPoolExecutor(max_workers=2) as executor:
            return [future.result() for future in [executor.submit(task) for task in tasks]]
    finally:
        session.drop_foreign()


def _check_same(case: Case) -> None:
    inputs = case.pool.specifications
    references = (case.pool.outcomes, None)
    for seed, reference in zip(HASH_SEEDS, references, strict=False):
        expected = reference or _old_run(case, seed)

        def stop(index: int, outcome: Outcome, expected: list[Outcome] = expected) -> bool:
            return difference(expected[index], outcome, case.options.relaxations) is not None

        try:
            found = case.session.run(
                case.new, inputs, hash_seed=seed, until=stop, input_seconds_max=2.0
            )
        except LoadFailure as failure:
            raise refused(
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
            raise refused("not_equivalent", why or "an outcome is missing", shown, inputs[last])


def _check_speed(case: Case) -> Verdict:
    if case.keeps_state:
        # how often each version is called while it is timed differs, and so would its results
        count = len(case.pool.inputs)
        reason = (
            f"same behaviour on {count} inputs; it keeps state between calls, so it is not timed"
        )
        return Verdict("equivalent", reason)
    roots, fresh = timed_roots(case.pool, case.function, case.kinds, case.options.seed)
    classes = timed_classes(roots, case.observe)
    fresh_pool = Pool()
    keep(fresh_pool, fresh, case.observe)
    fresh_classes = timed_classes(fresh_pool.inputs, case.observe)
    if not classes:
        return Verdict("equivalent", "same behaviour; no input is quick enough to be timed")
    unseen = unseen_inputs(roots, case.observe)
    measurement = _measured_in_turn(case, classes, fresh_classes, unseen)
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


def _measured_in_turn(
    case: Case,
    classes: Sequence[InputClass],
    fresh_classes: Sequence[InputClass],
    unseen: InputClass | None,
) -> Measurement:
    """Comparing may run beside other work; measuring runs alone, if its turn comes in time."""
    left = max(case.deadline - time.monotonic(), TURN_SECONDS_MIN)
    try:
        with measuring_turn(case.cancelled, left):
            return measure(
                case.plan,
                case.old,
                case.new,
                classes,
                fresh_classes,
                unseen,
                keeps_results=case.keeps_results,
                min_speedup=case.options.min_speedup,
                deadline=case.deadline,
                seed=case.options.seed,
                same_results=lambda a, b: results_equal(a, b, case.options.relaxations),
                cancelled=case.cancelled,
            )
    except NoTurn:
        return Measurement(
            None, "it could not be timed: others measured until the time was used up"
        )


def _finished(verdict: Verdict, case: Case, isolation: str) -> Verdict:
    reason = verdict.reason + (" (reduced isolation)" if isolation == "reduced" else "")
    return Verdict(
        verdict.verdict,
        reason,
        verdict.speedup,
        case.evidence(),
        verdict.counterexample,
        "reduced" if isolation == "reduced" else "full",
        verdict.slowest_input,
        verdict.input,
    )
