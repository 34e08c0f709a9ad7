"""What a monitor says to the decoder; plain data."""

from __future__ import annotations

from dataclasses import dataclass

from assist.analysis.document import Span

_NOWHERE = Span(0, 0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether what was written so far may stand.

    If not: ``span`` is the offending text, in offsets of the candidate (a negative start lies
    before the cursor); ``legal`` are the whole texts that may stand at ``span.start``, each
    followed by something that does not continue it, or none where only this text is known to be
    wrong; ``monitor`` names who said so. ``is_bias``: ``legal`` is what the
    place waits for, whether or not what was written exists; without ``legal`` it waits for nothing.
    """

    accepted: bool
    span: Span = _NOWHERE
    legal: frozenset[str] | None = None
    monitor: str = ""
    is_bias: bool = False


ACCEPTED = Verdict(True)
