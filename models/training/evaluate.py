"""Mined tasks from the test packages, answered by a GGUF: exact match and similarity; it executes nothing.

A task is kept as package, version, path, offsets and a hash, never as the package's text.
"""

from __future__ import annotations

import csv
import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np

from assist.analysis.document import Document, Span
from assist.analysis.holes import find_holes
from assist.analysis.syntax import parse
from assist.models.kv_session import KvSession
from assist.models.llama import LlamaModel, LlamaOptions, load_model
from assist.models.training.corpus import SourceFile
from assist.models.training.examples import END, PREFIX, SUFFIX

KINDS = ("line", "rest", "arguments", "block")
ANSWER_TOKENS_MAX = 96
SOLUTION_CODE_POINTS = (3, 200)
PREFIX_CODE_POINTS_MAX = 1600
SUFFIX_CODE_POINTS_MAX = 700
FORMATS = ("fim", "prefix", "fim without suffix")


@dataclass(frozen=True)
class MinedTask:
    """A hole of ``kind`` at ``[start, end)`` of a file, seen through ``[low, high)``."""

    package: str
    version: str
    path: str
    sha256: str
    kind: str
    start: int
    end: int
    low: int
    high: int


@dataclass(frozen=True)
class MinedCase:
    """How a model in a prompt format did; ``end`` is ``token``, ``line`` or ``limit``."""

    model: str
    format: str
    package: str
    path: str
    kind: str
    start: int
    prefix_code_points: int
    suffix_code_points: int
    exact: bool
    similarity: float
    end: str
    tokens: int


def mine(files: Sequence[SourceFile], per_kind: int, seed: int) -> list[MinedTask]:
    """``per_kind`` tasks of every kind, spread over the packages of ``files``."""
    chance = random.Random(seed)
    found: dict[tuple[str, str], list[MinedTask]] = defaultdict(list)
    for file in files:
        for kind, span in candidates(file.text):
            low, high = SOLUTION_CODE_POINTS
            if low <= span.length <= high:
                found[kind, file.package].append(task(file, kind, span, chance))
    tasks = []
    packages = sorted({package for _, package in found})
    for kind in KINDS:
        for number in range(per_kind):
            pool = found[kind, packages[number % len(packages)]]
            if pool:
                tasks.append(pool.pop(chance.randrange(len(pool))))
    return tasks


