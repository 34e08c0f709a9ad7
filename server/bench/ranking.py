"""`assist bench ranking`: completes holes in installed packages and judges the ranker by them, or writes what it is trained on; it trains nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from assist.analysis.document import Document
from assist.completion.answer import CompletionOptions
from assist.completion.engine import EngineSession, complete
from assist.completion.features import FEATURES, Features, describe
from assist.completion.ranker import Ranker, likelihood, load_ranker
from assist.models.kv_session import KvSession
from assist.models.open import open_model
from assist.server.bench.hole_command import collect, earlier_cases, hole_options, installed_sources
from assist.server.bench.mined import Hole, Source, mine_holes
from assist.server.bench.report import echo_summary, share

# Packages that neither the embedded model nor the ranker was trained on.
PACKAGES = ("arrow", "funcy", "geopy", "humanize", "structlog", "tenacity", "tomlkit")
# Packages with permissive licences whose holes the ranker is trained on; the embedded model's own
# training leaves them out.
TRAINING_PACKAGES = (
    *("anyio", "coverage", "cycler", "diskcache", "filelock", "fire", "fonttools", "gguf"),
    *("huggingface-hub", "iniconfig", "lsprotocol", "matplotlib", "mypy", "narwhals", "numpy"),
    *("onnx", "pygls", "pytest-asyncio", "pytest-lsp", "referencing", "scipy", "sqlite-utils"),
    *("termcolor", "truststore", "wheel"),
)
TOKENS_MAX = 48
CONTEXT_TOKENS = 384


@dataclass(frozen=True)
class RankingCase(Hole):
    """One answer: whether it was ``right``, its mean likelihood, the ranker's ``chance`` (-1: none).

    ``alone``: the document held nothing but the function around the hole, as a new file does.
    ``features`` are the values that the ranker sees, as ``name=value``.
    """

    alone: bool
    right: bool
    similar: float
    length: int
    likelihood: float
    chance: float
    features: str


@click.command("ranking")
@hole_options(limit=300)
@click.option("--training", is_flag=True, help="Draw what the ranker is trained on, with features.")
def command(
    model: str,
    packages: tuple[str, ...],
    limit: int,
    seed: int,
    csv_path: Path | None,
    resume: bool,
    training: bool,
    as_json: bool,
) -> None:
    """Judge the ranker: what it hides of wrong and of right answers at each threshold."""
    sources = installed_sources(packages or (TRAINING_PACKAGES if training else PACKAGES))
    cases = earlier_cases(csv_path, resume, RankingCase)
    done = {(case.path, case.start, case.end) for case in cases}
    holes = list(mine_holes(sources, limit, seed))
    # Holes without an answer leave no case, so what comes before the last case is done too.
    places = [(hole.path, hole.start, hole.end) in done for _, hole in holes]
    holes = holes[len(places) - places[::-1].index(True) if True in places else 0 :]
    opened = open_model(model)
    session = EngineSession(KvSession(opened.model), opened.template)
    new = run_holes(session, holes, load_ranker(), training)
    collect(cases, new, csv_path, len(holes), "completing")
    summary = {"model": opened.model.name, **summarise(cases, load_ranker())}
    echo_summary(summary, as_json=as_json)


def run_holes(
    session: EngineSession,
    holes: Sequence[tuple[Source, Hole]],
    ranker: Ranker | None,
    with_features: bool,
) -> Iterator[RankingCase]:
    """Complete every hole; holes without an answer are left out."""
    options = CompletionOptions(
        tokens_max=TOKENS_MAX, context_tokens_max=CONTEXT_TOKENS, rank=False, speculate=False
    )
    for number, (source, hole) in enumerate(holes):
        lonely = function_alone(source.text, hole.start, hole.end) if number % 2 else None
        text, start, end = lonely or (source.text, hole.start, hole.end)
        document = Document(f"file:///{hole.path}", text[:start] + text[end:])
        completion = complete(session, document, document.position_at(start), options)
        task, answer = completion.task, completion.answers[0]
        if task is None or not answer.text:
            continue
        values = describe(task, answer)
        chance = ranker.chances(task, [answer])[0] if ranker else -1.0
        yield RankingCase(
            **asdict(hole),
            alone=lonely is not None,
            right=is_right(answer.text, text[start:], text[start:end]),
            similar=_similarity(answer.text, text[start:end]),
            length=len(answer.text),
            likelihood=round(likelihood(answer), 4),
            chance=round(chance, 4),
            features=_written(values) if with_features else "",
        )


def function_alone(text: str, start: int, end: int) -> tuple[str, int, int] | None:
    """The outermost function around a span as a text of its own, and the span in it; none without one.

    The function of a class stands at its indentation in the text no more.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    first, last = text.count("\n", 0, start) + 1, text.count("\n", 0, max(end - 1, start)) + 1
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        top = min([node.lineno, *(one.lineno for one in node.decorator_list)])
        if top <= first and last <= (node.end_lineno or 0):
            lines = text.split("\n")[top - 1 : node.end_lineno]
            indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
            if any(line.strip() and not line.startswith(indent) for line in lines):
                return None
            offset = sum(len(line) + 1 for line in text.split("\n")[: top - 1])
            removed = [len(indent) if line.strip() else 0 for line in lines]
            own = [line[count:] for line, count in zip(lines, removed, strict=True)]
            start -= offset + sum(removed[: first - top + 1])
            end -= offset + sum(removed[: last - top + 1])
            return "\n".join(own) + "\n", start, end
    return None


def is_right(answer: str, following: str, missing: str) -> bool:
    """Whether ``answer`` is what was written: all of the missing text, or whole lines of it.

    A proposal that ends in the middle of a line is wrong even where it agrees so far, unless it
    is all that was missing.
    """
    text = answer.rstrip()
    if not following.startswith(text):
        return False
    rest = following[len(text) :].partition("\n")[0]
    return not rest.strip() or len(text) >= len(missing.rstrip())


def summarise(cases: Sequence[RankingCase], ranker: Ranker | None) -> dict[str, Any]:
    """Share of right answers, and for each threshold what is shown and hidden."""
    right = [case for case in cases if case.right]
    figures: dict[str, Any] = {
        "answers": len(cases),
        "right": share(len(right), len(cases)),
        "features": len(FEATURES),
        **_kept(cases, ranker),
    }
    lonely = [case for case in cases if case.alone]
    figures |= {f"function alone, {name}": value for name, value in _kept(lonely, ranker).items()}
    return figures


def _kept(cases: Sequence[RankingCase], ranker: Ranker | None) -> dict[str, Any]:
    right = [case for case in cases if case.right]
    wrong = [case for case in cases if not case.right]
    figures: dict[str, Any] = {}
    for name, least in (ranker.thresholds if ranker else {}).items():
        shown = [case for case in cases if case.chance >= least]
        figures[f"{name}: right kept"] = share(sum(c.right for c in shown), len(right))
        figures[f"{name}: wrong hidden"] = share(
            len(wrong) - sum(not c.right for c in shown), len(wrong)
        )
        figures[f"{name}: precision"] = share(sum(c.right for c in shown), len(shown))
    return figures


def _written(values: Features) -> str:
    return " ".join(f"{name}={value:.5g}" for name, value in zip(FEATURES, values, strict=True))


def _similarity(answer: str, missing: str) -> float:
    from difflib import SequenceMatcher

    return round(SequenceMatcher(None, answer.strip(), missing.strip()).ratio(), 3)
