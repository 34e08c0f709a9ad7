"""Rows of the local statistics as plain data, for those who count and those who store; it opens no file."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

Accepted = Literal["", "word", "line", "whole"]


@dataclass(frozen=True)
class ProposalRow:
    """One proposal that an editor got.

    ``at`` is seconds since the epoch, ``latency_ms`` from request to answer. ``shown`` is true
    where the editor said so. ``accepted`` is the most that was taken, ``kept_*`` the share of the
    accepted text that was still there 30 seconds and 5 minutes later, none where nobody looked.
    """

    id: str
    at: float
    language: str
    model: str
    origin: str
    trigger: str
    latency_ms: float
    characters: int
    lines: int
    shown: bool = False
    accepted: Accepted = ""
    accepted_characters: int = 0
    kept_30s: float | None = None
    kept_5min: float | None = None


@dataclass(frozen=True)
class RequestRow:
    """Requests of one day (``YYYY-MM-DD``) and language: all, and those without a proposal."""

    day: str
    language: str
    requests: int
    empty: int


def day_of(at: float) -> str:
    """The local day of a time in seconds since the epoch."""
    return time.strftime("%Y-%m-%d", time.localtime(at))
