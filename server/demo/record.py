"""Writes a picture of a real run of the demo: `python -m assist.server.demo.record FILE.svg`; it changes nothing in the run."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console

from assist.completion.engine import EngineSession
from assist.models.kv_session import KvSession
from assist.models.open import open_model
from assist.server.commands.demo import show

WIDTH = 84


def record(path: Path) -> None:
    """Run the demo with the model in use and save its terminal as SVG, without anything from outside."""
    opened = open_model()
    session = EngineSession(KvSession(opened.model), opened.template)
    output = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    output.print("[bold]$[/] assist demo\n")
    show(output, session, opened.reason)
    picture = output.export_svg(title="assist demo")
    path.write_text(re.sub(r"@font-face\s*\{.*?\}", "", picture, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    record(Path(sys.argv[1]))
