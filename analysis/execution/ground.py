"""What the candidates of one function share: warm sandboxes, and what the old version did on which inputs; it judges nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from assist.analysis.execution.closing import Closing
from assist.analysis.execution.compare import Outcome
from assist.analysis.execution.profiles import Plan
from assist.analysis.execution.session import Session, Specification, Version

OBSERVED_BYTES_MAX = 64 << 20
RUNS_MAX = 8


class Ground(Closing):
    """Kept while versions of one function are verified one after the other, in one thread."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._version: Version | None = None
        self._observed: dict[str, Outcome] = {}
        self._observed_bytes = 0
        self._runs: dict[str, list[Outcome]] = {}

    def session(self, plan: Plan, cancelled: Callable[[], bool] | None) -> Session:
        """Warm sandboxes that have loaded at least what ``plan`` loads."""
        kept = self._session
        if kept is not None:
            loaded = dict.fromkeys([*kept.plan.preload, *plan.preload])
            plan = replace(plan, preload=tuple(loaded))
            if plan == kept.plan:
                kept.cancelled = cancelled
                return kept
            kept.close()
        self._session = Session(plan, cancelled)
        return self._session

    def observe(
        self, session: Session, old: Version, inputs: Sequence[Specification]
    ) -> list[Outcome]:
        """Outcomes of the old version on inputs that may take too long or make no sense."""
        self._keep_only(old)
        keys = [json.dumps(each, sort_keys=True) for each in inputs]
        missing = {
            key: each for key, each in zip(keys, inputs, strict=True) if key not in self._observed
        }
        found: dict[str, Outcome] = {}
        if missing:
            outcomes = session.run(old, list(missing.values()), exploring=True)
            found = dict(zip(missing, outcomes, strict=True))
        answer = [self._observed.get(key) or found[key] for key in keys]
        for key, outcome in found.items():
            self._observed_bytes += len(outcome.raw)
            if self._observed_bytes < OBSERVED_BYTES_MAX:
                self._observed[key] = outcome
        return answer

    def run(
        self,
        session: Session,
        old: Version,
        inputs: Sequence[Specification],
        *,
        hash_seed: int,
        random_seed: int,
        input_seconds_max: float,
    ) -> list[Outcome]:
        """One run of the old version over all ``inputs`` in order, from a fresh module."""
        self._keep_only(old)
        text = json.dumps([list(inputs), hash_seed, random_seed, input_seconds_max], sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()
        if key not in self._runs:
            outcomes = session.run(
                old,
                inputs,
                hash_seed=hash_seed,
                random_seed=random_seed,
                input_seconds_max=input_seconds_max,
            )
            while len(self._runs) >= RUNS_MAX:
                self._runs.pop(next(iter(self._runs)), None)
            self._runs[key] = outcomes
        return list(self._runs[key])

    def _keep_only(self, old: Version) -> None:
        if self._version != old:
            self._version = old
            self._observed, self._runs, self._observed_bytes = {}, {}, 0

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None
