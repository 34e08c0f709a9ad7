"""Hands out answers that were given before and still fit, so that typing through ghost text costs nothing; it computes none."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Any

from assist.analysis.document import Document
from assist.cache.completions import CompletionCache
from assist.server import messages

CACHED = "cache"


class Answers:
    """Answers of one session, found by the text around the cursor."""

    def __init__(self) -> None:
        self._cache: CompletionCache[tuple[messages.Item, dict[str, Any]]] = CompletionCache()

    def remember(self, document: Document, answer: messages.Completed) -> None:
        """Keep the items of an answer for ``document`` as it was when it was asked for."""
        for item in reversed(answer.items):
            prefix, suffix = document.text[: item.start], document.text[item.end :]
            model = answer.report.get("model", {})
            self._cache.put(document.uri, prefix, suffix, item.text, (item, model))

    def recall(
        self, document: Document, offset: int, selected_text: str | None, selected_start: int
    ) -> messages.Completed | None:
        """The best answer known for a cursor; none where it has to be computed."""
        started = perf_counter()
        start = offset if selected_text is None else selected_start
        inserted = selected_text or ""
        hits = self._cache.get(
            document.uri, document.text[:start] + inserted, document.text[offset:]
        )
        if not hits:
            return None
        known, model = hits[0].value
        item = replace(known, text=inserted + hits[0].text, start=start, end=offset, origin=CACHED)
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
