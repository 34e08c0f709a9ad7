"""Measures how well the text after the cursor follows a candidate, for models that were not shown it; it changes no candidate."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from assist.completion.prompt import FimPrompt
from assist.models.kv_session import KvSession
from assist.models.model import Abort

SUFFIX_TOKENS_MAX = 12
SUFFIX_CODE_POINTS_MAX = 200


def suffix_log_probability(
    kv: KvSession, start: int, prompt: FimPrompt, text: str, suffix: str, abort: Abort | None = None
) -> float | None:
    """Mean natural log-probability of the beginning of ``suffix`` after the prompt and ``text``.

    ``start`` is the length of the prompt in ``kv``; tokens of the candidate that are still there
    are reused. None where there is nothing to judge by.
    """
    head = suffix[:SUFFIX_CODE_POINTS_MAX]
    if not head.strip():
        return None
    answer = prompt.heal.data.decode("utf-8", "ignore") + text
    tokens = kv.model.tokenize(answer + head)
    sizes = accumulate(len(kv.model.vocabulary.pieces[token]) for token in tokens)
    boundary = sum(size < len(answer.encode()) for size in sizes) + 1
    end = min(len(tokens), boundary + SUFFIX_TOKENS_MAX)
    held = kv.tokens[start:].tolist()
    # The row before the first judged token is needed too, so that token is evaluated again.
    same = 0
    while same < min(len(held), boundary - 1) and held[same] == tokens[same]:
        same += 1
    kv.truncate(start + same)
    count = end - boundary
    if count <= 0 or boundary < 1:
        return None
    rows = kv.extend(tokens[same : end - 1], logits=count, abort=abort)
    top = rows.max(axis=1, keepdims=True)
    sums = top[:, 0] + np.log(np.exp(rows - top).sum(axis=1))
    return float(np.mean(rows[np.arange(count), tokens[boundary:end]] - sums))
