"""`assist models`: list, fetch, add, use, check, remove and tune; it prints what models.* did and does nothing itself."""

from __future__ import annotations

import json
from pathlib import Path

import click

from assist.server.progress import console, show_progress
from assist.server.reports.models import model_rows


@click.group("models")
def command() -> None:
    """Choose the model: list, fetch, add, use, check, tune."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_models(as_json: bool) -> None:
    """Models on this machine and in the catalog, with licence and template."""
    rows = model_rows()
    if as_json:
        click.echo(json.dumps({"models": rows}, indent=2))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_edge=False)
    for heading in ("name", "state", "size", "context", "licence"):
        table.add_column(heading, no_wrap=heading != "licence", justify="left")
    for row in rows:
        context = f"{row['context_tokens']:,}" if row["context_tokens"] else ""
        size = f"{row['megabytes']:,} MB {row['quantisation']}"
        cells = (row["name"], row["state"], size, context, row["licence"])
        table.add_row(*(Text(str(cell)) for cell in cells))
    console().print(table)
    click.echo("\nprompt of each model, and why")
    for row in rows:
        click.echo(f"  {row['name']}: {row['template']}  ({row['template_reason']})")


@command.command("fetch")
@click.argument("name", required=False)
@click.option("--use", is_flag=True, help="Use the model from now on.")
def fetch(name: str | None, use: bool) -> None:
    """Fetch NAME from the catalog; without a name the embedded model."""
    from assist.models.catalog import load_catalog
    from assist.models.fetch import fetch_model
    from assist.models.registry import choose

    name = name or load_catalog().embedded
    with show_progress() as progress:
        model = fetch_model(name, progress=progress)
    if use:
        choose(name)
    click.echo(f"{name}: {model.file.path} ({model.preferred}, checksum: {model.checksum_origin})")


@command.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", default="", help="Name to use it by; the file's name by default.")
@click.option("--use", is_flag=True, help="Use the model from now on.")
def add(file: Path, name: str, use: bool) -> None:
    """Add a GGUF that lies on this machine; it stays where it is."""
    from assist.models.fetch import add_model
    from assist.models.registry import choose

    model = add_model(file, name)
    if use:
        choose(model.name)
    click.echo(f"{model.name}: template {model.template}, {model.template_reason}")


@command.command("use")
@click.argument("name")
def use_model(name: str) -> None:
    """Use NAME from now on."""
    from assist.models.registry import choose

    model = choose(name)
    click.echo(f"{model.name}: {model.file.path}")


@command.command("check")
@click.argument("names", nargs=-1)
def check(names: tuple[str, ...]) -> int:
    """Compare the files with their recorded checksums and load each once."""
    from assist.models.fetch import check_model
    from assist.models.registry import installed_models, require_installed

    models = [require_installed(name) for name in names] or installed_models()
    damaged = 0
    for model in models:
        with show_progress() as progress:
            problems = check_model(model, progress=progress)
        damaged += bool(problems)
        for problem in problems:
            click.echo(f"{model.name}: {problem}", err=True)
        if not problems:
            click.echo(f"{model.name}: fine")
    if not models:
        click.echo("No model is on this machine. Run: assist models fetch")
    return 2 if damaged else 0


@command.command("tune")
@click.argument("name", required=False)
def tune(name: str | None) -> None:
    """Measure quantisations and thread counts on this machine and keep the fastest."""
    from rich.table import Table

    from assist.models.registry import chosen_name
    from assist.models.tune import tune_model

    name = name or chosen_name()
    with show_progress() as progress:
        best, timings = tune_model(name, progress=progress)
    table = Table(box=None, pad_edge=False)
    table.add_column("tokens per second")
    for heading in ("threads", "prefill", "decode", "prefill, busy", "decode, busy"):
        table.add_column(heading, justify="right")
    for timing in timings:
        speeds = (timing.prefill, timing.decode, timing.prefill_busy, timing.decode_busy)
        cells = [f"{speed:.0f}" for speed in speeds]
        table.add_row(timing.quantisation, str(timing.threads), *cells)
    console().print(table)
    click.echo(
        f"{name}: {best.quantisation}, {best.threads_prefill} threads for prefill and "
        f"{best.threads_decode} for decode from now on"
    )