def candidates(text: str) -> Iterator[tuple[str, Span]]:
    """Holes with the cursor where an editor has it: after the indentation, inside brackets."""
    syntax = parse(Document("", text))
    holes = find_holes(syntax)
    for function in holes.functions:
        at = text.rfind("\n", 0, function.body.start) + 1
        while at < function.body.end:
            stop = text.find("\n", at)
            stop = len(text) if stop < 0 else stop
            line = text[at:stop]
            start = stop - len(line.lstrip())
            if line.strip() and not line.lstrip().startswith("#") and stop - start > 4:
                yield "line", Span(start, stop)
                yield "rest", Span(start + (stop - start) // 2, stop)
            at = stop + 1
    for hole in holes.spans:
        if hole.kind == "arguments" and "\n" not in text[hole.span.start : hole.span.end]:
            yield "arguments", hole.span
        elif hole.kind == "statement" and "\n" in text[hole.span.start : hole.span.end]:
            yield "block", hole.span


def task(file: SourceFile, kind: str, span: Span, chance: random.Random) -> MinedTask:
    """The task with its window cut at lines; sizes vary so that results can be read by length."""
    text = file.text
    budget = int(PREFIX_CODE_POINTS_MAX * chance.uniform(0.1, 1))
    low = text.rfind("\n", 0, max(0, span.start - budget)) + 1
    budget = int(SUFFIX_CODE_POINTS_MAX * chance.uniform(0, 1))
    high = max(text.rfind("\n", span.end, span.end + budget) + 1, span.end)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return MinedTask(
        file.package, file.version, file.path, digest, kind, span.start, span.end, low, high
    )


def evaluate(
    model_path: Path, files: Sequence[SourceFile], tasks: Sequence[MinedTask], format: str
) -> Iterator[MinedCase]:
    """Greedy answers; tasks whose file has another text than when they were mined are left out."""
    texts = {(file.package, file.path): file.text for file in files}
    model = load_model(model_path, LlamaOptions(context_tokens=2048))
    session = KvSession(model)
    for mined in tasks:
        text = texts.get((mined.package, mined.path), "")
        if hashlib.sha256(text.encode()).hexdigest()[:16] != mined.sha256:
            continue
        prefix, suffix = text[mined.low : mined.start], text[mined.end : mined.high]
        solution = text[mined.start : mined.end]
        prompt, heal = prompt_tokens(model, prefix, suffix, format)
        # A whole line ends at its end in every format, as the engine stops there.
        answer, end, count = decode(session, prompt, heal, one_line=mined.kind != "block")
        exact, similarity = judge(answer, solution, suffix, format)
        yield MinedCase(
            model_path.stem,
            format,
            mined.package,
            mined.path,
            mined.kind,
            mined.start,
            len(prefix),
            len(suffix),
            exact,
            similarity,
            end,
            count,
        )
    model.close()


def prompt_tokens(
    model: LlamaModel, prefix: str, suffix: str, format: str
) -> tuple[list[int], bytes]:
    """The prompt without the last token of the prefix, and the bytes of that token.

    The answer must begin with them ("token healing"): the text behind the cursor belongs to the
    same token as often as not.
    """
    tokens = model.tokenize(prefix)
    heal = model.vocabulary.pieces[tokens.pop()] if tokens else b""
    if format == "prefix":
        return tokens or [END], heal
    suffix_tokens = model.tokenize(suffix) if format == "fim" else []
    return [SUFFIX, *suffix_tokens, PREFIX, *tokens], heal


def decode(
    session: KvSession, prompt: list[int], heal: bytes, *, one_line: bool
) -> tuple[str, str, int]:
    """Greedy text after ``heal``, what ended it, and how many tokens it took."""
    session.reset()
    vocabulary = session.model.vocabulary
    row = session.prefill(prompt).logits[-1]
    data = b""
    for count in range(ANSWER_TOKENS_MAX):
        forced = heal[len(data) :]
        if forced:
            row = np.where([compatible(piece, forced) for piece in vocabulary.pieces], row, -np.inf)
        token = int(row.argmax())
        answer = data[len(heal) :]
        if token in vocabulary.special:
            return answer.decode("utf-8", "replace"), "token", count
        data += vocabulary.pieces[token]
        answer = data[len(heal) :]
        if one_line and b"\n" in answer:
            return answer.split(b"\n")[0].decode("utf-8", "replace"), "line", count + 1
        row = session.extend([token])[-1]
    return data[len(heal) :].decode("utf-8", "replace"), "limit", ANSWER_TOKENS_MAX


def compatible(piece: bytes, forced: bytes) -> bool:
    return bool(piece) and (forced.startswith(piece) or piece.startswith(forced))


def judge(answer: str, solution: str, suffix: str, format: str) -> tuple[bool, float]:
    """A prefix-only answer cannot know where to end: it is right if it goes on into the suffix.

    One that saw the suffix may repeat its beginning, which the engine cuts off, and nothing else.
    """
    if format == "fim":
        wanted, shown = solution.rstrip(), answer.rstrip()
        repeated = shown[len(wanted) :]
        if shown.startswith(wanted) and suffix.startswith(repeated):
            answer = answer[: len(wanted)]
        exact = answer.rstrip() == wanted
    else:
        wanted = solution + suffix[:1].strip()
        exact = answer.startswith(wanted)
        answer = answer[: len(solution)]
    return exact, round(SequenceMatcher(None, answer, solution, autojunk=False).ratio(), 4)


def summary(cases: Iterable[MinedCase]) -> dict[str, dict[str, float]]:
    """Tasks, exact share, mean similarity and share that ended: in all, by kind and by lengths."""
    groups: dict[str, list[MinedCase]] = defaultdict(list)
    for case in cases:
        groups["all"].append(case)
        groups[case.kind].append(case)
        groups[f"prefix {length_class(case.prefix_code_points, 300, 900)}"].append(case)
        groups[f"suffix {length_class(case.suffix_code_points, 100, 350)}"].append(case)
    return {
        kind: {
            "tasks": len(group),
            "exact": round(sum(case.exact for case in group) / len(group), 4),
            "similarity": round(sum(case.similarity for case in group) / len(group), 4),
            "ended": round(sum(case.end != "limit" for case in group) / len(group), 4),
        }
        for kind, group in groups.items()
    }


def length_class(code_points: int, low: int, high: int) -> str:
    if code_points < low:
        return f"below {low}"
    return f"{low} to {high}" if code_points < high else f"{high} and more"


def write_rows(path: Path, rows: Sequence[MinedTask] | Sequence[MinedCase]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(asdict(rows[0]))
        writer.writerows(astuple(row) for row in rows)


def read_tasks(path: Path) -> list[MinedTask]:
    numbers = {field.name for field in fields(MinedTask) if field.type == "int"}
    with path.open(encoding="utf-8", newline="") as file:
        return [
            MinedTask(**{k: int(v) if k in numbers else v for k, v in row.items()})  # type: ignore[arg-type]
            for row in csv.DictReader(file)
        ]
