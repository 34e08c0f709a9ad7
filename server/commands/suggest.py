"""`assist suggest`: faster code, shown only after it was run; it converts the command line, starts the run and writes the report."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path
from typing import Literal, cast

import click

from assist.analysis.execution.targets import parse_request
from assist.cache.verdicts import open_verdicts
from assist.completion.edits import Proposer
from assist.server.commands.complete import settings_for
from assist.server.interrupt import interruptible
from assist.server.progress import console, show_progress
from assist.server.reports.github import github_report
from assist.server.reports.json import suggest_report
from assist.server.reports.patch import by_file, patch_report
from assist.server.reports.sarif import sarif_report
from assist.server.reports.suggestions import SuggestReport
from assist.server.reports.text import write_text
from assist.server.rewriting import open_rewriter
from assist.server.source_text import write_text as write_file
from assist.server.suggesting import BUDGET_SECONDS, RunOptions, run_again, run_suggest
from assist.server.workspace import find_interpreter, find_tests, find_workspace

Format = Literal["text", "json", "sarif", "github", "patch"]
FOUND = 1


@click.command("suggest")
@click.argument("places", metavar="[PATH | PATH::QUALNAME]...", nargs=-1)
@click.option("--since", metavar="REV", help="Only functions changed since a git revision.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github", "patch"]),
    default="text",
    help="Form of the report.",
    show_default=True,
)
@click.option("--output", type=click.Path(path_type=Path), help="Write the report to a file.")
@click.option("--apply", "apply_", is_flag=True, help="Write the suggestions into the files.")
@click.option(
    "--min-speedup", type=click.FloatRange(1.0, 1000.0), help="Smallest gain worth showing."
)
@click.option(
    "--budget", type=click.FloatRange(1.0), default=BUDGET_SECONDS, show_default=True,
    help="Seconds for the whole run.",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Functions at a time."
)
@click.option(
    "--proposers", default="rules", show_default=True, help="rules, model, or both with a comma."
)
@click.option(
    "--tests",
    type=click.Path(path_type=Path),
    multiple=True,
    help="What pytest runs to record calls.",
)
@click.option("--no-tests", is_flag=True, help="Record no calls.")
@click.option(
    "--python", "interpreter", type=click.Path(path_type=Path), help="The project's Python."
)
@click.option("--model", default="", help="Model for `--proposers model`.")
@click.option("--no-cache", is_flag=True, help="Neither use nor keep verdicts of earlier runs.")
@click.option(
    "--allow-reduced-isolation",
    is_flag=True,
    help="Run code although it cannot be fully isolated here.",
)
def command(
    places: tuple[str, ...],
    since: str | None,
    form: Format,
    output: Path | None,
    apply_: bool,
    min_speedup: float | None,
    budget: float,
    jobs: int,
    proposers: str,
    tests: tuple[Path, ...],
    no_tests: bool,
    interpreter: Path | None,
    model: str,
    no_cache: bool,
    allow_reduced_isolation: bool,
) -> int:
    """Find faster versions of functions that behave the same, by running them in a sandbox.

    PATH is a file or a folder; PATH::QUALNAME one function or method. Without a PATH the whole
    project is searched. Exit code 1 means that something was found.
    """
    requests = [parse_request(place) for place in places]
    workspace = find_workspace([request.path for request in requests])
    settings = settings_for(workspace / "pyproject.toml")
    chosen = _proposers(proposers)
    options = RunOptions(
        workspace,
        interpreter or find_interpreter(workspace),
        requests,
        since=since,
        tests=() if no_tests else (tests or tuple(find_tests(workspace))),
        min_speedup=min_speedup or settings.suggest_speedup,
        budget_seconds=budget,
        seconds_per_function=settings.suggest_seconds,
        jobs=jobs,
        proposers=chosen,
        allow_reduced_isolation=allow_reduced_isolation,
    )
    rewriter = open_rewriter(model) if "model" in chosen else None
    stop = threading.Event()
    with show_progress() as progress, interruptible(stop):
        report = run_suggest(
            options,
            store=None if no_cache else open_verdicts(),
            rewriter=rewriter,
            progress=progress,
            cancelled=stop,
        )
    _write(report, form, output)
    if apply_ and report.suggestions:
        _apply(report, options)
    return FOUND if report.suggestions else 0


def _proposers(text: str) -> frozenset[Proposer]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or any(name not in {"rules", "model"} for name in names):
        raise click.UsageError(f"--proposers {text!r}: write rules, model, or rules,model.")
    return frozenset(cast(list[Proposer], names))


def _write(report: SuggestReport, form: Format, output: Path | None) -> None:
    if form == "text" and output is None:
        write_text(report, console())
        return
    text = _text(report, form)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise click.UsageError(f"{output} cannot be written: {error.strerror}.") from None


def _text(report: SuggestReport, form: Format) -> str:
    if form == "json":
        return json.dumps(suggest_report(report), indent=2, ensure_ascii=False) + "\n"
    if form == "sarif":
        return json.dumps(sarif_report(report), indent=2, ensure_ascii=False) + "\n"
    if form == "github":
        return github_report(report)
    if form == "patch":
        return patch_report(report)
    from rich.console import Console

    plain = Console(file=io.StringIO(), width=100, no_color=True, highlight=False, record=True)
    write_text(report, plain)
    return plain.export_text()


def _apply(report: SuggestReport, options: RunOptions) -> None:
    """Write the suggestions and run the tests again; the files go back where a test fails now."""
    changed = {path: (raw, text) for path, (raw, text, _) in by_file(report).items()}
    written: list[Path] = []
    try:
        for path, (raw, text) in changed.items():
            write_file(path, raw, text)
            written.append(path)
        names = ", ".join(report.name(path) for path in written)
        if not options.tests:
            click.echo(f"assist: wrote {names}; there are no tests to run again.", err=True)
            return
        again = run_again(options, written)
        before = report.tests_failed
        if again.reason or again.tests_failed > before:
            why = again.reason or f"{again.tests_failed} tests fail, {before} did before"
            raise click.ClickException(
                f"the tests do not pass any more ({why}); the files are as they were."
            )
        click.echo(f"assist: wrote {names}; {again.tests_passed} tests pass.", err=True)
    except BaseException:
        for path in written:
            raw, text = changed[path]
            write_file(path, text, raw)
        raise
