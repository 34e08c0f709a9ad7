"""`assist bench`: the benches by name; it imports one only when it runs."""

from __future__ import annotations

import click

from assist.server.lazy import LazyGroup

# name -> module under assist.server.bench that defines `command`
BENCHES: dict[str, str] = {
    "edits": "edits",
    "infilling": "infilling",
    "monitors": "monitors",
    "server": "serving",
    "suggest": "suggest",
    "ranking": "ranking",
    "reopen": "reopen",
    "speculation": "speculation",
    "typing": "typing",
}


@click.group("bench", cls=LazyGroup, package="assist.server.bench", modules=BENCHES)
def command() -> None:
    """Measure quality and speed on this machine; per-case results as CSV."""
