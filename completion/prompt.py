"""Cuts a document around the cursor and orders it by the model's template into tokens; it never evaluates them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from assist.analysis.document import Span
from assist.completion.token_trie import NO_HEAL, Heal
from assist.models.model import Model
from assist.models.template import PREFIX, SUFFIX, FimTemplate

# Code points looked at on each side of the cursor: bounds the work on a huge file or line.
WINDOW_CODE_POINTS_MAX = 24_000
SUFFIX_SHARE = 0.25
# A window is cut to this share of its room and stays until it overflows or runs low, so that
# typing does not move its edge.
FILL_SHARE = 0.75
LOW_SHARE = 0.4
CODE_POINTS_PER_TOKEN = 3.2
CUT_ROUNDS_MAX = 6
HEAL_TOKENS_MAX = 6
LINE_CODE_POINTS_MAX = 2_000
WORD = "a"

_TAIL = re.compile(r"\s?(\w+)\Z|(\s+)\Z|(.)\Z", re.DOTALL)


@dataclass(frozen=True)
class Window:
    """The part ``start <= cursor <= end`` of ``text`` that the model sees."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class FimPrompt:
    """Tokens of one prompt and the texts they stand for.

    ``prefix_tokens`` and ``suffix_tokens`` are the parts of it that stand for the document.
    ``heal`` is the text before the cursor that was left out of the tokens: the answer must
    begin with it. ``is_recut`` tells
    that the window starts elsewhere than before. ``window`` is handed to the next prompt of the same document.
    """

    tokens: tuple[int, ...]
    prefix: str
    suffix: str
    heal: Heal
    window: Window
    prefix_tokens: tuple[int, ...] = ()
    suffix_tokens: tuple[int, ...] = ()
    is_recut: bool = False


def build_prompt(
    model: Model,
    template: FimTemplate,
    text: str,
    offset: int,
    *,
    tokens_max: int,
    window: Window | None = None,
    context: str = "",
    heal: bool = True,
    suffix_share: float = SUFFIX_SHARE,
) -> FimPrompt:
    """Prompt for the cursor at ``offset`` of ``text``, at most ``tokens_max`` tokens.

    ``context`` is put before the prefix, as whole lines, and counts within the budget. The edges of ``window``
    (of the document's previous prompt) are kept while they fit. Lone surrogates become U+FFFD.
    The suffix gets at most ``suffix_share`` of the room.
    """
    text = _without_surrogates(text)
    room = room_without_context = max(tokens_max - len(template.markers), 8)
    if context:
        # A token more: the last line end may be read together with the line that follows.
        room -= len(_plain_tokens(model, template, context)) + 1
        if room < tokens_max // 2:
            room, context = room_without_context, ""
    moved = _moved(window, text, offset) if window else Window(text, -1, -1)
    end, suffix_tokens = offset, list[int]()
    if template.uses_suffix:
        suffix_max = int(room * suffix_share)
        end, suffix_tokens = _cut_end(model, template, moved, offset, suffix_max)
    prefix_max = room - len(suffix_tokens)
    start, prefix_tokens = _cut_start(model, template, moved, offset, prefix_max)
    if context:
        prefix_tokens = _plain_tokens(model, template, context + text[start:offset])
    healed = NO_HEAL
    if heal and template.heal:
        healed = _heal(model, text[start:offset], prefix_tokens)
    tokens: list[int] = []
    for part in template.parts:
        if part == PREFIX:
            tokens += prefix_tokens
        elif part == SUFFIX:
            tokens += suffix_tokens
        else:
            tokens += _markers(model, (part,))
    if not tokens:
        tokens = [min(model.vocabulary.end_of_generation, default=0)]
    return FimPrompt(
        tuple(tokens),
        text[start:offset],
        text[offset:end],
        healed,
        Window(text, start, end),
        tuple(prefix_tokens),
        tuple(suffix_tokens),
        start != moved.start,
    )


def _plain_tokens(model: Model, template: FimTemplate, text: str) -> list[int]:
    """Tokens of user text; marker text in it is split so that it can never become a marker."""
    tokens = model.tokenize(text)
    vocabulary = model.vocabulary
    read_as_markers = vocabulary.special.union(_markers(model, template.markers)).intersection(
        tokens
    )
    if not read_as_markers:
        return tokens
    markers = [vocabulary.pieces[token].decode() for token in read_as_markers]
    pattern = "|".join(f"(?<={re.escape(m[0])})(?={re.escape(m[1:])})" for m in markers)
    return [token for piece in re.split(pattern, text) for token in model.tokenize(piece)]


def _markers(model: Model, markers: tuple[str, ...]) -> list[int]:
    ids = (model.vocabulary.marker(marker) for marker in markers)
    return [token for token in ids if token is not None]


def _cut_start(
    model: Model, template: FimTemplate, kept: Window, offset: int, tokens_max: int
) -> tuple[int, list[int]]:
    text = kept.text
    if 0 <= kept.start <= offset:
        tokens = _plain_tokens(model, template, text[kept.start : offset])
        if len(tokens) <= tokens_max and (kept.start == 0 or len(tokens) >= LOW_SHARE * tokens_max):
            return kept.start, tokens
    length = min(WINDOW_CODE_POINTS_MAX, int(tokens_max * CODE_POINTS_PER_TOKEN))
    for _ in range(CUT_ROUNDS_MAX):
        start = _line_start_after(text, offset - length, offset)
        tokens = _plain_tokens(model, template, text[start:offset])
        whole = start == 0
        limit = tokens_max if whole else FILL_SHARE * tokens_max
        if len(tokens) <= limit:
            return start, tokens
        length = max(int((offset - start) * limit / len(tokens) * 0.95), 1)
    return offset, []


