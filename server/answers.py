"""Hands out answers that were given before and still fit, so that typing through ghost text costs nothing; it computes none."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Any

from assist.analysis.document import Document
from assist.cache.completions import CompletionCache
from assist.server import messages
from assist.server.request import Request

CACHED = "cache"


class Answers:
    """Answers of one session, found by the text around the cursor."""

    def __init__(self) -> None:
        self._cache: CompletionCache[tuple[messages.Item, dict[str, Any]]] = CompletionCache()

    def remember(self, request: Request, answer: messages.Completed) -> None:
        """Keep the items of an answer for the text around the cursor of its request."""
        taken = request.selected_text or ""
        model = answer.report.get("model", {})
        for item in reversed(answer.items):
            text = item.text.removeprefix(taken)
            self._cache.put(
                request.document.uri, request.before, request.after, text, (item, model)
            )

    def recall(self, request: Request) -> messages.Completed | None:
        """The best answer known for a request; none where it has to be computed."""
        started = perf_counter()
        document, start = request.document, request.start
        hits = self._cache.get(document.uri, request.before, request.after)
        if not hits:
            return None
        known, model = hits[0].value
        text = (request.selected_text or "") + hits[0].text
        item = replace(known, text=text, start=start, end=request.offset, origin=CACHED)
        report = {
            "items": [
                {
                    "text": item.text,
                    "start": _place(document, item.start),
                    "end": _place(document, item.end),
                    "score": item.score,
                    "origin": CACHED,
                }
            ],
            "model": model,
            "tokens": dict.fromkeys(
                ("prompt", "reused", "shifted", "evaluated", "generated", "drafted", "accepted"), 0
            ),
            "timing_ms": {
                "total": round((perf_counter() - started) * 1e3, 2),
                **dict.fromkeys(("context", "prefill", "decode", "monitors"), 0.0),
            },
            "monitors": dict.fromkeys(("checked", "rejected", "masked", "open"), 0),
        }
        return messages.Completed(0, (item,), report)

    def clear(self) -> None:
        """Forget all, for instance because another model answers now."""
        self._cache.clear()


def _place(document: Document, offset: int) -> dict[str, int]:
    position = document.position_at(offset)
    return {"line": position.line + 1, "column": position.column + 1}
