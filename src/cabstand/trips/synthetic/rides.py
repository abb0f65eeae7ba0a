"""When synthetic trips begin, and how far and how long they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cabstand.trips.schema import KM_PER_MILE
from cabstand.trips.synthetic.city import Floats, Indices

PROFILES = ("city", "office", "night", "airport")
# Made up, by hour from midnight: relative numbers of pickups on a weekday and on a weekend day.
_WEEKDAY = {
    "city": (18, 11, 7, 5, 6, 11, 26, 44, 52, 48, 45, 46, 49, 50, 53, 55, 52, 60, 70, 72, 66, 62, 54, 36),
    "office": (5, 3, 2, 2, 4, 12, 45, 85, 95, 60, 40, 42, 48, 46, 46, 52, 70, 98, 100, 70, 40, 28, 18, 9),
    "night": (55, 40, 28, 16, 8, 4, 4, 8, 12, 12, 14, 20, 26, 26, 26, 30, 36, 48, 66, 80, 90, 100, 98, 80),
    "airport": (30, 14, 5, 3, 6, 24, 42, 50, 55, 58, 60, 62, 66, 72, 80, 90, 96, 98, 94, 88, 84, 82, 70, 50),
}
_WEEKEND = {
    "city": (60, 52, 42, 28, 16, 10, 10, 14, 22, 34, 44, 50, 54, 56, 56, 56, 56, 58, 64, 66, 60, 58, 60, 60),
    "office": (8, 6, 5, 4, 4, 6, 10, 14, 20, 26, 30, 34, 36, 36, 36, 36, 36, 36, 34, 30, 24, 20, 16, 12),
    "night": (110, 104, 92, 66, 34, 10, 5, 6, 10, 14, 20, 28, 36, 38, 38, 40, 46, 56, 76, 90, 96, 104, 112, 116),
    "airport": (24, 12, 5, 3, 5, 18, 30, 36, 42, 48, 54, 58, 64, 70, 78, 88, 94, 94, 90, 84, 80, 76, 62, 42),
}
_DAY = (0.90, 0.97, 1.00, 1.03, 1.10, 1.12, 0.88)  # Monday to Sunday
# Street speed by hour from midnight; traffic is worst in the late afternoon.
_SPEED_KMH = np.array(
    (31, 33, 34, 34, 33, 30, 25, 20, 17, 17, 17, 17, 16, 16, 16, 15, 15, 15, 17, 19, 21, 23, 25, 28), float
)


def hourly(month: str, profile: str, *, shift_h: int = 0) -> Floats:
    """Return the relative number of pickups in each hour of `month` (YYYY-MM); shape (days * 24,).

    `profile` is one of `PROFILES`; a positive `shift_h` moves the day to later hours.
    """
    days = np.arange(np.datetime64(month, "D"), np.datetime64(month, "M") + 1, dtype="datetime64[D]")
    weekday = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    kinds = np.array([_WEEKDAY[profile], _WEEKEND[profile]], float)
    table = kinds[(weekday >= 5).astype(np.intp)] * np.array(_DAY)[weekday][:, None]
    return np.asarray(np.roll(table, shift_h, axis=1).ravel())


def draw(weights: Floats, quantiles: Floats, rng: np.random.Generator) -> Floats:
    """Return seconds since the month began, drawn from hourly `weights` at the given quantiles."""
    cumulative = np.cumsum(weights)
    hour = np.searchsorted(cumulative, quantiles * cumulative[-1], side="right")
    return np.asarray((np.minimum(hour, len(weights) - 1) + rng.random(len(quantiles))) * 3600.0)


def miles(straight_m: Floats, rng: np.random.Generator) -> Floats:
    """Return metered miles, rounded to hundredths: the straight distance with the streets' detour and noise."""
    km = 0.25 + straight_m / 1000.0 * 1.3 * np.exp(rng.normal(0.0, 0.08, len(straight_m)))
    return np.round(km / KM_PER_MILE, 2)


def duration_s(
    slowdown: float, km: Floats, seconds: Floats, regions: tuple[Indices, Indices], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return durations in whole seconds, by distance, hour, and regions of start and end, with noise."""
    hour = (seconds // 3600).astype(np.int64) % 24
    start, end = regions
    in_core = (start == 0).astype(float) + (end == 0)
    # Long rides use highways; the core is slow.
    kmh = _SPEED_KMH[hour] * (1 + 0.04 * np.minimum(km, 25.0)) * (1 - 0.12 * in_core)
    ride = slowdown * (90.0 + km / kmh * 3600.0) * np.exp(rng.normal(0.0, 0.2, len(km)))
    return np.asarray(np.clip(ride, 60.0, 5 * 3600.0).astype(np.int64))
