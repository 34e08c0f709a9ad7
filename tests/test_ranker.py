"""The ranker: trained on made-up cases, loaded as the program does, and left out where it is missing."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assist.analysis.document import Document
from assist.completion.answer import Answer, Task, Threshold
from assist.completion.engine import CompletionOptions, EngineSession, complete
from assist.completion.features import FEATURES, describe
from assist.completion.ranker import RANKER_FILE, UNFINISHED_SHARE, likelihood, load_ranker, rank
from assist.models.kv_session import KvSession
from assist.models.scripted import ScriptedModel
from assist.models.template import PREFIX_ONLY

SCRIPT = {"x = ": ["foo(1)\n", "bar\n"], "return val": "ue + 1\n"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ranker for which short answers of sure models are right."""
    pytest.importorskip("matplotlib")
    training = pytest.importorskip("assist.models.training.ranker")
    folder = tmp_path_factory.mktemp("ranker")
    chance = np.random.default_rng(0)
    mean, size = FEATURES.index("mean"), FEATURES.index("characters")
    with (folder / "cases.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["package", "right", "features"])
        writer.writeheader()
        for number in range(600):
            values = chance.normal(size=len(FEATURES))
            right = values[mean] - values[size] + chance.normal() * 0.3 > 0
            written = " ".join(f"{n}={v:.5g}" for n, v in zip(FEATURES, values, strict=True))
            writer.writerow(
                {"package": f"p{number % 7}", "right": bool(right), "features": written}
            )
    training.main(
        [
            str(folder / "cases.csv"),
            "--model=scripted",
            f"--output={folder / 'ranker.onnx'}",
            f"--card={folder / 'RANKER.md'}",
        ]
    )
    return folder


def answers(source: str, candidates: int = 2) -> tuple[Task, tuple[Answer, ...]]:
    offset = source.index("$0")
    document = Document("file:///a.py", source.replace("$0", ""))
    session = EngineSession(KvSession(ScriptedModel(SCRIPT)), PREFIX_ONLY)
    options = CompletionOptions(candidates=candidates, rank=False)
    completion = complete(session, document, document.position_at(offset), options)
    assert completion.task is not None
    return completion.task, completion.answers


def check(source: str, **expected: float) -> None:
    """Some of the features of the first answer at ``$0``."""
    task, found = answers(source)
    values = dict(zip(FEATURES, describe(task, found[0]).tolist(), strict=True))
    assert {name: values[name] for name in expected} == pytest.approx(expected)


def test_features_describe_the_place_and_the_answer() -> None:
    check("x = $0\n", line_start=0, after_blank=1, calls=1, new_names=1, typed_word=0)
    check("value = 1\nreturn val$0\n", typed_word=3, new_names=1, calls=0, lines=0)
    check("x = 2\nx = $0\n", line_known=0, in_string=0, rest_of_line=0)


def test_a_trained_ranker_knows_right_from_wrong(trained: Path) -> None:
    ranker = load_ranker(trained / "ranker.onnx")
    assert ranker is not None
    rows = np.zeros((2, len(FEATURES)), np.float32)
    rows[:, FEATURES.index("mean")] = [2, -2]
    sure, unsure = ranker.model.run(rows)
    assert sure > 0.9 and unsure < 0.1
    assert ranker.thresholds["quiet"] >= ranker.thresholds["balanced"] >= ranker.thresholds["eager"]


@pytest.mark.parametrize(("own", "other", "first"), [(0.5, 0.8, 0), (0.2, 0.8, 1)])
def test_another_answer_comes_first_only_where_it_is_clearly_better(
    monkeypatch: pytest.MonkeyPatch, own: float, other: float, first: int
) -> None:
    ranker = load_ranker()
    assert ranker is not None
    monkeypatch.setattr(type(ranker.model), "run", lambda _, rows: [own, other][: len(rows)])
    task, found = answers("x = $0\n")
    ranked = rank(ranker, task, found, "all")
    assert ranked[0][1].text == found[first].text


def test_another_answer_does_not_become_the_models_own_where_that_is_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ranker = load_ranker()
    assert ranker is not None
    monkeypatch.setattr(type(ranker.model), "run", lambda _, rows: [0.9, 0.8][: len(rows)])
    task, (own, other) = answers("x = $0\n")
    ((chance, answer),) = rank(ranker, task, [replace(own, text=""), other], "all")
    assert answer is other and chance == pytest.approx(0.4)
    assert rank(ranker, task, [replace(own, text="")], "all") == []


def test_the_card_says_how_it_was_made(trained: Path) -> None:
    card = (trained / "RANKER.md").read_text(encoding="utf-8")
    assert "on 600 answers of scripted" in card and "| balanced |" in card
    assert "<svg" in (trained / "RANKER.svg").read_text(encoding="utf-8")


def test_the_ranker_is_small(trained: Path) -> None:
    assert (trained / "ranker.onnx").stat().st_size < 3_000_000


@pytest.mark.parametrize("threshold", ["quiet", "balanced", "eager"])
def test_each_text_is_shown_once_and_best_first(trained: Path, threshold: Threshold) -> None:
    task, found = answers("x = $0\n", 3)
    for ranker in (load_ranker(trained / "ranker.onnx"), None):
        ranked = rank(ranker, task, [*found, *found], threshold)
        chances = [chance for chance, _ in ranked]
        assert chances == sorted(chances, reverse=True)
        texts = [answer.text for _, answer in ranked]
        assert len(texts) == len(set(texts))


def test_what_never_ends_is_less_likely() -> None:
    _, (answer, *_) = answers("x = $0\n")
    endless = replace(answer, decoded=replace(answer.decoded, reason="tokens"))
    assert likelihood(endless) == pytest.approx(UNFINISHED_SHARE * likelihood(answer))


def test_without_its_file_likelihood_decides(tmp_path: Path) -> None:
    assert load_ranker(tmp_path / "gone.onnx") is None
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    assert load_ranker(tmp_path / "bad.onnx") is None
    task, found = answers("x = $0\n")
    assert rank(None, task, found, "eager")[0][1].text == "foo(1)"
    assert rank(None, task, (), "eager") == []


def test_the_ranker_that_comes_with_the_program_fits() -> None:
    ranker = load_ranker()
    assert ranker is not None
    assert ranker.thresholds["quiet"] > ranker.thresholds["balanced"] > ranker.thresholds["eager"]
    assert RANKER_FILE.stat().st_size < 3_000_000
    assert RANKER_FILE.with_name("RANKER.md").is_file()
    rows = np.zeros((2, len(FEATURES)), np.float32)
    rows[:, FEATURES.index("sum")] = rows[:, FEATURES.index("lowest")] = [-0.1, -30]
    sure, unsure = ranker.model.run(rows)
    assert sure > unsure


def test_all_hides_none(trained: Path) -> None:
    task, found = answers("x = $0\n", 3)
    texts = {answer.text for answer in found if answer.text}
    shown = rank(load_ranker(trained / "ranker.onnx"), task, found, "all")
    assert {answer.text for _, answer in shown} == texts
