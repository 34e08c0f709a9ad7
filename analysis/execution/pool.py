"""Collects the inputs of one verification in the order in which they are trusted, and drops those that prove nothing; it compares no versions."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from assist.analysis.execution.compare import NOT_APPLICABLE, Outcome
from assist.analysis.execution.functions import Function
from assist.analysis.execution.inputs import (
    UNSEEN_ITEM,
    accepted_signatures,
    docstring_inputs,
    edge_inputs,
    signatures,
    typical_inputs,
)
from assist.analysis.execution.kinds import Kinds
from assist.analysis.execution.session import Specification
from assist.analysis.execution.timer import InputClass
from assist.analysis.execution.types import RecordedCall, Source, Sources, VerifyOptions
from assist.analysis.execution.worker_variants import HUGE as HUGE_NUMBERS
from assist.analysis.execution.worker_variants import SPECIAL_TEXTS, VARIANTS

RECORDED_MAX = 60
EDGES, TYPICAL, MUTATED = 80, 12, 120
VARIANT_ROOTS, LARGE_ROOTS = 3, 2
HUGE = tuple(f"huge:{k}" for k in range(len(HUGE_NUMBERS)))
SLOW_SECONDS = 0.1
OUTCOME_BYTES_MAX = 500_000
SECOND_CALL_SECONDS_MAX = 0.02
SCALES = (4, 16)
TIMED_INPUTS_MAX = 8
TIMED_SIGNATURES_MAX = 2
EMPTY = f"[{UNSEEN_ITEM}"  # in the signature of an empty container
TIMED_CALL_SECONDS_MAX = 0.04
SIZE_TYPICAL = 16
TYPE_ERRORS = ("builtins.TypeError", "builtins.AttributeError", "builtins.NameError")

Observe = Callable[[Sequence[Specification]], list[Outcome]]


@dataclass(frozen=True)
class Input:
    """One input: where it came from, which signature it has, and whether it is an ordinary one."""

    specification: Specification
    source: Source
    signature: str = ""
    typical: bool = False
    scale: int = 1


@dataclass
class Pool:
    """Inputs with the old version's outcome of each; ``dropped`` counts those that proved nothing."""

    inputs: list[Input] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    dropped: int = 0
    reason: str = ""

    @property
    def specifications(self) -> list[Specification]:
        return [each.specification for each in self.inputs]

    def sources(self) -> Sources:
        counts = dict.fromkeys(("recorded", "generated", "mutated", "adversarial"), 0)
        for each in self.inputs:
            counts[each.source] += 1
        return Sources(**counts)

    def returned(self) -> int:
        return sum(outcome.raised is None for outcome in self.outcomes)


def collect(
    function: Function,
    kinds: Kinds,
    options: VerifyOptions,
    recorded: Sequence[RecordedCall],
    constants: Sequence[int | float | str],
    observe: Observe,
    deadline: float,
) -> Pool:
    """Inputs on which the old version ends with something that can be compared."""
    pool = Pool()
    base = [
        Input({"pickle": each.pickle.decode("ascii")}, "recorded", each.shape, True)
        for each in recorded[:RECORDED_MAX]
    ]
    base += [
        Input({"expression": text}, "recorded", "docstring", True)
        for text in docstring_inputs(function)
    ]
    has_examples = bool(base)
    base += [Input(json.loads(text), "adversarial") for text in options.inputs]
    base += [Input({"expression": text}, "adversarial") for text in options.adversarial]
    observed = tuple(dict.fromkeys(each.shape for each in recorded if each.shape))
    # an annotation that no value can be made for is better served by examples than by guesses
    guesses = any(
        p.annotation and not kinds.of_annotation(p.annotation) for p in function.parameters
    )
    generated: list[Input] = []
    if not (guesses and has_examples):
        generated = list(_generated(function, kinds, observed, observe, options.seed, pool))
    keep(pool, base + generated, observe)
    roots = [
        each
        for each, outcome in zip(pool.inputs, pool.outcomes, strict=True)
        if _is_root(each, outcome)
    ]
    batches = [
        _variants(roots, constants),
        _mutated(roots, options.seed),
        _large(roots),
        *([_variant(root, name) for root in spread(roots, 1)] for name in HUGE),
    ]
    for batch in batches:
        if time.monotonic() > deadline:
            break
        keep(pool, batch, observe)
    return pool


