"""Worker, part 2b: changes arrays and frames at random, through their own methods; it imports neither numpy nor pandas."""

from __future__ import annotations

import random
from typing import Any

FRAMES = ("DataFrame", "Series")


def is_array(value: Any) -> bool:
    return type(value).__module__ == "numpy" and type(value).__name__ == "ndarray"


def is_frame(value: Any) -> bool:
    kind = type(value)
    return kind.__module__.split(".")[0] == "pandas" and kind.__name__ in FRAMES


def mutated_array(value: Any, generator: random.Random) -> Any:
    """Fewer items, another order, another layout or item type, an item at an edge."""
    if not value.ndim or not len(value):
        return value
    pick = generator.randrange(12)
    if pick < 7:
        orders: list[Any] = [
            value[:0], value[:1], value[::-1], value.copy(order="F"), value[:-1],
            value.repeat(2, axis=0)[::2], value.repeat(2, axis=0),
        ]  # fmt: skip
        return orders[pick]
    kind = value.dtype.kind
    if pick == 7 and kind in "iuf":
        return value.astype({"i": "float64", "u": "int64", "f": "float32"}[kind])
    changed = value.copy()
    position = generator.randrange(len(changed))
    by_kind: dict[str, list[Any]] = {
        "f": [float("nan"), float("inf"), 0.0, -0.0, 1.0, -1.0],
        "i": [0, 1, -1],
        "u": [0, 1],
        "b": [True, False],
    }
    edges = by_kind.get(kind, [])
    changed[position] = generator.choice(edges) if edges and pick < 11 else changed[0]
    return changed


def mutated_frame(value: Any, generator: random.Random) -> Any:
    """Rows left out, repeated or in another order, another index, a value missing, columns in another order."""
    count = len(value)
    if not count:
        return value
    pick = generator.randrange(9)
    if pick < 5:
        rows = [
            [],
            [0],
            list(range(count))[::-1],
            [*range(count), 0],
            list(range(1, count)),
        ][pick]
        return value.iloc[rows]
    if pick == 5:
        return value.iloc[list(range(count))[::-1]].reset_index(drop=True)
    if pick == 6 and type(value).__name__ == "DataFrame":
        return value[list(value.columns)[::-1]]
    changed = value.copy()
    row = generator.randrange(count)
    if type(value).__name__ == "Series":
        return value.drop(value.index[row]) if pick == 7 else value.shift(1)
    column = generator.randrange(len(value.columns)) if len(value.columns) else None
    if column is not None:
        name = value.columns[column]
        changed[name] = value[name].shift(1) if pick == 7 else value[name].iloc[row]
    return changed


def moved_array(value: Any, turn: int) -> Any:
    """Other numbers of the same type; anything else as it is."""
    return value + turn if value.dtype.kind in "if" else value


def moved_frame(value: Any, turn: int) -> Any:
    """Other numbers in the columns of numbers; other columns as they are."""
    if type(value).__name__ == "Series":
        return value + turn if value.dtype.kind in "if" else value
    changed = value.copy()
    for name in value.columns:
        if getattr(value[name], "dtype", None) is not None and value[name].dtype.kind in "if":
            changed[name] = value[name] + turn
    return changed


def grown_frame(value: Any, factor: int) -> Any:
    return value.iloc[list(range(len(value))) * factor].reset_index(drop=True)
