from __future__ import annotations

import io

import pytest
from rich.console import Console

from assist.completion.engine import EngineSession
from assist.models.kv_session import KvSession
from assist.models.scripted import ScriptedModel
from assist.models.template import PREFIX_ONLY
from assist.server.commands.demo import show
from assist.server.demo.sample import (
    by_city,
    cities,
    heaviest,
    parse_parcel,
    total_price,
    total_weight,
)
from assist.server.demo.tour import EDITED, STOPS, visit_all


def check(script: dict[str, str], shown: list[str]) -> None:
    session = EngineSession(KvSession(ScriptedModel(script)), PREFIX_ONLY)
    output = Console(record=True, width=100, file=io.StringIO())
    show(output, session, "scripted")
    text = output.export_text()
    for line in shown:
        assert line in text, text


def test_the_sample_is_a_module_that_works() -> None:
    parcels = [parse_parcel(line) for line in ("1; Lyon;2", "2;Nice;3", "3;Lyon;1")]
    assert total_weight(parcels) == 6
    assert total_price(parcels) == pytest.approx(3 * 3.5 + 6 * 1.2)
    assert list(by_city(parcels)) == cities(parcels) == ["Lyon", "Nice"]
    assert heaviest(parcels) == parcels[1]


def test_every_stop_is_a_place_of_the_sample() -> None:
    session = EngineSession(KvSession(ScriptedModel()), PREFIX_ONLY)
    visits = list(visit_all(session))
    assert len(visits) == len(STOPS) + 1
    for visit, stop in zip(visits, (*STOPS, EDITED), strict=True):
        before = visit.document.text[: visit.offset]
        assert before.endswith(stop.typed)
        assert f"def {stop.within}(" in before
        assert visit.document.text[visit.offset] == "\n"


def test_answers_and_counts_are_shown() -> None:
    check({"        total += ": "parcel.price()\n"}, ["total += parcel.price()", " kept, "])


@pytest.mark.model
def test_the_real_model_keeps_its_cache_over_the_edit() -> None:
    from assist.models.open import open_model

    opened = open_model()
    session = EngineSession(KvSession(opened.model), opened.template)
    visits = list(visit_all(session))
    assert all(visit.text for visit in visits)
    tokens = visits[-1].completion.tokens
    assert tokens["evaluated"] < tokens["prompt"] / 4
