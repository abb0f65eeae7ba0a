"""The state of an alarm, from its latest data points.

The rules and their examples: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Literal

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
# More points than an alarm's periods are fetched, so that a few late ones do not make it uncertain.
EXTRA_POINTS = 2
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def judge(breaching: Sequence[bool | None], periods: int, to_alarm: int, missing: str, current: State) -> State:
    """Return an alarm's new state.

    Parameters
    ----------
    breaching
        For each point, oldest first, whether it breaches the threshold; None if there is no data. It holds
        `EXTRA_POINTS` more than `periods`.
    periods, to_alarm
        How many points are judged (N), and how many of them must breach to ring (M).
    missing
        How missing data counts: `breaching`, `notBreaching`, `ignore` or `missing`.
    current
        The state so far.
    """
    real = [point for point in breaching if point is not None]
    if len(real) >= periods:
        return "ALARM" if sum(real[-periods:]) >= to_alarm else "OK"
    filled = periods - len(real) if missing == "breaching" else 0
    if sum(real) + filled >= to_alarm:
        return "ALARM"
    if missing in {"breaching", "notBreaching"} or not all(real):
        return "OK"
    if not real:
        return current if missing == "ignore" else "INSUFFICIENT_DATA"
    # All that is known breaches, but less than M points: it rings if the oldest is M periods old.
    age = len(breaching) - next(index for index, point in enumerate(breaching) if point is not None)
    return "ALARM" if missing == "missing" and age >= to_alarm else current
