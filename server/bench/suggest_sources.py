"""Unpacked source distributions as the bench of rules uses them: name, version, files, and the calls that their own tests and docstrings make; it judges nothing."""

from __future__ import annotations

import ast
import email
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from assist.analysis.execution.functions import functions_of
from assist.analysis.execution.inputs import docstring_inputs
from assist.analysis.execution.kinds import Kinds
from assist.analysis.execution.targets import reason_to_skip, static_cost
from assist.analysis.execution.trace import record_calls
from assist.analysis.execution.verdict import RecordedCalls, Subject
from assist.analysis.rules.compose import single_proposals
from assist.analysis.rules.rule import Proposal
from assist.completion.edits import facts_of
from assist.server.workspace import find_tests

FILE_BYTES_MAX = 200_000
FILES_MAX = 600
LINES_MIN, LINES_MAX = 2, 80
RECORD_SECONDS_MAX = 60.0
NOT_CODE = frozenset(
    {"tests", "test", "testing", "docs", "doc", "examples", "benchmarks", "_vendor"}
)


@dataclass(frozen=True)
class Source:
    """A package as its authors published it; ``root`` is the folder of its PKG-INFO."""

    name: str
    version: str
    root: Path
    files: tuple[Path, ...]
    tests: tuple[Path, ...]


@dataclass(frozen=True)
class Found:
    """A proposal for one function; ``calls`` says on how many different calls it can be run.

    ``digest`` is the start of SHA-256 of the function's text.
    """

    source: Source
    path: Path
    line: int
    digest: str
    subject: Subject
    proposal: Proposal
    recorded: RecordedCalls
    calls: int
    cost: float

    @property
    def shown(self) -> str:
        return self.path.relative_to(self.source.root).as_posix()

    @property
    def rule(self) -> str:
        return self.proposal.rules[0]


def open_source(root: Path) -> Source:
    """Read the name and version of an unpacked source distribution. Raises UsageError."""
    root = root.resolve()
    try:
        text = (root / "PKG-INFO").read_text(encoding="utf-8", errors="replace")
    except OSError:
        raise click.UsageError(
            f"{root} is no unpacked source distribution (no PKG-INFO)."
        ) from None
    headers = email.message_from_string(text)
    files = [
        path
        for path in sorted(root.rglob("*.py"))
        if not NOT_CODE & set(path.relative_to(root).parts) and not path.name.startswith("test_")
    ]
    tests = find_tests(root)
    return Source(
        str(headers["Name"]), str(headers["Version"]), root, tuple(files[:FILES_MAX]), tuple(tests)
    )


def record(source: Source, interpreter: Path, progress: Callable[[str], None]) -> RecordedCalls:
    """Calls that the package's own tests make, as far as they come in a minute."""
    if not source.tests:
        return RecordedCalls(reason="no tests")
    return record_calls(
        source.root,
        interpreter,
        source.tests,
        source.files,
        seconds_max=RECORD_SECONDS_MAX,
        progress=progress,
    )


def proposals_of(source: Source, recorded: RecordedCalls) -> Iterator[Found]:
    """What each rule alone proposes for functions of a usual size that can be run on known calls."""
    for path in source.files:
        try:
            if path.stat().st_size > FILE_BYTES_MAX:
                continue
            text = path.read_text(encoding="utf-8")
            tree = ast.parse(text)
        except (OSError, ValueError, SyntaxError, RecursionError):
            continue
        kinds = Kinds(tree)
        for function in functions_of(tree):
            subject = Subject(path, function.qualname, text)
            calls = len(recorded.of(subject)) + len(docstring_inputs(function))
            lines = (function.node.end_lineno or function.node.lineno) - function.node.lineno
            if not calls or not LINES_MIN <= lines <= LINES_MAX:
                continue
            if reason_to_skip(function, kinds, True, path):
                continue
            own = ast.get_source_segment(text, function.node) or ""
            digest = hashlib.sha256(own.encode()).hexdigest()[:16]
            cost = static_cost(function)
            for proposal in single_proposals(text, function.qualname, facts_of(subject, recorded)):
                yield Found(
                    source,
                    path,
                    function.node.lineno,
                    digest,
                    subject,
                    proposal,
                    recorded,
                    calls,
                    cost,
                )
