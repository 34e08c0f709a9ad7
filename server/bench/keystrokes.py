"""Plans how a person would write a function: which keys, and when; it talks to no server."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase

from assist.analysis.document import Span

# Packages that come with the program itself, so that every machine has the same text to write.
PACKAGES = ("click", "huggingface-hub", "platformdirs", "pygls", "rich", "sqlite-utils", "watchdog")
LENGTH_MIN, LENGTH_MAX = 200, 900
FILE_CODE_POINTS_MAX = 60_000

# Seconds between two keys of a practised writer (about 55 words a minute in a burst), the time
# to think before a line, and how often a key is wrong and taken back.
KEY_S, KEY_SPREAD_S, KEY_S_MIN = 0.17, 0.06, 0.06
WORD_PAUSE_S = 0.12
LINE_PAUSE_S, LINE_PAUSE_SPREAD_S = 0.9, 0.5
MISTAKE_CHANCE = 0.015
MISTAKE_PAUSE_S = 0.35


@dataclass(frozen=True)
class TypingTask:
    """A function to write: the file without its body, and the body. Only offsets are stored."""

    package: str
    version: str
    path: str
    name: str
    span: Span
    sha256: str
    before: str
    body: str
    after: str


@dataclass(frozen=True)
class Key:
    """One change by the user, ``wait_s`` after the one before: delete so many, then insert."""

    wait_s: float
    delete: int
    insert: str


def mine_tasks(limit: int, seed: int, packages: Sequence[str] = PACKAGES) -> list[TypingTask]:
    """``limit`` functions of installed packages, drawn by ``seed``, spread over the packages."""
    chance = random.Random(seed)
    tasks: list[TypingTask] = []
    by_package = [list(_functions(package)) for package in packages]
    for functions in by_package:
        chance.shuffle(functions)
    while len(tasks) < limit and any(by_package):
        for functions in by_package:
            if functions and len(tasks) < limit:
                tasks.append(functions.pop())
    return tasks


def plan_keys(body: str, start: int, chance: random.Random) -> Iterator[Key]:
    """Keys that write ``body`` from ``start`` on; Enter also brings the indentation, as editors do."""
    at = start
    while at < len(body):
        text, last = body[at], body[at - 1 : at]
        wait = max(KEY_S_MIN, chance.gauss(KEY_S, KEY_SPREAD_S))
        if text == "\n":
            text = body[at : len(body) - len(body[at:].lstrip(" \n"))]
        elif at > start and last in " \n":
            wait += WORD_PAUSE_S
        if last == "\n" or (last == " " and not body[:at].rpartition("\n")[2].strip()):
            wait += max(0.0, chance.gauss(LINE_PAUSE_S, LINE_PAUSE_SPREAD_S))
        if text.isalpha() and chance.random() < MISTAKE_CHANCE:
            yield Key(wait, 0, chance.choice(ascii_lowercase))
            yield Key(MISTAKE_PAUSE_S, 1, "")
        yield Key(wait, 0, text)
        at += len(text)


def _functions(package: str) -> Iterator[TypingTask]:
    distribution = importlib.metadata.distribution(package)
    for file in sorted(distribution.files or (), key=str):
        if file.suffix != ".py" or "test" in file.name:
            continue
        path = Path(str(file.locate()))
        try:
            text = path.read_text(encoding="utf-8")
            tree = ast.parse(text)
        except (OSError, ValueError, SyntaxError):
            continue
        if len(text) > FILE_CODE_POINTS_MAX or not text.isascii():
            continue
        starts = [0]
        for line in text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                span = _body(text, starts, node)
                if LENGTH_MIN <= span.length <= LENGTH_MAX:
                    body = text[span.start : span.end]
                    yield TypingTask(
                        package,
                        distribution.version,
                        str(file),
                        node.name,
                        span,
                        hashlib.sha256(body.encode()).hexdigest(),
                        text[: span.start],
                        body,
                        text[span.end :],
                    )


def _body(text: str, starts: list[int], node: ast.FunctionDef | ast.AsyncFunctionDef) -> Span:
    """The statements after the docstring, from their first code point to the end."""
    body = node.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    if not body:
        return Span(0, 0)
    last = body[-1]
    start = starts[body[0].lineno - 1] + body[0].col_offset
    end = starts[(last.end_lineno or 1) - 1] + (last.end_col_offset or 0)
    return Span(start, end)
