"""Ends what waits for a sandbox once its time is over; it starts and measures nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

OVERRUN_SECONDS, OVERRUN_SHARE = 2.0, 0.1


class OutOfTime(Exception):
    """The time was used up; what was running is of no use any more and must be closed."""


def overrun_seconds(budget_seconds: float) -> float:
    """How long work that is nearly done may go on when its budget is spent."""
    return OVERRUN_SECONDS + OVERRUN_SHARE * budget_seconds


def stop_after(deadline: float, cancelled: Callable[[], bool] | None) -> Callable[[], bool]:
    """A ``cancelled`` that also raises OutOfTime after ``deadline``, a value of ``time.monotonic()``."""

    def stop() -> bool:
        if cancelled is not None and cancelled():
            return True
        if time.monotonic() > deadline:
            raise OutOfTime
        return False

    return stop
