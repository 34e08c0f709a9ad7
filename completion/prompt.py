"""Cuts a document around the cursor and orders it by the model's template into tokens; it never evaluates them."""

from __future__ import annotations

from dataclasses import dataclass

from assist.models.model import Model
from assist.models.template import PREFIX, SUFFIX, FimTemplate

# Code points that are looked at around the cursor: bounds the work on a huge file or line.
WINDOW_CODE_POINTS_MAX = 24_000
SUFFIX_SHARE = 0.3


@dataclass(frozen=True)
class FimPrompt:
    """Tokens of one prompt, and the texts they stand for."""

    tokens: tuple[int, ...]
    prefix: str
    suffix: str


def build_prompt(
    model: Model, template: FimTemplate, text: str, offset: int, *, tokens_max: int
) -> FimPrompt:
    """Prompt for the cursor at ``offset``; at most ``tokens_max`` tokens, whole lines where it cuts."""
    markers = {part: _marker_id(model, part) for part in template.markers}
    room = max(tokens_max - len(markers), 2)
    suffix_max = int(room * SUFFIX_SHARE) if template.uses_suffix else 0
    suffix_text = text[offset : offset + WINDOW_CODE_POINTS_MAX] if suffix_max else ""
    suffix_tokens = model.tokenize(suffix_text)[:suffix_max]
    prefix_text = text[max(0, offset - WINDOW_CODE_POINTS_MAX) : offset]
    prefix_tokens = model.tokenize(prefix_text)[-(room - len(suffix_tokens)) :]
    tokens: list[int] = []
    for part in template.parts:
        if part == PREFIX:
            tokens += prefix_tokens
        elif part == SUFFIX:
            tokens += suffix_tokens
        else:
            tokens.append(markers[part])
    if not tokens:
        tokens = [min(model.vocabulary.end_of_generation, default=0)]
    return FimPrompt(tuple(tokens), prefix_text, suffix_text)


def _marker_id(model: Model, marker: str) -> int:
    return model.vocabulary.pieces.index(marker.encode())
