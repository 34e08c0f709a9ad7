"""Measures how much faster one version is than another, on a noisy machine; the clock is the kernel's, read from outside, and it shows no number it did not repeat.

Fresh process pairs, several randomly ordered pairs of samples in each, a t-bound on the
per-process medians: see FINDINGS of the project's measurements in ARCHITECTURE.md.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from assist.analysis.execution.growth import growth_label
from assist.analysis.execution.profiles import Plan
from assist.analysis.execution.session import Version
from assist.analysis.execution.timer import HIDDEN_SLACK_SECONDS, InputClass, Timer, TimingFailure
from assist.analysis.execution.types import Speedup

PAIRS, SAMPLES = 5, 4
SCREEN_PAIRS, SCREEN_SAMPLES = 3, 2
SAMPLE_SECONDS = 0.005
COPIES_MAX = 20_000
FRESH_CALLS_MAX = 4_000
SLOWER_CLASS = 0.95
HOPELESS = 1.0
# two-sided 95% and one-sided 95% quantiles of Student's t by degrees of freedom
T_TWO_SIDED = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306}
T_ONE_SIDED = {1: 6.314, 2: 2.920, 3: 2.353, 4: 2.132, 5: 2.015, 6: 1.943, 7: 1.895, 8: 1.860}
MEMORY_FACTOR, MEMORY_SLACK_BYTES = 1.5, 32 << 20
LOAD_FACTOR, LOAD_SLACK_SECONDS = 1.25, 0.02
CHECK_FACTOR = 1.5  # for writing results down, which both versions do
WAITING_FACTOR = 2.0
REPLAY_FACTOR, REPLAY_SECONDS_MIN = 1.5, 2e-4


@dataclass(frozen=True)
class Measurement:
    """``problem`` says why the new version does not count as faster; empty if it does."""

    speedup: Speedup | None
    problem: str
    classes: dict[str, float] = field(default_factory=dict)
    growth: str | None = None


def measure(
    plan: Plan,
    before: Version,
    after: Version,
    classes: Sequence[InputClass],
    fresh_classes: Sequence[InputClass],
    unseen: InputClass | None,
    *,
    keeps_results: bool,
    min_speedup: float,
    deadline: float,
    seed: int = 0,
    same_results: Callable[[Any, Any], bool],
    cancelled: Callable[[], bool] | None = None,
) -> Measurement:
    """Screen on ``classes``; what looks faster is measured again on ``fresh_classes``, and that is the answer.

    ``deadline`` is a value of ``time.monotonic()``. Speed-ups are geometric means over the
    input classes. ``unseen`` holds many different inputs that are called once and then once
    more: where only the second time is quick, or where ``keeps_results`` says that the new
    version could remember, the first time alone counts.
    """
    generator = random.Random(seed)
    try:
        bench = _Bench(
            plan, before, after, generator, same_results, cancelled, unseen, keeps_results
        )
        screened = bench.run(classes, SCREEN_PAIRS, SCREEN_SAMPLES)
        growth = screened.growth()
        first = screened.judge(min_speedup)
        if first.speedup is None or first.speedup.ratio < HOPELESS or _is_final(first.problem):
            return _with_growth(first, growth)
        if time.monotonic() > deadline:
            return Measurement(None, "the time budget ended before the speed-up could be repeated")
        final = bench.run(fresh_classes or classes, PAIRS, SAMPLES).judge(min_speedup)
        return _with_growth(final, growth)
    except TimingFailure as error:
        return Measurement(None, f"could not be timed: {error}")


def _is_final(problem: str) -> bool:
    return problem.startswith(("results", "works outside", "uses", "waits"))


def _with_growth(measurement: Measurement, growth: str | None) -> Measurement:
    return Measurement(measurement.speedup, measurement.problem, measurement.classes, growth)


@dataclass
class _Timings:
    """What one run of process pairs gave; ratios are before over after."""

    ratios: dict[str, list[float]] = field(default_factory=dict)  # one median per pair
    unseen: list[float] = field(default_factory=list)
    replay_gains: list[float] = field(default_factory=list)
    replay_saves: list[float] = field(default_factory=list)  # seconds
    walls: list[float] = field(default_factory=list)
    loads: list[tuple[float, float]] = field(default_factory=list)
    peaks: list[tuple[int, int]] = field(default_factory=list)
    calls: dict[str, list[tuple[int, float, float]]] = field(default_factory=dict)
    keeps_results: bool = False
    hidden: str = ""
    results: str = ""

    def growth(self) -> str | None:
        points = [
            (
                sizes[0][0],
                statistics.median(c[1] for c in sizes),
                statistics.median(c[2] for c in sizes),
            )
            for sizes in self.calls.values()
        ]
        return growth_label(points)

    def judge(self, min_speedup: float) -> Measurement:
        per_pair = [
            math.exp(statistics.fmean(math.log(ratios[index]) for ratios in self.ratios.values()))
            for index in range(len(next(iter(self.ratios.values()), [])))
        ]
        if not per_pair:
            return Measurement(None, "nothing could be timed")
        if self.keeps_results and not self.unseen:
            return Measurement(None, "it keeps results, and there are no inputs it has not seen")
        replays = self._is_replay()
        if replays:
            per_pair = self.unseen
        speedup, lower = bounds(per_pair)
        classes = {name: statistics.median(ratios) for name, ratios in self.ratios.items()}
        problem = self._problem(speedup, lower, classes, min_speedup, replays)
        return Measurement(speedup, problem, classes)

    def _is_replay(self) -> bool:
        """Whether the new version is quicker the second time it sees an input, and the old one is not."""
        if not self.replay_gains:
            return False
        if self.keeps_results:
            return True
        gain, saved = statistics.median(self.replay_gains), statistics.median(self.replay_saves)
        return gain > REPLAY_FACTOR and saved > REPLAY_SECONDS_MIN

    def _problem(
        self,
        speedup: Speedup,
        lower: float,
        classes: dict[str, float],
        min_speedup: float,
        replays: bool,
    ) -> str:
        if self.results:
            return f"results differ while it is timed: {self.results}"
        if self.hidden:
            return self.hidden
        load_before, load_after = (
            statistics.median(pair[k] for pair in self.loads) for k in (0, 1)
        )
        if load_after > load_before * LOAD_FACTOR + LOAD_SLACK_SECONDS:
            return f"uses {1000 * (load_after - load_before):.0f} ms more when it is imported"
        peak_before, peak_after = (
            statistics.median(pair[k] for pair in self.peaks) for k in (0, 1)
        )
        if peak_after > peak_before * MEMORY_FACTOR + MEMORY_SLACK_BYTES:
            return f"uses {(peak_after - peak_before) / 2**20:.0f} MB more memory"
        # calls that both versions answer at once may well take the new one longer
        as_measured = min(1.0, statistics.median(classes.values()))
        if statistics.median(self.walls) * WAITING_FACTOR < as_measured and speedup.ratio > 1:
            return "waits longer than the old version"
        if speedup.ratio < min_speedup or lower <= 1:
            return f"not faster: {describe(speedup)}" + (
                " on inputs it has not seen" if replays else ""
            )
        slow = {name: ratio for name, ratio in classes.items() if ratio < SLOWER_CLASS}
        if slow and not replays:
            name, ratio = min(slow.items(), key=lambda item: item[1])
            return f"slower on inputs of size {name}: {ratio:.2f}×"
        return ""


def describe(speedup: Speedup) -> str:
    """``1.31× (1.27 to 1.36)``."""
    return f"{speedup.ratio:.2f}× ({speedup.low:.2f} to {speedup.high:.2f})"


def bounds(per_pair: Sequence[float]) -> tuple[Speedup, float]:
    """Median with its two-sided 95% interval, and the one-sided 95% lower bound; computed on logarithms."""
    logs = [math.log(value) for value in per_pair]
    median = statistics.median(logs)
    if len(logs) < 2:
        return Speedup(math.exp(median), 0.0, float("inf")), 0.0
    mean = statistics.fmean(logs)
    error = statistics.stdev(logs) / math.sqrt(len(logs))
    freedom = min(len(logs) - 1, max(T_TWO_SIDED))
    low, high = mean - T_TWO_SIDED[freedom] * error, mean + T_TWO_SIDED[freedom] * error
    lower = math.exp(min(mean, median) - T_ONE_SIDED[freedom] * error)
    low, high = min(low, median), max(high, median)
    return Speedup(*(round(math.exp(v), 4) for v in (median, low, high))), lower


class _Bench:
    def __init__(
        self,
        plan: Plan,
        before: Version,
        after: Version,
        generator: random.Random,
        same_results: Callable[[Any, Any], bool],
        cancelled: Callable[[], bool] | None,
        unseen: InputClass | None,
        keeps_results: bool,
    ) -> None:
        self._unseen = unseen
        self._keeps_results = keeps_results
        self._plan = plan
        self._versions = (before, after)
        self._random = generator
        self._same = same_results
        self._cancelled = cancelled
        self._copies: dict[tuple[str, int], int] = {}

    def run(self, classes: Sequence[InputClass], pairs: int, samples: int) -> _Timings:
        timings = _Timings(keeps_results=self._keeps_results)
        for _ in range(pairs):
            order = [0, 1]
            self._random.shuffle(order)
            timers: dict[int, Timer] = {}
            try:
                for side in order:
                    timers[side] = Timer(self._plan, self._versions[side], self._cancelled)
                self._measure_pair(timers, classes, samples, timings)
            finally:
                for timer in timers.values():
                    timer.close()
        return timings

    def _measure_pair(
        self,
        timers: dict[int, Timer],
        classes: Sequence[InputClass],
        samples: int,
        timings: _Timings,
    ) -> None:
        for chosen in classes:
            per_call: dict[int, list[float]] = {0: [], 1: []}
            walls: dict[int, list[float]] = {0: [], 1: []}
            for side in (0, 1):
                self._calibrate(timers[side], chosen, side)
            for _ in range(samples):
                for side in self._random.sample((0, 1), 2):
                    if chosen.fresh:
                        timers[side].prepare(chosen, self._copies[chosen.name, side])
                    sample = timers[side].sample(chosen)
                    per_call[side].append(sample.seconds_per_call)
                    walls[side].append(sample.wall_per_call)
            results = [timers[side].results() for side in (0, 1)]
            if not self._same(*results):
                timings.results = f"inputs of size {chosen.name}"
            ratios = [b / a for b, a in zip(per_call[0], per_call[1], strict=True)]
            timings.ratios.setdefault(chosen.name, []).append(statistics.median(ratios))
            timings.walls.append(statistics.median(walls[0]) / statistics.median(walls[1]))
            medians = [statistics.median(per_call[side]) for side in (0, 1)]
            timings.calls.setdefault(chosen.name, []).append(
                (timers[0].size, medians[0], medians[1])
            )
        if self._unseen is not None:
            self._measure_unseen(timers, self._unseen, timings)
        timings.loads.append((timers[0].load_seconds, timers[1].load_seconds))
        timings.peaks.append((timers[0].peak_memory_bytes(), timers[1].peak_memory_bytes()))
        timings.hidden = timings.hidden or timers[1].hidden_work()
        if timers[1].check_seconds > timers[0].check_seconds * CHECK_FACTOR + HIDDEN_SLACK_SECONDS:
            timings.hidden = timings.hidden or "works outside the measured calls"

    def _measure_unseen(
        self, timers: dict[int, Timer], unseen: InputClass, timings: _Timings
    ) -> None:
        first, second = {0: 0.0, 1: 0.0}, {0: 0.0, 1: 0.0}
        for side in self._random.sample((0, 1), 2):
            for seconds in (first, second):
                timers[side].prepare(unseen, 1)
                seconds[side] = timers[side].sample(unseen).seconds
        if not self._same(*(timers[side].results() for side in (0, 1))):
            timings.results = "inputs not seen before"
        timings.unseen.append(first[0] / first[1])
        timings.replay_gains.append((first[1] / second[1]) / (first[0] / second[0]))
        timings.replay_saves.append(first[1] - second[1])

    def _calibrate(self, timer: Timer, chosen: InputClass, side: int) -> None:
        """Find how often the inputs must be called for one sample of ``SAMPLE_SECONDS``."""
        copies = self._copies.get((chosen.name, side), 1)
        limit = FRESH_CALLS_MAX // len(chosen.inputs) if chosen.fresh else COPIES_MAX
        for _ in range(6):
            timer.prepare(chosen, copies)
            if (chosen.name, side) in self._copies:
                return
            seconds = timer.sample(chosen).seconds
            if seconds >= 0.8 * SAMPLE_SECONDS or copies >= limit:
                break
            growth = min(SAMPLE_SECONDS / max(seconds, 1e-6) * 1.15, 50.0)
            copies = max(copies + 1, min(math.ceil(copies * growth), limit))
        self._copies[chosen.name, side] = copies
        timer.prepare(chosen, copies)