def _is_root(each: Input, outcome: Outcome) -> bool:
    return outcome.raised not in TYPE_ERRORS and each.source != "adversarial"


def _generated(
    function: Function,
    kinds: Kinds,
    observed: tuple[str, ...],
    observe: Observe,
    seed: int,
    pool: Pool,
) -> Iterable[Input]:
    if observed and function.receiver and not kinds.can_construct(function):
        return  # recorded objects are worth more than guessed ones
    candidates = signatures(function, kinds, observed)

    def accepts(texts: list[str]) -> list[bool]:
        outcomes = observe([{"expression": text} for text in texts])
        problems = (
            outcome.problem or f"it raises {outcome.raised}"
            for outcome in outcomes
            if outcome.problem or outcome.raised
        )
        pool.reason = pool.reason or next(problems, "")
        return [not outcome.problem and outcome.raised not in TYPE_ERRORS for outcome in outcomes]

    if observed:
        accepted = candidates
    else:
        accepted = accepted_signatures(function, kinds, candidates, seed, accepts)
    generator = random.Random(seed + 1)
    for signature in accepted:
        share = len(accepted)
        for size in (SIZE_TYPICAL, 5):
            count = max(2, TYPICAL // share // 2)
            for text in typical_inputs(function, kinds, signature, generator, count, size):
                yield Input({"expression": text}, "generated", str(signature), size == SIZE_TYPICAL)
        if signature.kinds:
            for text in edge_inputs(function, kinds, signature, max(6, EDGES // share), seed):
                yield Input({"expression": text}, "generated", str(signature))


def _mutated(roots: Sequence[Input], seed: int) -> list[Input]:
    if not roots:
        return []
    generator = random.Random(seed + 2)
    chosen = list(roots)
    generator.shuffle(chosen)
    return [
        Input(
            {"base": root.specification, "mutate": generator.getrandbits(32)},
            "mutated",
            root.signature,
        )
        for root in (chosen[index % len(chosen)] for index in range(MUTATED))
    ]


def _variants(roots: Sequence[Input], constants: Sequence[int | float | str]) -> list[Input]:
    """Every systematic variant of a few roots of each signature."""
    groups: dict[str, list[Input]] = {}
    for root in roots:
        groups.setdefault(root.signature, []).append(root)
    made: list[Input] = []
    per_group = max(1, VARIANT_ROOTS // max(1, len(groups)))
    for group in groups.values():
        for number, root in enumerate(spread(group, per_group)):
            names = (
                [*VARIANTS, *(f"text:{k}" for k in range(len(SPECIAL_TEXTS)))]
                if not number
                else VARIANTS
            )
            made += [_variant(root, name) for name in names]
            made += [_variant(root, "constant", value) for value in constants]
    return made


def _variant(root: Input, name: str, value: int | float | str | None = None) -> Input:
    specification = {"base": root.specification, "variant": name, "value": value}
    return Input(specification, "mutated", root.signature)


def _large(roots: Sequence[Input]) -> list[Input]:
    """Larger copies of a few ordinary inputs; containers where there are any, else numbers."""
    made: list[Input] = []
    for root in spread([each for each in roots if each.typical], LARGE_ROOTS):
        made += [
            Input(
                {"base": root.specification, "scale": factor, "what": what},
                "mutated",
                root.signature,
            )
            for factor in SCALES
            for what in ("containers", "numbers")
        ]
        made.append(_variant(root, "long"))
    return made


def keep(pool: Pool, inputs: Sequence[Input], observe: Observe) -> None:
    """Run the old version on ``inputs`` and keep those with a new, comparable outcome."""
    seen = {outcome.input_id for outcome in pool.outcomes}
    outcomes = observe([each.specification for each in inputs])
    for each, outcome in zip(inputs, outcomes, strict=False):
        problem = outcome.problem
        if problem == NOT_APPLICABLE:
            continue
        if not problem and outcome.seconds > SLOW_SECONDS:
            problem = "takes too long"
        if not problem and len(outcome.raw) > OUTCOME_BYTES_MAX:
            problem = "gives more than is compared"
        if not problem and outcome.raised == "builtins.MemoryError":
            problem = "out of memory"
        if not problem and (outcome.raised is None) and outcome.data.get("opaque"):
            problem = f"gives {outcome.data['opaque'][0]}, which cannot be looked into"
        if problem:
            pool.dropped += 1
            pool.reason = pool.reason or problem
        elif outcome.input_id not in seen:
            seen.add(outcome.input_id)
            if outcome.seconds > SECOND_CALL_SECONDS_MAX:
                each = replace(each, specification={**each.specification, "once": True})
            pool.inputs.append(each)
            pool.outcomes.append(outcome)


def spread(items: Sequence[Input], count: int) -> list[Input]:
    """At most ``count`` of ``items``, evenly from all of them."""
    if len(items) <= count:
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]


def timed_classes(roots: Sequence[Input], observe: Observe) -> list[InputClass]:
    """Input classes ×1, ×4 and ×16 of the commonest signatures, as far as the old version is quick enough on them."""
    groups: dict[str, list[Input]] = {}
    # A signature with an empty container is the small end of the others, not a class of its own.
    whole = [root.signature for root in roots if EMPTY not in root.signature]
    for root in roots:
        small = whole and EMPTY in root.signature
        groups.setdefault(whole[0] if small else root.signature, []).append(root)
    chosen = sorted(groups.values(), key=len, reverse=True)[:TIMED_SIGNATURES_MAX]
    classes: list[InputClass] = []
    for group in chosen:
        label = f" of ({group[0].signature})" if len(chosen) > 1 else ""
        ordinary = spread(group, TIMED_INPUTS_MAX)
        found, seen = _class(
            f"×1{label}", [each.specification for each in ordinary], observe, set()
        )
        classes += found
        if not found:
            continue
        for factor in SCALES:
            found, seen = _scaled_class(f"×{factor}{label}", ordinary, factor, observe, seen)
            classes += found
    return classes


def _scaled_class(
    name: str, ordinary: Sequence[Input], factor: int, observe: Observe, seen: set[str]
) -> tuple[list[InputClass], set[str]]:
    for what in ("containers", "numbers"):
        larger: list[Specification] = [
            {"base": each.specification, "scale": factor, "what": what}
            for each in spread(ordinary, TIMED_INPUTS_MAX // 2)
        ]
        found, ids = _class(name, larger, observe, seen)
        if found:
            return found, seen | ids
    return [], seen


def _class(
    name: str, specifications: Sequence[Specification], observe: Observe, seen: set[str]
) -> tuple[list[InputClass], set[str]]:
    """One class of those inputs that are new, return, and return quickly enough to be called often."""
    good: list[Specification] = []
    ids: set[str] = set()
    fresh = lazy = False
    for specification, outcome in zip(specifications, observe(specifications), strict=False):
        if outcome.problem or outcome.raised is not None or outcome.input_id in seen:
            continue
        if outcome.seconds > TIMED_CALL_SECONDS_MAX:
            continue
        good.append(specification)
        ids.add(outcome.input_id)
        fresh = fresh or bool(outcome.data.get("mutates"))
        result = outcome.data.get("result")
        lazy = lazy or (isinstance(result, list) and result[:1] == ["iterator"])
    return ([InputClass(name, tuple(good), fresh, lazy)] if good else []), ids
