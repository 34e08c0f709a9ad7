"""The completion tests of jedi's source distribution as a score of the legal sets without a model: is every name that should be offered legal; it copies none of their text."""

from __future__ import annotations

import ast
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assist.analysis.document import Document
from assist.analysis.document_facts import FactsSource
from assist.analysis.environment import own_environment
from assist.analysis.monitors.session import session
from assist.analysis.monitors.slot import Role
from assist.analysis.scope import Scope
from assist.server.bench.report import share

# Their packages are not part of the distribution.
FILES_LEFT_OUT = frozenset({"django.py", "pytest.py", "thirdparty.py"})
NAMES_PER_TEST_MAX = 8
FILES_MAX = 200
# The sets are compared without hurry, so that time hides no wrong answer.
PATIENCE_SECONDS = 30.0
# A test is a comment over the line that it asks about: an optional column, and the names to offer.
_TEST = re.compile(r"\s*#\?\s+(?:(\d+)\s+)?(\[.*\])\s*$")
_WORD_END = re.compile(r"\w*$")


@dataclass(frozen=True)
class JediCase:
    """One test of jedi: of its ``names``, how many the monitors had a set for, and how many were not in it."""

    path: str
    line: int
    names: int
    closed: int
    wrong: int


@dataclass(frozen=True)
class _Test:
    line: int
    start: int
    end: int
    names: tuple[str, ...]


def measure_jedi(folder: Path) -> Iterator[JediCase]:
    """A case for every test in ``folder`` (test/completion of the distribution) that names something."""
    with tempfile.TemporaryDirectory() as cache:
        scope = Scope(None, Path(cache), own_environment().root)
        source = FactsSource(scope, PATIENCE_SECONDS, PATIENCE_SECONDS)
        try:
            for path in sorted(folder.glob("*.py"))[:FILES_MAX]:
                if path.name not in FILES_LEFT_OUT:
                    text = path.read_text(encoding="utf-8")
                    for test in _tests(text):
                        yield _case(path, text, test, source)
        finally:
            scope.close()


def summarize_jedi(cases: list[JediCase]) -> dict[str, Any]:
    """How often a set was known, and how often the name was in it."""
    names, closed = sum(case.names for case in cases), sum(case.closed for case in cases)
    return {
        "tests": len(cases),
        "names with a set": share(closed, names),
        "names in it": share(closed - sum(case.wrong for case in cases), closed),
    }


def _tests(text: str) -> Iterator[_Test]:
    lines = text.splitlines(keepends=True)
    start = 0
    for number, line in enumerate(lines[:-1]):
        start += len(line)
        match = _TEST.match(line)
        if match is None:
            continue
        code = lines[number + 1].rstrip("\r\n")
        end = int(match[1]) if match[1] else len(code)
        word = _WORD_END.search(code[:end])
        names = tuple(name for name in ast.literal_eval(match[2]) if _is_name(name))
        if names and word is not None:
            span = start + word.start(), start + len(code)
            yield _Test(number + 2, *span, names[:NAMES_PER_TEST_MAX])


def _is_name(name: str) -> bool:
    return name.removesuffix("=").isidentifier()


def _case(path: Path, text: str, test: _Test, source: FactsSource) -> JediCase:
    document = Document(path.as_uri(), text[: test.start] + text[test.end :])
    facts = source.at(document, test.start, ahead=False)
    closed = wrong = 0
    for name in test.names:
        state = session(document, test.start, facts, observe=True)
        if state is None:
            continue
        state, _ = state.advance(name)
        state.finish()
        # The name was written last; what is before it on its line is not asked about.
        cases = {key: fits for key, fits in state.tally.cases.items() if key[1] is not Role.END}
        last = max((start for _, _, start in cases), default=0)
        known = [fits for (_, _, start), fits in cases.items() if start == last]
        closed += bool(known)
        wrong += not all(known)
    return JediCase(path.name, test.line, len(test.names), closed, wrong)
