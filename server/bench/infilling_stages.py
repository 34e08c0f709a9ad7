"""The stages of `assist bench infilling --stages`: the same holes filled by the bare model, then with the suffix as judge, with monitors, and with the ranker; it executes only HumanEval's tests."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import islice
from typing import Any, Literal

from assist.analysis.document import Document
from assist.completion.answer import Answer, CompletionOptions, Task
from assist.completion.decoder import Limits, decode
from assist.completion.engine import EngineSession, complete
from assist.completion.ranker import LIKELIHOOD_MIN, Ranker, likelihood
from assist.server.bench.execution import run_program
from assist.server.bench.mined import Kind, mine_holes, read_sources
from assist.server.bench.ranking import PACKAGES
from assist.server.bench.report import share
from assist.server.bench.tasks import InfillingTask

Stage = Literal["bare", "suffix", "monitors", "ranker"]
MINED: dict[str, Kind] = {"lines": "line", "blocks": "block", "bodies": "body"}
# Of these holes only the first line of an answer counts.
ONE_LINE = ("single-line", "lines")
STAGES: tuple[Stage, ...] = ("bare", "suffix", "monitors", "ranker")
CANDIDATES = 3
LINE_TOKENS_MAX, BLOCK_TOKENS_MAX = 64, 128
CONTEXT_TOKENS_MAX = 768
# Holes looked at for one that is wanted.
DRAWS_PER_HOLE = 200


@dataclass(frozen=True)
class StageCase:
    """The answer of one stage to one hole; ``passed`` is 1 or 0, and -1 where there are no tests.

    ``shown``: whether it would be shown at "balanced". ``answer`` is JSON text, empty for holes in
    packages, of which only places are kept.
    """

    model: str
    suite: str
    stage: str
    task: str
    exact: bool
    similarity: float
    passed: int
    chance: float
    shown: bool
    tokens: int
    seconds: float
    answer: str


def mined_tasks(
    suite: str, limit: int, seed: int, packages: Sequence[str] = PACKAGES
) -> list[InfillingTask]:
    """Holes in installed packages, named by package, version, path, offsets and hash."""
    kind = MINED[suite]
    drawn = mine_holes(read_sources(packages), limit * DRAWS_PER_HOLE, seed, {kind: 1.0})
    wanted = ((source, hole) for source, hole in drawn if hole.kind == kind)
    return [
        InfillingTask(
            f"{h.package} {h.version} {h.path} {h.start}-{h.end} {h.sha256[:16]}",
            source.text[: h.start],
            source.text[h.end :],
            source.text[h.start : h.end],
            "",
            "",
        )
        for source, h in islice(wanted, limit)
    ]


def run_stages(
    session: EngineSession, suite: str, tasks: Sequence[InfillingTask], ranker: Ranker | None
) -> Iterator[list[StageCase]]:
    """Fill every hole at every stage; the cases of one task at a time."""
    for task in tasks:
        yield [
            _case(session, suite, stage, task, *answer)
            for stage, answer in _answers(session, suite, task, ranker).items()
        ]


def summarise_stages(cases: Sequence[StageCase]) -> dict[str, Any]:
    """For every stage the shares of exact and passing answers, and the mean similarity."""
    figures: dict[str, Any] = {}
    for stage in STAGES:
        mine = [case for case in cases if case.stage == stage]
        count = len(mine)
        figures[f"{stage}: exact"] = share(sum(case.exact for case in mine), count)
        if any(case.passed >= 0 for case in mine):
            figures[f"{stage}: pass"] = share(sum(case.passed == 1 for case in mine), count)
        figures[f"{stage}: similarity"] = round(sum(c.similarity for c in mine) / max(count, 1), 4)
    last = [case for case in cases if case.stage == STAGES[-1]]
    shown = [case for case in last if case.shown]
    figures["balanced: shown"] = share(len(shown), len(last))
    figures["balanced: exact of shown"] = share(sum(case.exact for case in shown), len(shown))
    return figures


def _answers(
    session: EngineSession, suite: str, task: InfillingTask, ranker: Ranker | None
) -> dict[Stage, tuple[str, float, bool, int, float]]:
    """By stage: text, chance, whether it is shown, tokens, seconds."""
    one_line = suite in ONE_LINE
    text = task.prefix + ("\n" if suite == "single-line" else "") + task.suffix
    document = Document(f"file:///{task.name}.py", text)
    position = document.position_at(len(task.prefix))
    judged = CompletionOptions(
        tokens_max=LINE_TOKENS_MAX if one_line else BLOCK_TOKENS_MAX,
        context_tokens_max=CONTEXT_TOKENS_MAX,
        multiline=not one_line,
        speculate=False,
        monitors=False,
        candidates=CANDIDATES,
        rank=False,
        context=False,
    )
    found: dict[Stage, tuple[str, float, bool, int, float]] = {}
    for stage, options in (("suffix", judged), ("monitors", replace(judged, monitors=True))):
        started = time.process_time()
        completion = complete(session, document, position, options)
        spent = time.process_time() - started
        place, answers = completion.task, [a for a in completion.answers if a.text]
        assert place is not None
        if stage == "suffix":
            found["bare"] = _bare(place)
            found["suffix"] = _best(answers, [likelihood(a) for a in answers], 0.0, spent)
            continue
        chances = [likelihood(a) for a in answers]
        found["monitors"] = _best(answers, chances, 0.0, spent)
        least = LIKELIHOOD_MIN["balanced"]
        if ranker and answers:
            chances, least = ranker.chances(place, answers), ranker.thresholds["balanced"]
        found["ranker"] = _best(answers, chances, least, spent)
    return found


def _best(
    answers: Sequence[Answer], chances: Sequence[float], least: float, seconds: float
) -> tuple[str, float, bool, int, float]:
    tokens = sum(len(answer.decoded.tokens) for answer in answers)
    if not answers:
        return "", 0.0, False, tokens, seconds
    chance, number = max((chance, -index) for index, chance in enumerate(chances))
    return answers[-number].text, chance, chance >= least, tokens, seconds


def _bare(task: Task) -> tuple[str, float, bool, int, float]:
    """What the model writes up to the end that every stage has, neither trimmed nor judged."""
    session, prompt = task.session, task.prompt
    started = time.process_time()
    logits = session.kv.prefill(prompt.tokens).logits
    decoded = decode(
        session.kv,
        logits,
        task.rules,
        Limits(task.options.tokens_max, time.perf_counter() + task.options.decode_ms_max / 1e3),
        trie=session.trie,
        ends=session.ends,
        heal=prompt.heal,
    )
    return decoded.text, 1.0, True, len(decoded.tokens), time.process_time() - started


def _case(
    session: EngineSession,
    suite: str,
    stage: Stage,
    task: InfillingTask,
    text: str,
    chance: float,
    shown: bool,
    tokens: int,
    seconds: float,
) -> StageCase:
    text = text.partition("\n")[0] if suite in ONE_LINE else text
    answer, solution = text.rstrip(), task.solution.rstrip()
    passed = -1
    if task.test:
        passed = int(run_program(task.program(text.rstrip("\n") + "\n")) == "passed")
    return StageCase(
        model=session.kv.model.name,
        suite=suite,
        stage=stage,
        task=task.name,
        exact=answer == solution,
        similarity=round(SequenceMatcher(None, answer, solution, autojunk=False).ratio(), 4),
        passed=passed,
        chance=round(chance, 4),
        shown=shown,
        tokens=tokens,
        seconds=round(seconds, 3),
        answer=json.dumps(text, ensure_ascii=False) if task.test else "",
    )
