"""Holes in the code of installed packages, drawn by a seed and kept as places, never as text; it runs no model."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Literal

Kind = Literal["line", "rest", "word", "block", "body"]

FILE_CODE_POINTS_MIN, FILE_CODE_POINTS_MAX = 1_500, 80_000
# Neighbouring holes share most of their context, so that a model reads it once.
HOLES_PER_STRETCH = 6
STRETCH_LINES = 40
LINE_CODE_POINTS_MIN = 8
BLOCK_LINES_MAX, BODY_LINES_MAX = 12, 24
WEIGHTS: dict[Kind, float] = {"line": 0.36, "rest": 0.3, "word": 0.2, "block": 0.1, "body": 0.04}

_REST = re.compile(r"(?<=[\w)\]][.(\[])|(?<=[=(,:] )|(?<=\breturn )")
_WORD = re.compile(r"\b[^\W\d]\w{2,}")


@dataclass(frozen=True)
class Hole:
    """The span ``start`` to ``end`` of a file is missing; the cursor stands there.

    ``sha256`` is that of the missing text, so that another version of the package is noticed.
    """

    package: str
    version: str
    path: str
    kind: Kind
    start: int
    end: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """One file of a package."""

    package: str
    version: str
    path: str
    text: str


def read_sources(packages: Sequence[str]) -> list[Source]:
    """Python files of installed packages, without tests; packages that are not installed have none."""
    return [source for package in packages for source in _sources(package)]


def package_path(source: Source) -> Path:
    """Where a source is installed."""
    return Path(str(importlib.metadata.distribution(source.package).locate_file(source.path)))


def package_folders(source: Source) -> list[Path]:
    """The top-level folder of a source's package; none for a module that stands alone."""
    depth = len(Path(source.path).parts) - 2
    return [package_path(source).parents[depth]] if depth >= 0 else []


def mine_holes(
    sources: Sequence[Source], limit: int, seed: int, weights: Mapping[Kind, float] = WEIGHTS
) -> Iterator[tuple[Source, Hole]]:
    """``limit`` holes, the same for the same sources and seed; stretches of one file together.

    ``weights`` are the shares of the kinds; a line takes the place of a block that is not there.
    """
    chance = random.Random(seed)
    count = 0
    while count < limit:
        before = count
        for source in _in_turn(sources, chance):
            for hole in _stretch(source, chance, weights):
                if count >= limit:
                    return
                count += 1
                yield source, hole
        if count == before:
            return


def _in_turn(sources: Sequence[Source], chance: random.Random) -> Iterator[Source]:
    """Every source once, shuffled, one of each package in turn, so that no package outweighs others."""
    by_package: dict[str, list[Source]] = {}
    for source in sources:
        by_package.setdefault(source.package, []).append(source)
    for group in by_package.values():
        chance.shuffle(group)
    for sources in zip_longest(*by_package.values()):
        yield from (source for source in sources if source)


def _sources(package: str) -> Iterator[Source]:
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return
    for file in sorted(distribution.files or (), key=str):
        if file.suffix != ".py" or "test" in str(file):
            continue
        try:
            text = Path(str(file.locate())).read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
        if FILE_CODE_POINTS_MIN <= len(text) <= FILE_CODE_POINTS_MAX and "\r" not in text:
            yield Source(package, distribution.version, str(file), text)


def _stretch(source: Source, chance: random.Random, weights: Mapping[Kind, float]) -> list[Hole]:
    """Holes near each other, in the order of the file."""
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError):
        return []
    starts = [0]
    for line in source.text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    first = chance.randrange(max(len(starts) - STRETCH_LINES, 1))
    strings = _string_lines(tree)
    numbers = [
        number
        for number in range(first, min(first + STRETCH_LINES, len(starts) - 1))
        if _is_code(source.text[starts[number] : starts[number + 1] - 1])
        and (number + 1 not in strings or chance.random() < 0.1)
    ]
    drawn = sorted(chance.sample(numbers, min(len(numbers), HOLES_PER_STRETCH)))
    blocks = _blocks(tree)
    holes = []
    for number in drawn:
        kind = chance.choices(list(weights), list(weights.values()))[0]
        if kind in ("block", "body") and (kind, number + 1) not in blocks:
            kind = "line"
        span = _span(source.text, starts, number, kind, blocks, chance)
        if span and source.text[span[0] : span[1]].strip():
            text = source.text[span[0] : span[1]]
            digest = hashlib.sha256(text.encode()).hexdigest()
            holes.append(Hole(source.package, source.version, source.path, kind, *span, digest))
    return holes


def _span(
    text: str,
    starts: list[int],
    number: int,
    kind: Kind,
    blocks: Mapping[tuple[Kind, int], int],
    chance: random.Random,
) -> tuple[int, int] | None:
    start, end = starts[number], starts[number + 1] - 1
    line = text[start:end]
    indent = len(line) - len(line.lstrip())
    if kind == "line":
        return start + indent, end
    if kind == "rest":
        places = [match.start() for match in _REST.finditer(line) if match.start() > indent]
        return (start + chance.choice(places), end) if places else None
    if kind == "word":
        words = [m for m in _WORD.finditer(line) if m.start() >= indent]
        if not words:
            return None
        word = chance.choice(words)
        return start + chance.randrange(word.start() + 1, word.end()), end
    last = blocks.get((kind, number + 1))
    return start + indent, starts[last] - 1 if last else end


def _blocks(tree: ast.AST) -> dict[tuple[Kind, int], int]:
    """Last line by kind and first line of statement lists of several lines; 1-based.

    A function's body begins behind its docstring.
    """
    found: dict[tuple[Kind, int], int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef):
            continue
        is_function = False
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if not isinstance(body, list) or not body or not isinstance(body[0], ast.stmt):
                continue
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                is_function = True
                if ast.get_docstring(node, clean=False) is not None:
                    body = body[1:] or body
            first, last = body[0].lineno, body[-1].end_lineno or body[-1].lineno
            if 0 < last - first <= (BODY_LINES_MAX if is_function else BLOCK_LINES_MAX):
                found["body" if is_function else "block", first] = last
    return found


def _string_lines(tree: ast.AST) -> set[int]:
    """Lines inside strings that span several."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            last = node.end_lineno or node.lineno
            if last > node.lineno:
                lines.update(range(node.lineno, last + 1))
    return lines


def _is_code(line: str) -> bool:
    content = line.strip()
    return len(content) >= LINE_CODE_POINTS_MIN and not content.startswith("#")