def _cut_end(
    model: Model, template: FimTemplate, kept: Window, offset: int, tokens_max: int
) -> tuple[int, list[int]]:
    text = kept.text
    if kept.end >= offset:
        tokens = _plain_tokens(model, template, text[offset : kept.end])
        if len(tokens) <= tokens_max and (
            kept.end == len(text) or len(tokens) >= LOW_SHARE * tokens_max
        ):
            return kept.end, tokens
    length = min(WINDOW_CODE_POINTS_MAX, int(tokens_max * CODE_POINTS_PER_TOKEN))
    for _ in range(CUT_ROUNDS_MAX):
        end = _line_end_before(text, offset + length, offset)
        tokens = _plain_tokens(model, template, text[offset:end])
        limit = tokens_max if end == len(text) else FILL_SHARE * tokens_max
        if len(tokens) <= limit:
            return end, tokens
        length = max(int((end - offset) * limit / len(tokens) * 0.95), 1)
    return offset, []


def _line_start_after(text: str, start: int, offset: int) -> int:
    """First line start at or after ``start``, or ``start`` itself where the line is too long."""
    if start <= 0:
        return 0
    newline = text.rfind("\n", start - 1, start)
    if newline < 0:
        newline = text.find("\n", start, min(offset, start + LINE_CODE_POINTS_MAX))
    if newline >= 0:
        return newline + 1
    previous = text.rfind("\n", max(0, offset - LINE_CODE_POINTS_MAX), offset)
    return previous + 1 if previous >= start else start


def _line_end_before(text: str, end: int, offset: int) -> int:
    """Last line end at or before ``end``, or ``end`` itself where the line is too long."""
    if end >= len(text):
        return len(text)
    newline = text.rfind("\n", offset, end)
    return newline + 1 if newline >= 0 else end


def _heal(model: Model, prefix: str, tokens: list[int]) -> Heal:
    """Take the last word or run of blanks off ``tokens`` and return it.

    The end of a text is often tokenised otherwise than the same text inside a longer one, and a
    model has rarely seen what follows such an end ("token healing").
    """
    tail = _TAIL.search(prefix[-LINE_CODE_POINTS_MAX:])
    if tail is None:
        return NO_HEAL
    size_max = len(tail[0].encode())
    word_size = len(tail[tail.lastindex or 0].encode())
    pieces = model.vocabulary.pieces
    count = size = 0
    while count < min(len(tokens), HEAL_TOKENS_MAX):
        piece = pieces[tokens[-1 - count]]
        if size >= word_size or (count and size + len(piece) > size_max):
            break
        size += len(piece)
        count += 1
    data = prefix[-LINE_CODE_POINTS_MAX:].encode()
    while count < len(tokens) and _inside_character(data, len(data) - size):
        size += len(pieces[tokens[-1 - count]])
        count += 1
    healed = tokens[len(tokens) - count :]
    if not data.endswith(model.vocabulary.detokenize(healed)):
        return NO_HEAL
    del tokens[len(tokens) - count :]
    data = model.vocabulary.detokenize(healed)
    splits = [tuple(healed)]
    if tail[2] and not tail[2].endswith("\n"):
        # Before a word the last blank belongs to the word's token, so the others are split elsewhere.
        splits.append(tuple(model.tokenize(data.decode("utf-8", "ignore") + WORD)))
    return Heal(data, tuple(splits))


def _inside_character(data: bytes, index: int) -> bool:
    return 0 < index < len(data) and data[index] & 0xC0 == 0x80


def _moved(window: Window, text: str, offset: int) -> Window:
    """The window's edges in the changed ``text``; -1 for an edge that was edited away."""
    if window.text == text:
        return replace(window, text=text)
    old = window.text
    span, _ = changed_span(old, text)
    head, tail = span.start, len(old) - span.end

    def move(edge: int) -> int:
        if edge <= head:
            return edge
        if edge >= len(old) - tail:
            return edge + len(text) - len(old)
        return -1

    start, end = move(window.start), move(window.end)
    if start > 0 and text[start - 1] != "\n":
        start = -1
    return Window(text, start, end)


def changed_span(old: str, new: str) -> tuple[Span, str]:
    """The one edit that turns ``old`` into ``new``: the span of ``old`` and its new text."""
    shorter = min(len(old), len(new))
    head = _common_prefix(old, new)
    tail = _common_suffix(old, new, shorter - head)
    return Span(head, len(old) - tail), new[head : len(new) - tail]


def _common_prefix(left: str, right: str) -> int:
    """By bisection over slices, which compare at the speed of memory."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_suffix(left: str, right: str, length_max: int) -> int:
    low, high = 0, length_max
    while low < high:
        middle = (low + high + 1) // 2
        if (
            left[len(left) - middle : len(left) - low]
            == right[len(right) - middle : len(right) - low]
        ):
            low = middle
        else:
            high = middle - 1
    return low


def _without_surrogates(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", "�", text)
    return text
