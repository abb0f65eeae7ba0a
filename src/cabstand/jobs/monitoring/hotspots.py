"""How far the hotspots of two tables with coordinates are apart, as facts of a window."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cabstand.clustering.estimator import GeoDBSCAN
from cabstand.jobs.monitoring import rows
from cabstand.monitoring import sample
from cabstand.monitoring.hotspot_drift import Period, compare_hotspots
from cabstand.monitoring.profiles import Batches

AXES = ("pickup_lat", "pickup_lon")
POINTS = 100_000  # of each side, drawn at random if there are more
EPS_M = 50.0
MIN_SHARE, LEAST_SAMPLES = 5e-4, 10  # of the points within that radius of a core point
_BOUNDS = np.array([90.0, 180.0])


def facts(reference: Batches, current: Batches, seed: int = 0) -> dict[str, float | int | None]:
    """Return the agreement of both sides' hotspots and metres moved; nothing where a side has no coordinates."""
    points = [_points(side, seed) for side in (reference, current)]
    least = min(len(one) for one in points)
    if least < LEAST_SAMPLES:
        return {}
    # As many points of either side, so that both have hotspots of the same kind.
    before, after = (_clustered(one[:least]) for one in points)
    found = compare_hotspots(before, after, EPS_M, seed=seed)
    return {
        "hotspot_ami": found.adjusted_mutual_information,
        "hotspot_moved_m": found.moved_m,
        "hotspots_matched": len(found.matches),
        "hotspots_new": len(found.new),
        "hotspots_vanished": len(found.vanished),
    }


def _points(side: Batches, seed: int) -> npt.NDArray[np.float64]:
    """Return points in degrees (n, 2), in random order."""
    if not set(AXES) <= set(side.schema.names) or not any(batch.num_rows for batch in side):
        return np.empty((0, 2))
    taken = sample.take(rows.only(side, AXES), POINTS, seed)
    latlon = np.stack([taken[name].to_numpy().astype(np.float64) for name in AXES], axis=1)
    known = latlon[(np.abs(latlon) <= _BOUNDS).all(axis=1)]
    return np.asarray(np.random.default_rng(seed).permutation(known))


def _clustered(latlon: npt.NDArray[np.float64]) -> Period:
    least = max(LEAST_SAMPLES, round(MIN_SHARE * len(latlon)))
    found = GeoDBSCAN(eps_m=EPS_M, min_samples=least).fit(latlon)
    core = np.zeros(len(latlon), np.bool_)
    core[found.core_sample_indices_] = True
    return Period(latlon, found.labels_, core)
