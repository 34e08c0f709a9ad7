"""Outcomes written down as plain data: values that a caller could tell apart are written differently."""

from __future__ import annotations

import datetime
import decimal
import importlib.util
import json
import random
from collections import OrderedDict
from typing import Any

import pytest

from assist.analysis.execution.worker_encode import Encoder


class Day(datetime.date):
    pass


class Money(decimal.Decimal):
    pass


class Ordered(OrderedDict[str, int]):
    pass


class Dice(random.Random):
    pass


def written(value: Any) -> tuple[str, list[str]]:
    encoder = Encoder()
    return json.dumps([encoder.add(value), encoder.nodes]), encoder.opaque


def check(first: Any, second: Any) -> None:
    """Both can be looked into, and they are different."""
    (one, hidden), (other, _) = written(first), written(second)
    assert not hidden and one != other
    assert written(first)[0] == one


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Day(2024, 1, 1), Day(2024, 1, 2)),
        (Day(2024, 1, 1), datetime.date(2024, 1, 1)),
        (Money("1.0"), Money("1.00")),
        (Ordered(a=1, b=2), Ordered(b=2, a=1)),
        (Dice(1), Dice(2)),
    ],
)
def test_what_a_base_class_holds_in_c(first: Any, second: Any) -> None:
    check(first, second)


@pytest.mark.skipif(not importlib.util.find_spec("numpy"), reason="numpy is not installed")
def test_arrays() -> None:
    import numpy as np

    class Own(np.ndarray):
        pass

    check(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    check(np.array([0.0]), np.array([-0.0]))
    check(np.array([1]), np.array([1], dtype="int32"))
    check(np.array([1, 2]).view(Own), np.array([1, 3]).view(Own))


@pytest.mark.skipif(not importlib.util.find_spec("pandas"), reason="pandas is not installed")
def test_frames() -> None:
    import pandas as pd

    check(pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [1, 3]}))
    check(pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [1.0, 2.0]}))
    check(pd.DataFrame({"a": [1], "b": [1]}), pd.DataFrame({"b": [1], "a": [1]}))
    check(pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [1, 2]}, index=[1, 2]))
    check(pd.Series(["x", "y"]), pd.Series(["x", "z"]))
    check(pd.Series([1, None], dtype="Int64"), pd.Series([1, 2], dtype="Int64"))
    check(pd.Series(["a"], dtype="category"), pd.Series(pd.Categorical(["a"], ["a", "b"])))
    check(pd.Series(pd.to_datetime(["2024-01-01"])), pd.Series(pd.to_datetime(["2024-01-02"])))
    check(pd.Series([1.0], name="a"), pd.Series([1.0], name="b"))
    check(pd.Index([1, 2]), pd.Index([1, 3]))
