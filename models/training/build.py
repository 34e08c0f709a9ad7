"""Builds the files of examples that training reads, from the plan alone; it never trains."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from assist.analysis.document import Document
from assist.analysis.holes import Holes, find_holes
from assist.analysis.syntax import parse
from assist.models.training import corpus
from assist.models.training.examples import Example, Mix, Tokenize, make_example

FILE_WEIGHT_MAX = 14
COLUMNS = tuple(column.name for column in fields(Example))


@dataclass(frozen=True)
class Phase:
    """A file of examples: which split, how many, and their mix."""

    name: str
    split: str
    examples: int
    mix: Mix


LONG = Mix(
    prefix_characters=(500, 2800),
    suffix_characters=(0, 1400),
    tokens_max=1024,
    function_window=0.15,
    documented=0.4,
    plain=0.04,
    context=0.4,
    context_characters_max=600,
)
PHASES = (
    Phase("validation", "validation", 400, Mix(plain=0.0, no_suffix=0.0)),
    Phase("short", "train", 14_000, Mix()),
    Phase("long", "train", 2_000, LONG),
)


def build(folder: Path, model: Path, seed: int, phases: tuple[Phase, ...] = PHASES) -> None:
    """Write ``<phase>.npz`` for every phase, and ``packages.json``; what exists is kept."""
    content = corpus.plan()
    names = [name for split in corpus.SPLITS for name in content[split]["packages"]]
    missing = corpus.download(names, folder / "wheels")
    files, packages = corpus.read_corpus(folder / "wheels", seed)
    report = {"missing": missing, "packages": [asdict(package) for package in packages]}
    (folder / "packages.json").write_text(json.dumps(report, indent=1), "utf-8")
    benchmark = corpus.benchmark_ngrams()
    tokenize = tokenizer(model)
    for phase in phases:
        path = folder / f"{phase.name}.npz"
        if not path.exists():
            mine = [file for file in files if file.split == phase.split]
            save(path, list(examples(mine, phase, tokenize, benchmark, seed)))


def examples(
    files: list[corpus.SourceFile],
    phase: Phase,
    tokenize: Tokenize,
    benchmark: set[str],
    seed: int,
) -> Iterator[Example]:
    """Examples of a phase, file by file in an order drawn by the seed."""
    chance = random.Random(f"{seed} {phase.name}")
    parsed = [(file, parse(Document(file.path, file.text))) for file in files]
    parsed_holes = [(file, syntax, find_holes(syntax)) for file, syntax in parsed]
    chance.shuffle(parsed_holes)
    share = phase.examples / max(1, sum(weight_of(holes) for _, _, holes in parsed_holes))
    for file, syntax, holes in parsed_holes:
        wanted = share * weight_of(holes)
        for _ in range(int(wanted) + (chance.random() < wanted % 1)):
            made = make_example(syntax, holes, phase.mix, tokenize, chance)
            if made is None:
                continue
            example, _, window = made
            if not corpus.ngrams(file.text[window.start : window.end]) & benchmark:
                yield example


def weight_of(holes: Holes) -> int:
    """How often a file is drawn from: by its documented functions, none without functions."""
    documented = sum(function.documented for function in holes.functions)
    return min(FILE_WEIGHT_MAX, 1 + documented) if holes.functions else 0


def save(path: Path, made: list[Example]) -> None:
    """All examples end to end, with ``ends``; renamed into place when whole."""
    columns = {name: np.concatenate([getattr(e, name) for e in made]) for name in COLUMNS}
    partial = path.with_suffix(".partial.npz")
    ends = np.cumsum([len(example.tokens) for example in made])
    np.savez(partial, allow_pickle=False, ends=ends, **columns)
    partial.rename(path)


def load(path: Path) -> list[Example]:
    with np.load(path) as content:
        columns = {name: content[name] for name in COLUMNS}
        ends = content["ends"]
    starts = [0, *ends[:-1]]
    return [
        Example(*(columns[name][a:b] for name in COLUMNS))
        for a, b in zip(starts, ends, strict=True)
    ]


def tokenizer(model: Path) -> Tokenize:
    """Text to tokens by llama.cpp, markers in the text stay text."""
    import llama_cpp

    llama = llama_cpp.Llama(str(model), vocab_only=True, verbose=False)
    return lambda text: llama.tokenize(text.encode("utf-8", "replace"), False, False)
