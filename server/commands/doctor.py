"""`assist doctor`: prints the findings of server.health; it examines nothing itself."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from assist.server.health import examine
from assist.server.progress import console

EXIT_PROBLEM = 2
MARKS = {
    "fine": "[green]fine[/]   ",
    "warning": "[yellow]warning[/]",
    "problem": "[red]problem[/]",
}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(as_json: bool) -> int:
    """Look at everything that must be right here; say what to do where it is not."""
    findings = list(examine())
    if as_json:
        click.echo(json.dumps({"findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        from rich.markup import escape

        for finding in findings:
            line = f"{MARKS[finding.state]}  {finding.name}: {escape(finding.text)}"
            console().print(line, soft_wrap=True)
            if finding.remedy:
                console().print(f"         [dim]→[/] {escape(finding.remedy)}", soft_wrap=True)
    return EXIT_PROBLEM if any(finding.state == "problem" for finding in findings) else 0
