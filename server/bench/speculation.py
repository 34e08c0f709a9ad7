"""`assist bench speculation`: decodes holes in installed packages with and without drafts, in turns, and compares texts and CPU time; it changes no file."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from assist.analysis.document import Document
from assist.completion.answer import Answer, CompletionOptions, Task, decode_answers, draft_sources
from assist.completion.drafter import MATCH_TOKENS_MAX
from assist.completion.engine import EngineSession, complete
from assist.models.kv_session import KvSession
from assist.models.model import Logits
from assist.models.open import open_model
from assist.server.bench.hole_command import collect, earlier_cases, hole_options, installed_sources
from assist.server.bench.mined import Hole, Source, mine_holes, package_folders, package_path
from assist.server.bench.ranking import PACKAGES, TRAINING_PACKAGES
from assist.server.bench.report import echo_summary, share

TOKENS_MAX = 64
CONTEXT_TOKENS_MAX = 1024
# Each way is run so often, in turns; the quickest run counts, because load only adds.
ROUNDS = 3
LONG_MATCH = 8


@dataclass(frozen=True)
class SpeculationCase(Hole):
    """One hole decoded both ways: CPU time of decoding in ms, drafted and accepted tokens.

    ``match`` is the longest run of tokens, at most :data:`MATCH_TOKENS_MAX`, that ended a part of
    the answer and occurs in what drafts are made of.
    """

    same: bool
    tokens: int
    match: int
    drafted: int
    accepted: int
    plain_ms: float
    drafted_ms: float


@click.command("speculation")
@hole_options(limit=100)
@click.option("--monitors", is_flag=True, help="With monitors beside both.")
@click.option(
    "--files", is_flag=True, help="With drafts from the package's other files, as in a workspace."
)
def command(
    model: str,
    packages: tuple[str, ...],
    limit: int,
    seed: int,
    csv_path: Path | None,
    resume: bool,
    monitors: bool,
    files: bool,
    as_json: bool,
) -> None:
    """Compare decoding with drafts against plain decoding: same text, CPU time, accepted tokens."""
    sources = installed_sources(packages or (*PACKAGES, *TRAINING_PACKAGES))
    cases = earlier_cases(csv_path, resume, SpeculationCase)
    done = {(case.path, case.start, case.end) for case in cases}
    holes = [
        (source, hole)
        for source, hole in mine_holes(sources, limit, seed)
        if (hole.path, hole.start, hole.end) not in done
    ]
    opened = open_model(model)
    session = EngineSession(KvSession(opened.model), opened.template)
    new = run_holes(session, holes, monitors=monitors, files=files)
    collect(cases, new, csv_path, len(holes), "decoding")
    summary = {
        "model": opened.model.name,
        "monitors": monitors,
        "other_files": files,
        **summarise(cases),
        "sources": {
            name: share(right, drafted) for name, (drafted, right) in session.drafts.totals.items()
        },
    }
    echo_summary(summary, as_json=as_json)


def run_holes(
    session: EngineSession,
    holes: Sequence[tuple[Source, Hole]],
    *,
    monitors: bool,
    files: bool = False,
    rounds: int = ROUNDS,
    tokens_max: int = TOKENS_MAX,
    context_tokens_max: int = CONTEXT_TOKENS_MAX,
) -> Iterator[SpeculationCase]:
    """Decode every hole both ways; holes without an answer are left out.

    With ``files`` drafts come also from the package's other files and those of earlier holes,
    which are learned before the clock runs, as in idle time.
    """
    # Both ways must be compared on answers that no clock has cut or opened.
    options = CompletionOptions(
        tokens_max=tokens_max,
        decode_ms_max=math.inf,
        monitor_ms_max=math.inf,
        context_tokens_max=context_tokens_max,
        speculate=False,
        monitors=monitors,
        judge=False,
        rank=False,
        context=False,
    )
    for source, hole in holes:
        document = Document(
            f"file:///{hole.path}", source.text[: hole.start] + source.text[hole.end :]
        )
        if files:
            document = replace(document, uri=package_path(source).as_uri())
            session.workspaces.configure(package_folders(source))
            session.workspaces.learn([document], _never)
            session.workspaces.explore(_never)
            session.open_document(document)
            session.refresh_drafts(_never)
        position = document.position_at(hole.start)
        shape = replace(options, multiline=hole.kind in ("block", "body"))
        task = complete(session, document, position, replace(shape, tokens_max=1)).task
        if task is not None:
            case = _compare(task, shape, hole, rounds)
            if case.tokens:
                yield case


def summarise(cases: Sequence[SpeculationCase]) -> dict[str, Any]:
    """Ratios of CPU time, plain to drafted: all, where a long match exists, and the worst file."""
    long = [case for case in cases if case.match >= LONG_MATCH]
    files: dict[str, list[SpeculationCase]] = {}
    for case in cases:
        files.setdefault(case.path, []).append(case)
    return {
        "answers": len(cases),
        "tokens": sum(case.tokens for case in cases),
        "same_text": share(sum(case.same for case in cases), len(cases)),
        "speedup": _ratio(cases),
        f"speedup, match of {LONG_MATCH}": _ratio(long),
        f"answers, match of {LONG_MATCH}": len(long),
        "files": len(files),
        "slowest_file": min(map(_ratio, files.values()), default=0.0),
        "drafted_tokens": sum(case.drafted for case in cases),
        "accepted_drafts": share(
            sum(case.accepted for case in cases), sum(case.drafted for case in cases)
        ),
    }


def _never() -> bool:
    return False


def _compare(task: Task, options: CompletionOptions, hole: Hole, rounds: int) -> SpeculationCase:
    kv = task.session.kv
    logits = kv.prefill(task.prompt.tokens).logits
    seconds: dict[bool, list[float]] = {False: [], True: []}
    answers: dict[bool, Answer] = {}
    for number in range(2 * rounds):
        drafts = (number + number // 2) % 2 == 1
        answers[drafts], spent = _decode(task, replace(options, speculate=drafts), logits)
        seconds[drafts].append(spent)
    plain, drafted = answers[False].decoded, answers[True].decoded
    return SpeculationCase(
        **asdict(hole),
        same=plain.text == drafted.text and plain.tokens == drafted.tokens,
        tokens=len(plain.tokens),
        match=_longest_match(task, plain.tokens),
        drafted=drafted.drafted,
        accepted=drafted.accepted,
        plain_ms=round(min(seconds[False]) * 1e3, 2),
        drafted_ms=round(min(seconds[True]) * 1e3, 2),
    )


def _decode(task: Task, options: CompletionOptions, logits: Logits) -> tuple[Answer, float]:
    again = replace(task, options=options, prefilled=time.perf_counter())
    assert again.rules and again.place
    started = time.process_time()
    (answer,) = decode_answers(again, logits)
    return answer, time.process_time() - started


def _longest_match(task: Task, tokens: Sequence[int]) -> int:
    """Longest run that ends the prompt with a part of the answer and goes on in a source."""
    sources = draft_sources(task)
    written = [*task.prompt.prefix_tokens[-MATCH_TOKENS_MAX:], *tokens]
    first = len(written) - len(tokens)
    ends = range(first, len(written))
    return max(
        (index.longest_match(written[:end])[0] for _, index in sources for end in ends), default=0
    )


def _ratio(cases: Sequence[SpeculationCase]) -> float:
    drafted = sum(case.drafted_ms for case in cases)
    return round(sum(case.plain_ms for case in cases) / drafted, 3) if drafted else 0.0
