"""Fill-in-the-middle formats as data; it never tokenises text and never cuts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TemplateOrigin = Literal["catalog", "metadata", "token text", "none"]

PREFIX = "{prefix}"
SUFFIX = "{suffix}"


@dataclass(frozen=True)
class FimTemplate:
    """Order of markers and texts in a prompt.

    ``parts`` mixes marker texts with ``{prefix}`` and ``{suffix}``; every marker is one token of
    the vocabulary. ``stops`` are marker texts that end an answer besides the vocabulary's own
    end tokens. ``origin`` says how the template was found.
    """

    parts: tuple[str, ...]
    stops: tuple[str, ...] = ()
    origin: TemplateOrigin = "catalog"

    @property
    def uses_suffix(self) -> bool:
        return SUFFIX in self.parts

    @property
    def markers(self) -> tuple[str, ...]:
        return tuple(part for part in self.parts if part not in (PREFIX, SUFFIX))


PREFIX_ONLY = FimTemplate((PREFIX,), origin="none")
