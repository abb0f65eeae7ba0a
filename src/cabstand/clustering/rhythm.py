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
    hour = at.astype("datetime64[h]").astype(np.int64)
    # 1970-01-01 was a Thursday.
    return np.where(np.isnat(at), NO_HOUR, (hour + 3 * HOURS) % (HOURS * WEEKDAYS)).astype(np.uint8)


def weight_by_time(
    week: NDArray[np.uint8], cluster: NDArray[np.int64], weight: Floats, n_clusters: int
) -> tuple[Floats, Floats]:
    """Sum weights by local hour, shape (n_clusters, 24), and by weekday, shape (n_clusters, 7).

    `week` holds the hour of the week of each point; see `hours_of_week`.
    """
    known = week != NO_HOUR
    hour, cluster, weight = week[known].astype(np.int64), cluster[known], weight[known]

    def totals(slot: NDArray[np.int64], n_slots: int) -> Floats:
        flat = np.bincount(cluster * n_slots + slot, weight, n_clusters * n_slots)
        return flat.astype(np.float64).reshape(n_clusters, n_slots)

    return totals(hour % HOURS, HOURS), totals(hour // HOURS, WEEKDAYS)


def shares(totals: Floats) -> Floats:
    """Return each row as shares of its sum; zeros where the sum is zero."""
    whole = totals.sum(axis=1, keepdims=True)
    found: Floats = np.divide(totals, whole, out=np.zeros_like(totals), where=whole > 0)
    return found
