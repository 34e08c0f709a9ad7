"""One fresh process that runs one version and is timed from outside; what it says about itself is not believed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from assist.analysis.execution.profiles import Plan, candidate_start
from assist.analysis.execution.sandbox import Sandbox
from assist.analysis.execution.session import MEMORY_BYTES_MAX, Specification, Version

ANSWER_SECONDS_MAX = 30.0
TIMING_CPU_SECONDS_MAX = 120
HIDDEN_SHARE, HIDDEN_SLACK_SECONDS = 0.10, 0.02


@dataclass(frozen=True)
class InputClass:
    """Inputs that are timed together: one size, one signature.

    ``fresh`` where the function changes its arguments, ``lazy`` where it gives an iterator.
    """

    name: str
    inputs: tuple[Specification, ...]
    fresh: bool
    lazy: bool


class TimingFailure(Exception):
    """A timing process did not answer; the message says what happened."""


@dataclass(frozen=True)
class Sample:
    seconds: float
    wall: float
    calls: int

    @property
    def seconds_per_call(self) -> float:
        return self.seconds / self.calls

    @property
    def wall_per_call(self) -> float:
        return max(self.wall, 1e-7) / self.calls


class Timer:
    """One fresh process that runs one version and is timed from here."""

    def __init__(self, plan: Plan, version: Version, cancelled: Callable[[], bool] | None) -> None:
        command = {
            "module": version.module,
            "roots": list(version.roots),
            "qualname": version.qualname,
            "receiver": version.receiver,
            "globals": [],
            "seed": 0,
            "seccomp": plan.seccomp,
            "input_seconds_max": ANSWER_SECONDS_MAX,
            "cpu_seconds_max": TIMING_CPU_SECONDS_MAX,
            "memory_bytes_max": MEMORY_BYTES_MAX,
        }
        self._sandbox = Sandbox(candidate_start(plan, "timing", 0, command), cancelled)
        self._seen = 0.0
        self._hidden = 0.0
        self._worked = 0.0
        self._nonces = random.SystemRandom()
        self.size = 0
        self.check_seconds = 0.0
        try:
            self.load_seconds = self._load()
        except BaseException:
            self.close()
            raise

    def _load(self) -> float:
        started = self._sandbox.cpu_seconds()
        message = self._answer()
        self._seen = self._sandbox.cpu_seconds()
        if "loaded" not in message:
            raise TimingFailure(str(message.get("load", "the module did not load")))
        return self._seen - started

    def prepare(self, chosen: InputClass, copies: int) -> None:
        order = {
            "do": "prepare",
            "inputs": list(chosen.inputs),
            "copies": copies,
            "fresh": chosen.fresh,
        }
        message, _, _ = self._order(order)
        self._calls = int(message.get("prepared") or 0)
        self.size = int(message.get("size") or 0)
        if message.get("failed") or not self._calls:
            raise TimingFailure(str(message.get("failed") or "no calls were prepared"))

    def sample(self, chosen: InputClass) -> Sample:
        nonce = self._nonces.getrandbits(60)
        order = {"do": "time", "nonce": nonce, "distinct": len(chosen.inputs), "lazy": chosen.lazy}
        message, seconds, wall = self._order(order)
        if message.get("failed"):
            raise TimingFailure(str(message["failed"]))
        if message.get("done") != nonce:
            raise TimingFailure("the worker answered something else than it was asked")
        return Sample(max(seconds, 1e-7), wall, self._calls)

    def results(self) -> Any:
        message, seconds, _ = self._order({"do": "check"})
        self.check_seconds += seconds
        return message.get("results")

    def hidden_work(self) -> str:
        """Work that was done after an answer was given and before the next question was asked."""
        if self._hidden > self._worked * HIDDEN_SHARE + HIDDEN_SLACK_SECONDS:
            return "works outside the measured calls"
        return ""

    def peak_memory_bytes(self) -> int:
        return self._sandbox.peak_memory_bytes()

    def close(self) -> None:
        self._sandbox.close()

    def _order(self, order: dict[str, Any]) -> tuple[dict[str, Any], float, float]:
        try:
            cpu = self._sandbox.cpu_seconds()
            self._hidden += cpu - self._seen
            wall = time.perf_counter()
            self._sandbox.send(order)
            message = self._answer()
            wall = time.perf_counter() - wall
            self._seen = self._sandbox.cpu_seconds()
        except OSError as error:
            raise TimingFailure("the worker ended") from error
        self._worked += self._seen - cpu
        return message, self._seen - cpu, wall

    def _answer(self) -> dict[str, Any]:
        frame = self._sandbox.receive(ANSWER_SECONDS_MAX)
        message = frame.json() if frame else None
        if not isinstance(message, dict):
            raise TimingFailure("the worker ended or did not answer in time")
        return message
