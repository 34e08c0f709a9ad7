"""Greedy answers are the same with and without drafts, on the embedded model too."""

from __future__ import annotations

from pathlib import Path

import pytest

from assist.completion.session import EngineSession
from assist.models.kv_session import KvSession
from assist.models.llama import LlamaOptions, load_model
from assist.models.template import PREFIX_ONLY
from assist.server.bench.mined import mine_holes, read_sources
from assist.server.bench.speculation import SpeculationCase, run_holes, summarise
from support.lsp import model_file

PACKAGES = ("click", "pygls", "rich", "sqlite-utils", "watchdog")
ANSWERS_MIN = 200


def check(limit: int, *, monitors: bool, files: bool = False) -> list[SpeculationCase]:
    model = load_model(Path(model_file()), LlamaOptions(context_tokens=512))
    session = EngineSession(KvSession(model), PREFIX_ONLY)
    holes = list(mine_holes(read_sources(PACKAGES), limit, 0))
    cases = list(
        run_holes(
            session,
            holes,
            monitors=monitors,
            files=files,
            rounds=1,
            tokens_max=16,
            context_tokens_max=160,
        )
    )
    model.close()
    assert all(case.same for case in cases)
    return cases


@pytest.mark.model
def test_a_few_answers_are_the_same() -> None:
    cases = check(6, monitors=False)
    assert summarise(cases)["same_text"]["share"] == 1.0


@pytest.mark.model
def test_drafts_from_other_files_change_nothing() -> None:
    assert check(3, monitors=True, files=True)


@pytest.mark.model
@pytest.mark.deep
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("monitors", [False, True])
def test_many_answers_are_the_same(monitors: bool) -> None:
    assert len(check(ANSWERS_MIN + 60, monitors=monitors, files=monitors)) >= ANSWERS_MIN
