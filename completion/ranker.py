"""Estimates how likely a candidate is what the user will write, and decides what is worth showing; it never changes a candidate."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from assist.completion.answer import UNFINISHED, Answer, Task, Threshold
from assist.completion.features import FEATURES, describe
from assist.models.errors import ModelFileError
from assist.models.onnx import OnnxModel, load_onnx

RANKER_FILE = Path(__file__).parent / "ranker.onnx"
# Without the file: mean probability of the tokens below which nothing is shown.
LIKELIHOOD_MIN: dict[str, float] = {"quiet": 0.75, "balanced": 0.5, "eager": 0.0}
# The ranker learned from the answers that the model likes best. Its others are right less often than
# it thinks: counted in full they displaced five of 55 right answers, at half they brought three more.
OTHERS_SHARE = 0.5
# None of the 29 among the answers that the ranker learned from was right; of the others 24% were.
UNFINISHED_SHARE = 0.1


@dataclass(frozen=True)
class Ranker:
    """A model of the chance that an answer is right, and the chances that are enough to show it."""

    model: OnnxModel
    thresholds: dict[str, float]

    def chances(self, task: Task, answers: Sequence[Answer]) -> list[float]:
        """For each answer, the model's own first, the estimated chance that it is what will be written."""
        rows = np.stack([describe(task, answer) for answer in answers])
        own, *others = (float(chance) for chance in self.model.run(rows))
        return [own, *(OTHERS_SHARE * chance for chance in others)]


@lru_cache(maxsize=4)
def load_ranker(path: Path = RANKER_FILE) -> Ranker | None:
    """The ranker that comes with the program; none where its file is missing or does not fit."""
    try:
        model = load_onnx(path)
        features = json.loads(model.metadata["features"])
        thresholds = json.loads(model.metadata["thresholds"])
    except (ModelFileError, KeyError, ValueError):
        return None
    return Ranker(model, thresholds) if tuple(features) == FEATURES else None


def rank(
    ranker: Ranker | None, task: Task, answers: Sequence[Answer], threshold: Threshold
) -> list[tuple[float, Answer]]:
    """Answers that are worth showing with their chances, best first, each text once."""
    if not any(answer.text for answer in answers):
        return []
    if ranker is None:
        chances, thresholds = [likelihood(answer) for answer in answers], LIKELIHOOD_MIN
    else:
        chances, thresholds = ranker.chances(task, answers), ranker.thresholds
    least = thresholds.get(threshold, 0.0)
    best: dict[str, tuple[float, Answer]] = {}
    for chance, answer in zip(chances, answers, strict=True):
        known = best.get(answer.text)
        if answer.text and chance >= least and (known is None or known[0] < chance):
            best[answer.text] = chance, answer
    return sorted(best.values(), key=lambda pair: -pair[0])


def likelihood(answer: Answer) -> float:
    """Geometric mean of the tokens' probabilities, and of the suffix's where that was judged.

    A text that goes on and on is made of likely tokens; that it never ended counts against it.
    """
    scores = answer.decoded.log_probabilities
    if not scores:
        return 0.0
    mean = sum(scores) / len(scores)
    if answer.suffix_fit is not None:
        mean = (mean + answer.suffix_fit) / 2
    unfinished = answer.decoded.reason in UNFINISHED
    return math.exp(mean) * (UNFINISHED_SHARE if unfinished else 1.0)
