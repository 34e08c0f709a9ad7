"""A wish for a proposal at a place of a document; plain data."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

from assist.analysis.document import Document, Span
from assist.server.scheduler import Priority


@dataclass(frozen=True)
class Request:
    """One wish for a completion of ``document`` at the code-point ``offset``.

    ``selected`` and ``selected_text``: the entry of the editor's list that is highlighted would
    replace this span by this text; the answer must extend it.
    """

    document: Document
    offset: int
    priority: Priority
    candidates: int = 1
    selected_text: str | None = None
    selected: Span | None = None

    @property
    def key(self) -> Hashable:
        """Equal for requests with the same answer."""
        version = self.document.version
        return version, self.offset, self.candidates, self.selected_text, self.selected

    @property
    def start(self) -> int:
        """Where items begin: at the cursor, or at the word that is replaced."""
        return self.selected.start if self.selected else self.offset

    @cached_property
    def before(self) -> str:
        """The text that the answer follows, with the highlighted entry taken."""
        return self.document.text[: self.start] + (self.selected_text or "")

    @cached_property
    def after(self) -> str:
        return self.document.text[self.offset :]

    def typed_since(self, earlier: Request) -> str | None:
        """What was written at the cursor after ``earlier``; none where anything else changed."""
        before = earlier.before
        same_place = self.document.uri == earlier.document.uri and self.after == earlier.after
        if same_place and self.before.startswith(before):
            return self.before[len(before) :]
        return None
