"""`assist complete`: one completion on the command line, from the same engine the server uses; it prints and computes nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from assist.analysis.document import Document, Position
from assist.completion.engine import Completion, CompletionOptions, EngineSession, complete
from assist.models.kv_session import KvSession
from assist.models.open import open_model


@click.command("complete")
@click.argument("place", metavar="FILE:LINE:COLUMN")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the text from standard input.")
@click.option("--max-tokens", type=click.IntRange(1, 512), default=64, show_default=True)
@click.option("--model", default="", help="A model's name or the path of a GGUF file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(place: str, from_stdin: bool, max_tokens: int, model: str, as_json: bool) -> None:
    """Complete the code at FILE:LINE:COLUMN (1-based, columns in code points)."""
    path, position = _parse_place(place)
    text = sys.stdin.read() if from_stdin else _read(path)
    opened = open_model(model)
    session = EngineSession(KvSession(opened.model), opened.template)
    document = Document(path.absolute().as_uri(), text)
    completion = complete(session, document, position, CompletionOptions(tokens_max=max_tokens))
    click.echo(_as_json(document, completion) if as_json else _as_text(completion))


def _parse_place(place: str) -> tuple[Path, Position]:
    parts = place.rsplit(":", 2)
    if len(parts) != 3 or not all(part.isdigit() and int(part) > 0 for part in parts[1:]):
        raise click.UsageError(f"{place!r} is no place. Write FILE:LINE:COLUMN, counted from 1.")
    return Path(parts[0]), Position(int(parts[1]) - 1, int(parts[2]) - 1)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{path} is not UTF-8 text.") from None


def _as_text(completion: Completion) -> str:
    return completion.candidates[0].text if completion.candidates else ""


def _as_json(document: Document, completion: Completion) -> str:
    items = []
    for candidate in completion.candidates:
        start = document.position_at(candidate.span.start)
        end = document.position_at(candidate.span.end)
        items.append(
            {
                "text": candidate.text,
                "start": {"line": start.line + 1, "column": start.column + 1},
                "end": {"line": end.line + 1, "column": end.column + 1},
                "score": candidate.score,
                "origin": candidate.origin,
            }
        )
    document_json = {
        "items": items,
        "tokens": completion.tokens,
        "timing_ms": completion.timing_ms,
    }
    return json.dumps(document_json, indent=2)
