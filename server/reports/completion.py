"""A completion as the JSON object that the command line prints and the server hands out; it completes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from assist.analysis.document import Document
from assist.completion.candidate import Candidate
from assist.completion.engine import Completion
from assist.models.model import Model


def completion_report(
    document: Document, model: Model, completion: Completion, items: Iterable[Candidate]
) -> dict[str, Any]:
    """Items with 1-based lines and columns in code points, the model, counts and times."""
    return {
        "items": [
            {
                "text": item.text,
                "start": _place(document, item.span.start),
                "end": _place(document, item.span.end),
                "score": round(item.score, 4),
                "origin": item.origin,
            }
            for item in items
        ],
        "model": {"name": model.name, "file": model.file},
        "tokens": completion.tokens,
        "timing_ms": {key: round(value, 2) for key, value in completion.timing_ms.items()},
        "monitors": completion.monitors,
    }


def _place(document: Document, offset: int) -> dict[str, int]:
    position = document.position_at(offset)
    return {"line": position.line + 1, "column": position.column + 1}
