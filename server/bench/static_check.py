"""Which names and attributes of changed files do not exist, by a type checker that shares nothing with the monitors; it runs no code of the files."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

CHECK_SECONDS_MAX = 1_800
_ERROR = re.compile(
    r"^(?P<path>[^:\n]+):(?P<line>\d+):(?P<column>\d+): error: (?P<message>.*?) +\[(?P<code>[a-z-]+)\]$",
    re.MULTILINE,
)
_MISSING_ATTRIBUTE = re.compile(r'has no attribute "(\w+)"')
_MISSING_NAME = re.compile(r'^Name "(\w+)" is not defined')
_MISSING_KEYWORD = re.compile(r'^Unexpected keyword argument "(\w+)"')


@dataclass(frozen=True)
class Missing:
    """A name that does not exist: ``line`` and ``column`` count from 1, ``what`` is attribute, name
    or keyword."""

    line: int
    column: int
    what: str
    name: str


def is_available() -> bool:
    """Whether the type checker is installed (it comes with the extra ``test``)."""
    return find_spec("mypy") is not None


def find_missing(texts: Mapping[str, str], work: Path) -> dict[str, list[Missing]]:
    """What is missing in every file of ``texts`` (path to text), written to an empty ``work``.

    Types come from the files themselves and from the standard library; of other modules nothing
    is known, so that nothing is called missing that merely was not read. Files that the checker
    gives up on are left out.
    """
    for path, text in texts.items():
        target = work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return _find(work, sorted(texts))


def _find(tree: Path, paths: list[str]) -> dict[str, list[Missing]]:
    output = _check(tree, paths)
    if output is None:
        # one file that stops the checker must not silence it for the others
        half = len(paths) // 2
        parts = (paths[:half], paths[half:]) if half else ()
        return {path: errors for part in parts for path, errors in _find(tree, part).items()}
    found: dict[str, list[Missing]] = {path: [] for path in paths}
    for match in _ERROR.finditer(output):
        missing = _missing(match)
        if missing is not None and match["path"] in found:
            found[match["path"]].append(missing)
    return found


def _check(tree: Path, paths: list[str]) -> str | None:
    """What the checker says; none where it gave up."""
    options = [
        "--check-untyped-defs",
        "--ignore-missing-imports",
        "--follow-imports=skip",
        "--explicit-package-bases",
        "--show-column-numbers",
        "--no-error-summary",
        "--hide-error-context",
        "--no-pretty",
        "--config-file=",
        f"--cache-dir={tree / '.cache'}",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *paths],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=CHECK_SECONDS_MAX,
        check=False,
    )
    return done.stdout if done.returncode in (0, 1) else None


def _missing(match: re.Match[str]) -> Missing | None:
    message = match["message"]
    what, found = "attribute", _MISSING_ATTRIBUTE.search(message)
    if message.startswith('Item "None" of'):
        return None
    if found is None:
        what, found = "name", _MISSING_NAME.search(message)
    if found is None:
        what, found = "keyword", _MISSING_KEYWORD.search(message)
    if found is None:
        return None
    return Missing(int(match["line"]), int(match["column"]), what, found[1])
