"""The plan of an edit for the key-value cache: keep, drop, shift, evaluate, and how exact the result is; it never runs a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from assist.cache.tokens import RUN_TOKENS_MIN, Match, TokenBuffer, Tokens, align

Reuse = Literal["shift", "prefix", "off"]

# A span with more changed tokens before it than this is evaluated again.
CHANGED_TOKENS_MAX = 96
# What feels a change most is what follows it at once, the last tokens before the answer, and
# everything if little is left behind it. Twice and four times as many made no measurable difference.
AFTER_TOKENS = 4
TAIL_TOKENS = 4
# A prompt that begins with the suffix begins with what stands next to the cursor. After a jump an
# answer is about that: of a jump by 17 tokens 4 gave another answer (KL 0.69), 16 the right one
# (0.034), 32 nearly the same (0.004).
OPENING_TOKENS = 32
# The less is left behind a change, and the more was changed, the more an answer is about it. So many
# tokens are evaluated again for each changed one, within bounds: with 33 to 96 left behind a removed
# block the mean KL was 0.034, with 32 behind an inserted one once 0.51, with 125 behind the removed
# head of a class once 3.4, and with more 0.005.
NEAR_TOKENS = 32
NEAR_TOKENS_MAX = 128
NEAR_PER_CHANGED = 4
# The first tokens of a prompt gather attention that no other token can take over (attention
# sinks): a token that was computed elsewhere cannot become one of them.
SINK_TOKENS = 4
# Costs counted in evaluated tokens: of one more place, of a shift, and what an exact answer is
# worth.
GAP_TOKENS = 1
SHIFT_TOKENS = 6
INEXACT_TOKENS = 16
# What was kept moves the favourite's lead by some 0.2 logits. Where it is below this, everything is
# made exact before an answer: one inexact answer of fourteen waits, at 0.2 it would be one of nine.
TIE_LOGITS = 0.15


@dataclass(frozen=True)
class ReusePolicy:
    """What a prefill may reuse.

    ``reuse``: ``shift`` moves kept spans to their new positions, ``prefix`` keeps the common head
    only, ``off`` evaluates everything. The other fields bound ``shift``, in tokens; ``tie_logits``
    is the lead of the favourite below which an inexact answer is not taken.
    """

    reuse: Reuse = "shift"
    changed_tokens_max: int = CHANGED_TOKENS_MAX
    gap_tokens: int = GAP_TOKENS
    shift_tokens: int = SHIFT_TOKENS
    inexact_tokens: int = INEXACT_TOKENS
    run_tokens_min: int = RUN_TOKENS_MIN
    after_tokens: int = AFTER_TOKENS
    tail_tokens: int = TAIL_TOKENS
    opening_tokens: int = OPENING_TOKENS
    near_tokens: int = NEAR_TOKENS
    near_tokens_max: int = NEAR_TOKENS_MAX
    tie_logits: float = TIE_LOGITS


@dataclass(frozen=True)
class Span:
    """``size`` tokens of the old buffer from index ``old`` that go to position ``new``.

    Their position changes by ``delta``, and ``changed`` of the tokens before them are other ones.
    """

    old: int
    new: int
    size: int
    delta: int
    changed: int = 0


@dataclass(frozen=True)
class EditPlan:
    """How to turn a cached buffer into ``tokens``: spans to keep, ordered by new position.

    Everything between the spans is evaluated, at least the last token.
    """

    tokens: Tokens
    spans: tuple[Span, ...]
    buffer: TokenBuffer

    @property
    def head(self) -> int:
        """Count of leading tokens that stay where they are."""
        first = self.spans[0] if self.spans else None
        return first.size if first and first.new == 0 and first.delta == 0 else 0

    @property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """Ranges of new positions to evaluate, in order."""
        gaps = []
        at = 0
        for span in self.spans:
            if span.new > at:
                gaps.append((at, span.new))
            at = span.new + span.size
        if at < len(self.tokens):
            gaps.append((at, len(self.tokens)))
        return tuple(gaps)

    @property
    def evaluated(self) -> int:
        return sum(end - start for start, end in self.gaps)

    @property
    def shifted(self) -> int:
        return sum(span.size for span in self.spans if span.delta)

    @property
    def reused(self) -> int:
        return sum(span.size for span in self.spans if not span.delta)


def plan_edit(
    buffer: TokenBuffer, tokens: Sequence[int] | Tokens, policy: ReusePolicy | None = None
) -> EditPlan:
    """The cheapest plan that ``policy`` allows.

    ``EditPlan.buffer`` is what the cache holds once the spans are in place and nothing was
    evaluated yet.
    """
    policy = policy or ReusePolicy()
    new = np.ascontiguousarray(tokens, np.int32)
    if policy.reuse == "off":
        return EditPlan(new, (), buffer.cut(0))
    if policy.reuse == "prefix":
        matches = align(buffer.tokens[: buffer.contiguous], new)[:1]
        return _plan(buffer, new, _head(_spans(buffer, matches, len(new) - 1)))
    matches = align(buffer.tokens, new, run_tokens_min=policy.run_tokens_min)
    found = _spans(buffer, matches, len(new) - 1)
    in_place = [span for span in found if not span.delta]
    choices = [
        _head(found),
        *(
            _trimmed(_bounded(buffer, spans, policy), len(new), policy)
            for spans in (in_place, found)
        ),
    ]
    plans = [_plan(buffer, new, spans) for spans in choices]
    return min(plans, key=lambda plan: _cost(plan, policy))


def _plan(buffer: TokenBuffer, tokens: Tokens, spans: Sequence[Span]) -> EditPlan:
    return EditPlan(tokens, tuple(spans), _placed(buffer, spans))


def _head(spans: Sequence[Span]) -> list[Span]:
    return [span for span in spans[:1] if span.old == span.new == 0 and not span.delta]


def _cost(plan: EditPlan, policy: ReusePolicy) -> int:
    """About how long a plan takes, counted in evaluated tokens; inexactness has a price too."""
    gaps = plan.gaps
    cost = plan.evaluated + len(gaps) * policy.gap_tokens
    if plan.shifted:
        cost += policy.shift_tokens
    if any(span.changed for span in plan.spans):
        cost += policy.inexact_tokens
    return cost


def _spans(buffer: TokenBuffer, matches: Sequence[Match], end: int) -> list[Span]:
    """Matches cut where old positions have a gap, and before ``end``."""
    spans = []
    for match in matches:
        skipped = 0 if match.old == match.new == 0 else max(0, SINK_TOKENS - match.new)
        match = Match(match.old + skipped, match.new + skipped, match.size - skipped)
        size = min(match.size, end - match.new)
        if size <= 0:
            continue
        positions = buffer.positions[match.old : match.old + size]
        steps = np.flatnonzero(np.diff(positions) != 1) + 1
        cuts = [0, *steps.tolist(), size]
        for start, stop in pairwise(cuts):
            new = match.new + start
            spans.append(Span(match.old + start, new, stop - start, new - int(positions[start])))
    return spans


def _bounded(buffer: TokenBuffer, spans: Sequence[Span], policy: ReusePolicy) -> list[Span]:
    """Spans without those that have too many changed tokens before them."""
    kept: list[Span] = []
    for span in spans:
        earlier = int(buffer.changes[span.old : span.old + span.size].max())
        changed = _changed_before(span, kept, buffer)
        if earlier + changed <= policy.changed_tokens_max:
            kept.append(replace(span, changed=changed))
    return kept


def _trimmed(spans: Sequence[Span], length: int, policy: ReusePolicy) -> list[Span]:
    """Spans without the tokens that feel a change most; where tokens were only removed, without all
    or none of them.
    """
    in_order = all(span.old < following.old for span, following in pairwise(spans))
    only_removed = in_order and sum(span.size for span in spans) == length - 1
    kept: list[Span] = []
    before = 0
    for span in spans:
        start, end = span.new, span.new + span.size
        if span.changed and not only_removed:
            end = min(end, length - policy.tail_tokens)
        if span.changed > before:
            if not only_removed:
                is_opening = sum(other.size for other in kept) <= SINK_TOKENS
                start += policy.opening_tokens if is_opening else policy.after_tokens
            near = max(policy.near_tokens, NEAR_PER_CHANGED * span.changed)
            if length - start < min(near, policy.near_tokens_max):
                break
        if end > start:
            old = span.old + start - span.new
            kept.append(replace(span, old=old, new=start, size=end - start))
        before = span.changed
    return kept


def _changed_before(span: Span, kept: Sequence[Span], buffer: TokenBuffer) -> int:
    """Tokens before ``span`` in only one of the buffers, given the spans kept before it.

    Positions that an interrupted prefill left empty were counted when it was planned.
    """
    both = sum(other.size for other in kept if other.old < span.old)
    empty = int(buffer.positions[span.old]) - span.old
    return (span.old - both) + max(0, span.new - both - empty)


def _placed(buffer: TokenBuffer, spans: Sequence[Span]) -> TokenBuffer:
    if not spans:
        return buffer.cut(0)
    indices = np.concatenate([np.arange(span.old, span.old + span.size) for span in spans])
    positions = [np.arange(span.new, span.new + span.size, dtype=np.int32) for span in spans]
    changed = [np.full(span.size, span.changed, np.int32) for span in spans]
    first = spans[0]
    exact = min(buffer.exact, first.size) if first.old == first.new == 0 else 0
    return TokenBuffer(
        buffer.tokens[indices],
        np.concatenate(positions),
        buffer.changes[indices] + np.concatenate(changed),
        exact,
    )
