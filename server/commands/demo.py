"""`assist demo`: the embedded model completes a bundled module; it shows the tour of server.demo and computes nothing."""

from __future__ import annotations

import click
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from assist.analysis.errors import SandboxUnavailable
from assist.completion.engine import EngineSession
from assist.models.kv_session import KvSession
from assist.server.demo.suggestion import demo_suggestion
from assist.server.demo.tour import Visit, visit_all
from assist.server.progress import console, show_progress
from assist.server.reports.text import write_text

LINES_BEFORE = 4
LINES_AFTER = 1
GHOST = "italic bold #5fafff"


@click.command("demo")
@click.option("--model", default="", help="A model's name or the path of a GGUF file.")
def command(model: str) -> None:
    """See the model complete a real file, with its tokens and times."""
    from assist.models.open import open_model

    with show_progress() as progress:
        progress("load the model", None)
        opened = open_model(model)
    session = EngineSession(KvSession(opened.model), opened.template)
    show(console(), session, opened.reason)
    show_suggestion(console())


def show_suggestion(output: Console) -> bool:
    """Search a faster version of a bundled function and print what was verified."""
    output.print()
    output.print(Text("a faster version, run in the sandbox before it is shown", "bold"))
    try:
        with show_progress() as progress:
            return demo_suggestion(lambda report: write_text(report, output), progress=progress)
    except SandboxUnavailable as error:
        output.print(Text(f"not shown here: {error}", "dim"))
        return False


def show(output: Console, session: EngineSession, reason: str) -> None:
    """Print every stop of the tour as it happens."""
    name = session.kv.model.name
    output.print(Text.assemble(("assist demo", "bold"), f"  {name}, on this machine, offline"))
    output.print(Text(f"prompt: {session.template} ({reason})", "dim"))
    for visit in visit_all(session):
        output.print()
        output.print(Text(visit.title, "bold"))
        output.print(excerpt(visit))
        output.print(Text(figures(visit), "dim"))


def excerpt(visit: Visit) -> Text:
    """The lines around the cursor with the proposal in them."""
    document, offset = visit.document, visit.offset
    line = document.position_at(offset).line
    start = document.line_starts[max(0, line - LINES_BEFORE)]
    end = document.line_span(min(line + LINES_AFTER, document.line_count - 1)).end
    code = document.text[start:offset] + visit.text + document.text[offset:end]
    text = Syntax("", "python", background_color="default").highlight(code.rstrip("\n"))
    text.stylize(GHOST, offset - start, offset - start + len(visit.text))
    first = document.position_at(start).line + 1
    numbered = Text()
    for number, content in enumerate(text.split("\n"), first):
        numbered.append(f"{number:4} ", "dim")
        numbered.append_text(content)
        numbered.append("\n")
    numbered.rstrip()
    return numbered


def figures(visit: Visit) -> str:
    """Counts and times of a visit, for people."""
    tokens, times = visit.completion.tokens, visit.completion.timing_ms
    kept = tokens["reused"] + tokens["shifted"]
    return (
        f"     {times['total']:.0f} ms · prompt of {tokens['prompt']} tokens: {kept} kept, "
        f"{tokens['evaluated']} computed · {tokens['generated']} written"
    )
