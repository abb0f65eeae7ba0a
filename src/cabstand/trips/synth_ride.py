"""How far and how long synthetic trips are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cabstand.trips.schema import KM_PER_MILE
from cabstand.trips.synth_time import SPEED_KMH

Floats = npt.NDArray[np.float64]


def miles(straight_m: Floats, rng: np.random.Generator) -> Floats:
    """Metered miles, to the hundredth: the streets' detour, and some noise."""
    km = 0.25 + straight_m / 1000.0 * 1.3 * np.exp(rng.normal(0.0, 0.08, len(straight_m)))
    return np.round(km / KM_PER_MILE, 2)


def ride_seconds(
    slowdown: float,
    km: Floats,
    seconds: Floats,
    start: npt.NDArray[np.intp],
    end: npt.NDArray[np.intp],
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Whole seconds: by distance, hour and place, with noise."""
    hour = (seconds // 3600).astype(np.int64) % 24
    core = (start == 0).astype(float) + (end == 0)
    # Long rides run on highways; the core is slow.
    kmh = SPEED_KMH[hour] * (1 + 0.04 * np.minimum(km, 25.0)) * (1 - 0.12 * core)
    ride = slowdown * (90.0 + km / kmh * 3600.0) * np.exp(rng.normal(0.0, 0.2, len(km)))
    return np.asarray(np.clip(ride, 60.0, 5 * 3600.0).astype(np.int64))
