"""`assist cache`: what is kept on disk of documents that were open, and how to drop it; it never touches a running server's memory."""

from __future__ import annotations

import json
from dataclasses import asdict

import click


@click.group("cache")
def command() -> None:
    """Computed contexts on disk: show them, clear them."""


@command.command("stats")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def stats(as_json: bool) -> None:
    """Files, bytes and events of the computed contexts on disk."""
    from assist.cache.store import open_store

    store = open_store()
    figures = store.stats()
    if as_json:
        click.echo(json.dumps(asdict(figures) | {"directory": str(store.directory)}, indent=2))
        return
    click.echo(f"directory  {store.directory}")
    click.echo(
        f"on disk    {figures.files} files, {_mb(figures.bytes)} of {_mb(figures.bytes_max)}"
    )
    click.echo(f"found      {figures.hits} of {figures.hits + figures.misses} times looked for")
    click.echo(f"damaged    {figures.damaged} ignored and replaced")
    click.echo(f"evicted    {figures.evicted} for newer ones")
    click.echo(f"refused    {figures.refused} because of size, space or permissions")


@command.command("clear")
def clear() -> None:
    """Delete the computed contexts of every document."""
    from assist.cache.store import open_store

    click.echo(f"freed {_mb(open_store().clear())}")


def _mb(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
