"""How the points of a cluster spread over the hours of the day and the days of the week."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
HOURS, WEEKDAYS = 24, 7
NO_HOUR = 255


def hours_of_week(at: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the hour of the week of each local time: 0 is the first hour of Monday, `NO_HOUR` stands for NaT."""
    hour = at.astype("datetime64[h]").view(np.int64)
    hour += 3 * HOURS  # 1970-01-01 was a Thursday
    hour %= HOURS * WEEKDAYS
    week = hour.astype(np.uint8)
    week[np.isnat(at)] = NO_HOUR
    return week


def weight_by_time(
    week: NDArray[np.uint8], cluster: NDArray[np.int64], weight: Floats | None, n_clusters: int
) -> tuple[Floats, Floats]:
    """Sum weights, 1 by default, by local hour, shape (n_clusters, 24), and by weekday, shape (n_clusters, 7).

    `week` holds the hour of the week of each point; see `hours_of_week`.
    """
    known = week != NO_HOUR
    if not known.all():
        week, cluster, weight = week[known], cluster[known], None if weight is None else weight[known]
    if weight is None and n_clusters * HOURS * WEEKDAYS <= len(week):  # whole numbers, whose order makes no difference
        whole = np.bincount(cluster * (HOURS * WEEKDAYS) + week, minlength=n_clusters * HOURS * WEEKDAYS)
        by_day = whole.reshape(n_clusters, WEEKDAYS, HOURS).astype(np.float64)
        return by_day.sum(axis=1), by_day.sum(axis=2)
    hour = week.astype(np.int64)

    def totals(slot: NDArray[np.int64], n_slots: int) -> Floats:
        flat = np.bincount(cluster * n_slots + slot, weight, n_clusters * n_slots)
        return flat.astype(np.float64).reshape(n_clusters, n_slots)

    return totals(hour % HOURS, HOURS), totals(hour // HOURS, WEEKDAYS)


def shares(totals: Floats) -> Floats:
    """Return each row as shares of its sum; zeros where the sum is zero."""
    whole = totals.sum(axis=1, keepdims=True)
    found: Floats = np.divide(totals, whole, out=np.zeros_like(totals), where=whole > 0)
    return found
