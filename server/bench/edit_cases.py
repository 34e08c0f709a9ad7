"""Real Python files of installed packages and seeded edits on them, the way people edit; it runs no model."""

from __future__ import annotations

import keyword
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Literal, get_args

EditKind = Literal[
    "type character",
    "type line",
    "newline",
    "delete block",
    "insert above",
    "paste",
    "rename",
    "jump",
]
KINDS: tuple[EditKind, ...] = get_args(EditKind)

# Packages whose sources are edited: ours depend on them, so they are always there.
PACKAGES = ("click", "jedi", "parso", "libcst", "pygls", "rich", "hypothesis", "platformdirs")
CHARACTERS_MIN = 3_500
CHARACTERS_MAX = 14_000
LINES_MIN = 40
RENAMES_MIN = 2
RENAMES_MAX = 8
OTHER_FILE_SHARE = 0.5
# Edits above the cursor are at most this far away; further ones are mostly outside the prompt,
# where they cost nothing.
ABOVE_LINES_MAX = 60
# Files that were seen before and are jumped back to.
VISITED_MAX = 4
# Edits in one file before the session goes on in another one.
EDITS_PER_FILE = 8

_NAME = re.compile(r"\b[A-Za-z_][A-Za-z0-9_]{2,}\b")


@dataclass(frozen=True)
class View:
    """A text with the cursor at ``offset``, shown under ``name``."""

    name: str
    text: str
    offset: int


@dataclass(frozen=True)
class EditCase:
    """One edit: what was seen before and after it."""

    number: int
    kind: EditKind
    before: View
    after: View


def source_files(
    characters_min: int = CHARACTERS_MIN, characters_max: int = CHARACTERS_MAX
) -> list[tuple[str, str]]:
    """(name, text) of Python files of fitting size in the installed packages, sorted by name."""
    found = []
    for package in PACKAGES:
        try:
            paths = files(package) or []
        except PackageNotFoundError:
            continue
        for path in paths:
            if path.suffix == ".py" and "test" not in str(path):
                text = _read(Path(str(path.locate())))
                fits = characters_min <= len(text) <= characters_max
                if fits and text.count("\n") >= LINES_MIN:
                    found.append((str(path), text))
    return sorted(found)


def edit_cases(
    sources: Sequence[tuple[str, str]], *, seed: int, limit: int, kinds: Sequence[EditKind] = KINDS
) -> Iterator[EditCase]:
    """``limit`` edits, every kind as often as the others, each on the text the last one left.

    The same seed and sources give the same cases. A file is edited a few times, then another.
    """
    random_ = random.Random(seed)
    view = _opened(random_, sources)
    visited: dict[str, View] = {}
    deck: list[EditKind] = []
    for number in range(limit):
        if number and number % EDITS_PER_FILE == 0:
            visited[view.name] = view
            view = _opened(random_, sources)
            view = visited.pop(view.name, view)
            while len(visited) > VISITED_MAX:
                del visited[next(iter(visited))]
        if not deck:
            deck = list(kinds)
            random_.shuffle(deck)
        kind = deck.pop()
        if kind == "jump" and visited and random_.random() < OTHER_FILE_SHARE:
            after = visited.pop(random_.choice(sorted(visited)))
            visited[view.name] = view
        else:
            after = apply_edit(kind, view, sources, random_)
        yield EditCase(number, kind, view, after)
        view = after


def apply_edit(
    kind: EditKind, view: View, sources: Sequence[tuple[str, str]], random_: random.Random
) -> View:
    """The view after one edit of ``kind``; what is inserted comes from another place in the sources.

    A jump goes to another place of the same text.
    """
    text, offset = view.text, view.offset
    if kind == "type character":
        line = _lines(random_, sources, 1).strip() or "x"
        return _inserted(view, offset, line[0])
    if kind == "type line":
        return _inserted(view, offset, _lines(random_, sources, 1).strip())
    if kind == "newline":
        return _inserted(view, offset, "\n" + _indentation(text, offset))
    if kind == "paste":
        return _inserted(view, offset, _lines(random_, sources, random_.randint(8, 25)))
    if kind == "insert above":
        start = _line_above(random_, text, offset)
        block = _lines(random_, sources, random_.randint(1, 8))
        return View(view.name, text[:start] + block + text[start:], offset + len(block))
    if kind == "delete block":
        start = _line_above(random_, text, offset)
        end = min(_after_lines(text, start, random_.randint(1, 8)), _line_start(text, offset))
        return View(view.name, text[:start] + text[end:], offset - max(0, end - start))
    if kind == "rename":
        return _renamed(view, random_)
    return View(view.name, text, _place(random_, text))


def _inserted(view: View, offset: int, new: str) -> View:
    text = view.text[:offset] + new + view.text[offset:]
    return View(view.name, text, offset + len(new))


def _renamed(view: View, random_: random.Random) -> View:
    """Rename a name that occurs a few times above the cursor, wherever it occurs."""
    counts: dict[str, int] = {}
    start = _starts_above(view.text, view.offset)[0]
    for match in _NAME.finditer(view.text, start, view.offset):
        counts[match.group()] = counts.get(match.group(), 0) + 1
    names = [
        name
        for name, count in counts.items()
        if RENAMES_MIN <= count <= RENAMES_MAX and not keyword.iskeyword(name)
    ]
    if not names:
        return _inserted(view, view.offset, "x")
    old = random_.choice(sorted(names))
    pattern = re.compile(rf"\b{old}\b")
    new = f"{old}_{random_.choice(['new', 'value', 'item', '2'])}"
    head = pattern.sub(new, view.text[: view.offset])
    return View(view.name, head + pattern.sub(new, view.text[view.offset :]), len(head))


def _opened(random_: random.Random, sources: Sequence[tuple[str, str]]) -> View:
    name, text = random_.choice(sources)
    return View(name, text, _place(random_, text))


def _place(random_: random.Random, text: str) -> int:
    """The end of a line's code, in the middle of it, or an empty line; not near the file's edges."""
    lines = text.split("\n")
    number = random_.randrange(len(lines) // 4, max(len(lines) * 9 // 10, len(lines) // 4 + 1))
    start = sum(len(line) + 1 for line in lines[:number])
    line = lines[number]
    indent = len(line) - len(line.lstrip())
    return start + random_.choice([len(line), random_.randint(indent, max(indent, len(line)))])


def _lines(random_: random.Random, sources: Sequence[tuple[str, str]], count: int) -> str:
    lines = random_.choice(sources)[1].split("\n")
    start = random_.randrange(len(lines) // 4, max(len(lines) - count, len(lines) // 4 + 1))
    while start + 1 < len(lines) and not lines[start].strip():
        start += 1
    return "\n".join(lines[start : start + count]) + "\n"


def _line_above(random_: random.Random, text: str, offset: int) -> int:
    """Start of one of the lines above the cursor's."""
    return random_.choice(_starts_above(text, offset))


def _starts_above(text: str, offset: int) -> list[int]:
    """Starts of the ABOVE_LINES_MAX lines above the cursor's, the furthest first."""
    end = _line_start(text, offset)
    starts = [0] + [match.end() for match in re.finditer("\n", text[:end])]
    return starts[-ABOVE_LINES_MAX - 1 : -1] or [0]


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def _after_lines(text: str, start: int, count: int) -> int:
    for _ in range(count):
        start = text.find("\n", start) + 1 or len(text)
    return start


def _indentation(text: str, offset: int) -> str:
    line = text[_line_start(text, offset) : offset]
    indent = line[: len(line) - len(line.lstrip())]
    return indent + "    " if line.rstrip().endswith(":") else indent


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
