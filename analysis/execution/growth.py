"""Names how the time of a call grows with the size of its input, from a few measured points; it claims nothing that the points do not tell apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

POINTS_MIN = 3
SPREAD_MIN = 3.5  # largest over smallest size
TOLERANCE = 1.15  # a simpler law is kept if it fits nearly as well
ERROR_MAX = 0.30

LAWS: tuple[tuple[str, Callable[[float], float]], ...] = (
    ("1", lambda n: 1.0),
    ("log n", lambda n: math.log2(n + 1)),
    ("√n", math.sqrt),
    ("n", lambda n: n),
    ("n log n", lambda n: n * math.log2(n + 1)),
    ("n²", lambda n: n * n),
    ("n² log n", lambda n: n * n * math.log2(n + 1)),
    ("n³", lambda n: n**3),
)


def growth_label(points: Sequence[tuple[int, float, float]]) -> str | None:
    """``points`` are ``(size, seconds before, seconds after)``; gives ``"n² → n log n"``, ``"n"`` or None."""
    usable = sorted({point[0]: point for point in points if point[0] > 0}.values())
    if len(usable) < POINTS_MIN or usable[-1][0] < SPREAD_MIN * usable[0][0]:
        return None
    before = law_of([(n, seconds) for n, seconds, _ in usable])
    after = law_of([(n, seconds) for n, _, seconds in usable])
    if before is None or after is None:
        return None
    return before if before == after else f"{before} → {after}"


def law_of(points: Sequence[tuple[int, float]]) -> str | None:
    """The simplest law ``a + b·f(n)`` that fits; None if none does."""
    fits = [(name, _error(points, law)) for name, law in LAWS]
    best = min(error for _, error in fits)
    if best > ERROR_MAX:
        return None
    for name, error in fits:
        if error <= best * TOLERANCE + 0.02:
            return name
    return None


def _error(points: Sequence[tuple[int, float]], law: Callable[[float], float]) -> float:
    """Largest relative error of the best fit with ``a, b >= 0``, weighted so that every size counts alike."""
    weighted = [(1 / t, law(n) / t) for n, t in points]
    saa = sum(u * u for u, _ in weighted)
    sab = sum(u * v for u, v in weighted)
    sbb = sum(v * v for _, v in weighted)
    sa, sb = sum(u for u, _ in weighted), sum(v for _, v in weighted)
    determinant = saa * sbb - sab * sab
    a = b = 0.0
    if determinant > 1e-12 * saa * sbb:
        a, b = (sa * sbb - sb * sab) / determinant, (sb * saa - sa * sab) / determinant
    if a < 0 or b < 0 or (a, b) == (0.0, 0.0):
        a, b = min(((0.0, sb / sbb), (sa / saa, 0.0)), key=lambda ab: _worst(weighted, *ab))
    return _worst(weighted, a, b)


def _worst(weighted: Sequence[tuple[float, float]], a: float, b: float) -> float:
    return max(abs(a * u + b * v - 1) for u, v in weighted)
