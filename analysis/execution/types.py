"""Plain data of the verifier: what is compared, how, and what came out; it computes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

VerdictName = Literal[
    "verified",
    "equivalent",
    "not_equivalent",
    "not_enough_evidence",
    "nondeterministic",
    "unsafe",
    "error",
]
Source = Literal["recorded", "generated", "mutated", "adversarial"]
RelaxationKind = Literal["float_ulp", "set_order", "numpy_warnings"]
LayerState = Literal["fine", "warning", "problem"]
Isolation = Literal["full", "reduced"]

MIN_SPEEDUP = 1.10
BUDGET_SECONDS = 60.0


@dataclass(frozen=True)
class Subject:
    """One version of one function.

    ``path`` is the file it lives in (imports are resolved from there; it need not exist),
    ``qualname`` is ``"f"`` or ``"Class.method"``, ``module_text`` the whole module that
    contains this version.
    """

    path: Path
    qualname: str
    module_text: str


@dataclass(frozen=True)
class Relaxation:
    """A difference that a suggestion declares and a reader is shown.

    ``float_ulp`` lets floats differ by at most ``amount`` units in the last place;
    ``set_order`` lets sets of numbers iterate in another order; ``numpy_warnings`` lets numpy
    warn of overflow, division by zero and the like in other words or another number of times.
    """

    kind: RelaxationKind
    amount: int = 0

    def __str__(self) -> str:
        if self.kind == "float_ulp":
            return f"floats may differ by {self.amount} units in the last place"
        if self.kind == "numpy_warnings":
            return "numpy may warn of overflow or invalid values in other words"
        return "sets may iterate in another order"


@dataclass(frozen=True)
class VerifyOptions:
    """How to verify.

    ``adversarial`` holds Python expressions; each evaluates, inside the sandbox and in the
    namespace of the module, to ``(args tuple, kwargs dict)``; of a method the receiver is
    the first of ``args``. ``inputs`` holds inputs of earlier verdicts (``Verdict.input``).
    """

    workspace: Path
    interpreter: Path
    tests: Path | None = None
    min_speedup: float = MIN_SPEEDUP
    budget_seconds: float = BUDGET_SECONDS
    allow_reduced_isolation: bool = False
    adversarial: tuple[str, ...] = ()
    relaxations: tuple[Relaxation, ...] = ()
    inputs: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Speedup:
    """Ratio of CPU times, before over after, with its 95% interval."""

    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Sources:
    """How many inputs came from where; docstring examples count as recorded."""

    recorded: int = 0
    generated: int = 0
    mutated: int = 0
    adversarial: int = 0


@dataclass(frozen=True)
class Mutants:
    """Broken copies of the new version, and how many of them the inputs told apart."""

    killed: int = 0
    total: int = 0


@dataclass(frozen=True)
class Evidence:
    """What a verdict rests on: ``branches`` is the share of the changed branches that ran, ``growth`` like ``"n² → n"``."""

    inputs: int = 0
    sources: Sources = field(default_factory=Sources)
    branches: float = 0.0
    mutants: Mutants = field(default_factory=Mutants)
    growth: str | None = None
    relaxations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """``verified``: same behaviour and faster; ``equivalent``: same behaviour, not faster; everything else is a refusal.

    ``isolation`` is ``"full"`` or ``"reduced"``; ``slowest_input`` shows the input class on
    which the new version gains least, for a proposer that tries again; ``input`` is the input
    on which the versions differ, in a form that other verifications take.
    """

    verdict: VerdictName
    reason: str
    speedup: Speedup | None = None
    evidence: Evidence = field(default_factory=Evidence)
    counterexample: str | None = None
    isolation: Isolation = "full"
    slowest_input: str | None = None
    input: str | None = None


@dataclass(frozen=True)
class RecordedCall:
    """One call seen in the user's tests; ``pickle`` (base64) is opaque here and opened only inside the sandbox."""

    pickle: bytes
    shape: str


@dataclass(frozen=True)
class Profile:
    """What the user's tests spent in one function."""

    calls: int
    own_seconds: float


@dataclass(frozen=True)
class RecordedCalls:
    """Calls and times of one run of the user's tests, by ``(resolved path, qualname)``.

    ``module_names`` and ``sys_path`` say under which name the tests imported each file and
    from where; the pickles refer to them. ``reason`` says why nothing was recorded, ``""`` if something was; ``failed`` counts the
    tests that failed before any change.
    """

    calls: dict[tuple[str, str], tuple[RecordedCall, ...]] = field(default_factory=dict)
    profiles: dict[tuple[str, str], Profile] = field(default_factory=dict)
    tests_passed: int = 0
    tests_failed: int = 0
    module_names: dict[str, str] = field(default_factory=dict)
    sys_path: tuple[str, ...] = ()
    reason: str = ""

    def of(self, subject: Subject) -> tuple[RecordedCall, ...]:
        return self.calls.get((str(subject.path.resolve()), subject.qualname), ())


@dataclass(frozen=True)
class Target:
    """A function worth trying; ``cost`` orders targets, profiled seconds first, then a static estimate."""

    path: Path
    qualname: str
    module_text: str
    line: int
    cost: float
    profile: Profile | None = None

    @property
    def subject(self) -> Subject:
        return Subject(self.path, self.qualname, self.module_text)


@dataclass(frozen=True)
class Skipped:
    """A function that is not tried, and why."""

    path: Path
    qualname: str
    reason: str


@dataclass(frozen=True)
class Targets:
    """What ``find_targets`` found, most expensive first."""

    targets: tuple[Target, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class Layer:
    """One layer of the sandbox on this machine; ``remedy`` is empty when the layer is fine."""

    name: str
    state: LayerState
    detail: str
    remedy: str = ""


@dataclass(frozen=True)
class SandboxLayers:
    """What this machine can isolate; ``candidate`` and ``record`` say how well each profile is isolated."""

    layers: tuple[Layer, ...]
    candidate: Isolation
    record: Isolation
