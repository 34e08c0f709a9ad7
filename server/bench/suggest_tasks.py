"""The tasks of the suggestion bench: slow functions with generators of inputs and checkers; it runs none of them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# q-rz/enamel (Apache-2.0) over HumanEval (MIT) and HumanEval+ (Apache-2.0), beside the checkout.
SHARED_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
FILE = "slow_fast_functions.jsonl.gz"
VERSIONS = {"humaneval": "slow_humaneval", "humanevalplus": "slow_humanevalplus"}
CASES_PER_LEVEL = 8
LEVELS_RECORDED = 2
LEVELS_CHECKED = 3
CALL_SECONDS_MAX = 1.5  # of processor time
CHECK_SECONDS_MAX = 2.5

# Runs generated inputs through the function, each for a bounded time.
RUNNER = """
import copy, json, math, random, signal, string, time
from collections import *
from itertools import *
{generator}

class Slow(Exception):
    pass

# Two helpers that the generators expect.
def rand_probably_prime(size):
    number = max(size, 2)
    while any(number % d == 0 for d in range(2, int(number ** 0.5) + 1)):
        number += 1
    return number

def rand_parens(size, valid, par="()"):
    depth, out = 0, []
    for left in range(max(size // 2 * 2, 2), 0, -1):
        opens = depth == 0 or (depth < left and random.random() < 0.5)
        depth += 1 if opens else -1
        out.append(par[0] if opens else par[1])
    if not valid:
        random.shuffle(out)
    return "".join(out)

def alarm(signum, frame):
    raise Slow

def inputs(levels, seed):
    signal.signal(signal.SIGPROF, alarm)
    random.seed(seed)
    for level, size in enumerate(levels):
        for case in range({cases}):
            try:
                yield generate_input(size, level, case)
            except (IndexError, NameError):
                return

def bounded(function, arguments):
    signal.setitimer(signal.ITIMER_PROF, {seconds})
    try:
        return function(*arguments)
    except (Slow, RecursionError):
        return Slow
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
"""


@dataclass(frozen=True)
class SlowFunction:
    """One slow version of a task; ``levels`` are sizes for its generator of inputs."""

    task: str
    version: str
    entry_point: str
    source: str
    generator: str
    checker: str
    levels: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"{self.task} {self.version}"

    def _runner(self) -> str:
        return RUNNER.format(
            generator=self.generator, cases=CASES_PER_LEVEL, seconds=CALL_SECONDS_MAX
        )

    def tests(self) -> str:
        """A pytest file that calls the function on small generated inputs."""
        return (
            f"{self._runner()}\nfrom solution import *\n"
            f"from solution import {self.entry_point} as function\n\n"
            "def test_calls():\n"
            f"    for arguments in inputs({self.levels[:LEVELS_RECORDED]!r}, 1):\n"
            "        bounded(function, arguments)\n"
        )

    def check_program(self, after: str) -> str:
        """A program that ends without error if a new version passes the checker on other inputs."""
        return (
            f"{self._runner()}\n{self.checker}\n"
            f"before, after = {{}}, {{}}\nexec({self.source!r}, before)\nexec({after!r}, after)\n"
            "globals().update({k: v for k, v in before.items() if k not in globals()})\n"
            f"checked = 0\nfor arguments in inputs({self.levels[:LEVELS_CHECKED]!r}, 2):\n"
            f"    if time.process_time() > {CHECK_SECONDS_MAX}:\n        break\n"
            f"    answer = bounded(before[{self.entry_point!r}], copy.deepcopy(arguments))\n"
            "    if answer is Slow:\n        continue\n"
            f"    output = bounded(after[{self.entry_point!r}], copy.deepcopy(arguments))\n"
            "    if output is Slow:\n        raise SystemExit('slower')\n"
            "    assert __check(copy.deepcopy(arguments), answer, output)\n"
            "    checked += 1\nassert checked\n"
        )


def load_slow_functions(version: str, directory: Path | None = None) -> list[SlowFunction]:
    """All tasks in one of :data:`VERSIONS`; empty where the published file is not there."""
    path = (directory or SHARED_DATA) / FILE
    return list(_read(path, version)) if path.is_file() else []


def _read(path: Path, version: str) -> Iterator[SlowFunction]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield SlowFunction(
                row["task_id"],
                version,
                row["entry_point"],
                row[VERSIONS[version]],
                row["input_generator"],
                row["checker"],
                tuple(row["input_levels"]),
            )
