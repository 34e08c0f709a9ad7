"""`assist complete`: one completion on the command line, as an editor gets it that asks for one; it computes nothing itself."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from assist.analysis.document import Document, Position
from assist.analysis.document_facts import FactsSource
from assist.analysis.languages import language_id
from assist.analysis.monitors.view import Facts
from assist.analysis.scope import Scope
from assist.analysis.workspace_index import Workspaces
from assist.cache.paths import cache_directory
from assist.completion.engine import CompletionOptions, EngineSession, complete
from assist.models.kv_session import KvSession
from assist.models.open import open_model
from assist.server.reports.completion import completion_report
from assist.server.settings import Settings, environment_source, pyproject_source, resolve

FILE_BYTES_MAX = 64 * 2**20
# One completion starts the worker and waits for it; an editor asks again instead.
QUESTION_SECONDS_MAX = 2.0
LEARN_SECONDS_MAX = 1.0
COMPLETION_SECONDS_MAX = 6.0


@click.command("complete")
@click.argument("place", metavar="FILE:LINE:COLUMN")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the text from standard input.")
@click.option("--count", type=click.IntRange(1, 8), help="Number of proposals.")
@click.option("--max-tokens", type=click.IntRange(1, 512), help="Longest proposal, in tokens.")
@click.option("--model", default="", help="A model's name or the path of a GGUF file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    place: str,
    from_stdin: bool,
    count: int | None,
    max_tokens: int | None,
    model: str,
    as_json: bool,
) -> None:
    """Complete the code at FILE:LINE:COLUMN (1-based, columns in code points).

    Without --count the best proposal is printed; with --json all that an editor would be given.
    """
    path, position = _parse_place(place)
    data = sys.stdin.buffer.read(FILE_BYTES_MAX) if from_stdin else _read(path)
    document = Document(
        path.absolute().as_uri(), _text(path, data), language=language_id(path.name)
    )
    _check_position(document, path, position)
    settings = settings_for(path)
    opened = open_model(model or settings.model_name)
    workspaces = Workspaces([_project(path)] if settings.context_workspace else [])
    session = EngineSession(KvSession(opened.model), opened.template, workspaces)
    ended = time.monotonic() + LEARN_SECONDS_MAX
    workspaces.learn([document], lambda: time.monotonic() > ended)
    options = CompletionOptions(
        tokens_max=max_tokens or settings.completion_tokens,
        context_tokens_max=settings.context_tokens,
        decode_ms_max=settings.completion_milliseconds,
        multiline=True,
        monitors=settings.monitors_enabled,
        candidates=count or settings.completion_candidates,
    )
    with _facts(document, position, path, settings) as facts:
        completion = complete(session, document, position, options, facts=facts)
    if as_json:
        report = completion_report(document, opened.model, completion, completion.candidates)
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
        return
    for item in completion.candidates[: count or 1]:
        click.echo(item.text)


@contextlib.contextmanager
def _facts(
    document: Document, position: Position, path: Path, settings: Settings
) -> Iterator[Facts | None]:
    """What the monitors know, from a worker of its own that is waited for."""
    if document.language != "python" or not settings.monitors_enabled:
        yield None
        return
    scope = Scope(
        _project(path), cache_directory() / "jedi", environment=settings.names_environment
    )
    with contextlib.closing(scope):
        source = FactsSource(scope, QUESTION_SECONDS_MAX, COMPLETION_SECONDS_MAX)
        yield source.at(document, document.offset_at(position))


def _parse_place(place: str) -> tuple[Path, Position]:
    parts = place.rsplit(":", 2)
    if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts[1:]):
        raise click.UsageError(f"{place!r} is no place. Write FILE:LINE:COLUMN, counted from 1.")
    return Path(parts[0]), Position(int(parts[1]) - 1, int(parts[2]) - 1)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}.") from None


def _text(path: Path, data: bytes) -> str:
    """Text of a file as an editor would show it; a UTF-8 mark at the start is no part of it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise click.UsageError(f"{path} is UTF-16. Save it as UTF-8.")
    if b"\0" in data[:8192]:
        raise click.UsageError(f"{path} is not a text file.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"{path} is not UTF-8 (byte {error.start}). Save it as UTF-8."
        ) from None


def _check_position(document: Document, path: Path, position: Position) -> None:
    if position.line >= document.line_count:
        raise click.UsageError(f"{path} has {document.line_count} lines, not {position.line + 1}.")
    length = document.line_span(position.line).length
    if position.column > length:
        raise click.UsageError(
            f"Line {position.line + 1} of {path} has {length} code points: the last column is "
            f"{length + 1}."
        )


def settings_for(path: Path) -> Settings:
    """Settings as the server resolves them for a file, from its project and the environment."""
    source, problems = pyproject_source(_project(path))
    settings, more = resolve([source, environment_source()])
    for problem in (*problems, *more):
        click.echo(f"assist: {problem}", err=True)
    return settings


def _project(path: Path) -> Path:
    """The folder of the nearest pyproject.toml, else the file's own."""
    parents = path.absolute().parents
    project = next((folder for folder in parents if (folder / "pyproject.toml").is_file()), None)
    return project or parents[0]
