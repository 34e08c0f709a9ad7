"""Describes an answer in numbers, for the ranker: how sure the model was, what the monitors said, how the text sits in its place; it judges nothing."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from assist.analysis.syntax import Extent, Region
from assist.completion.answer import Answer, Task

FEATURES = (
    "mean",
    "lowest",
    "second_lowest",
    "sum",
    "first",
    "last",
    "share_sure",
    "tokens",
    "characters",
    "lines",
    "ended_by_model",
    "ended_by_rule",
    "illegal",
    "trimmed",
    "rejected",
    "masked",
    "legal_mass",
    "suffix_fit",
    "suffix_judged",
    "block",
    "in_string",
    "in_comment",
    "line_start",
    "typed_word",
    "line_prefix",
    "indentation",
    "after_dot",
    "after_opener",
    "after_blank",
    "rest_of_line",
    "known_names",
    "new_names",
    "line_known",
    "punctuation",
    "calls",
)
SURE = math.log(0.8)
NAMES_CODE_POINTS_MAX = 6_000

Features = npt.NDArray[np.float32]

_NAME = re.compile(r"[^\W\d]\w*")
_WORD_END = re.compile(r"\w*\Z")


def describe(task: Task, answer: Answer) -> Features:
    """Values of :data:`FEATURES` in their order."""
    values = {
        **_confidence(answer.decoded.log_probabilities),
        **_ending(answer),
        **_monitors(answer),
        **_place(task),
        **_text(task, answer.text),
        "suffix_fit": answer.suffix_fit or 0.0,
        "suffix_judged": answer.suffix_fit is not None,
    }
    return np.array([float(values[name]) for name in FEATURES], np.float32)


def _confidence(scores: Sequence[float]) -> dict[str, float]:
    if not scores:
        scores = (-20.0,)
    low = sorted(scores)
    return {
        "mean": sum(scores) / len(scores),
        "lowest": low[0],
        "second_lowest": low[1] if len(low) > 1 else 0.0,
        "sum": sum(scores),
        "first": scores[0],
        "last": scores[-1],
        "share_sure": sum(score > SURE for score in scores) / len(scores),
        "tokens": math.log1p(len(scores)),
    }


def _ending(answer: Answer) -> dict[str, float]:
    decoded = answer.decoded
    written = max(len(decoded.text.rstrip()), 1)
    return {
        "ended_by_model": decoded.reason == "end",
        "ended_by_rule": decoded.reason == "stop",
        "illegal": decoded.reason == "illegal",
        "trimmed": 1.0 - min(len(answer.text), written) / written,
    }


def _monitors(answer: Answer) -> dict[str, float]:
    guard = answer.guard
    if guard is None:
        return {"rejected": 0.0, "masked": 0.0, "legal_mass": 0.0}
    return {
        "rejected": guard.rejected,
        "masked": guard.masked,
        "legal_mass": math.log(max(guard.legal_mass, 1e-6)),
    }


def _place(task: Task) -> dict[str, float]:
    place, rules = task.place, task.rules
    head = place.line_prefix
    word = _WORD_END.search(head[-80:])
    before = head.rstrip()[-1:]
    return {
        "block": rules.extent is Extent.BLOCK,
        "in_string": rules.region is Region.STRING,
        "in_comment": rules.region is Region.COMMENT,
        "line_start": not head.strip(),
        "typed_word": len(word[0]) if word else 0,
        "line_prefix": math.log1p(len(head)),
        "indentation": min(len(head) - len(head.lstrip()), 40) / 4,
        "after_dot": head.endswith("."),
        "after_opener": before in ("(", "[", "{", ","),
        "after_blank": bool(head.strip()) and head[-1:].isspace(),
        "rest_of_line": bool(place.line_rest.strip()),
    }


def _text(task: Task, text: str) -> dict[str, float]:
    prompt = task.prompt
    around = prompt.prefix[-NAMES_CODE_POINTS_MAX:] + prompt.suffix[:NAMES_CODE_POINTS_MAX]
    known = set(_NAME.findall(around))
    names = [name for name in _NAME.findall(text) if not keyword.iskeyword(name)]
    unknown = [name for name in names if name not in known]
    line = (task.place.line_prefix + text).partition("\n")[0].strip()
    lines = {row.strip() for row in around.split("\n")}
    return {
        "characters": math.log1p(len(text)),
        "lines": text.count("\n"),
        "known_names": len(names) - len(unknown),
        "new_names": len(unknown),
        "line_known": line in lines,
        "punctuation": sum(not c.isalnum() and not c.isspace() for c in text) / max(len(text), 1),
        "calls": text.count("("),
    }
