"""Expected minutes between every pair of zones, learned from rides."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cabstand.modelling.problem import Assets, Examples, FloatArray
from cabstand.modelling.rides.features import KM_A_DEGREE, N_CODES, PARALLEL

SHRINKAGE = 10.0  # a mean is drawn to zero as if by this many rides of zero
BANDS_KM = np.array([0.01, *np.geomspace(0.5, 40, 25)])
REACHES_KM = (4.0, 2.0, 0.8)  # widths of the kernel over neighbouring zones, the wider first


def learn(examples: Examples) -> dict[str, npt.NDArray[np.float32]]:
    """Return the expected minutes between every pair of zones: `pair_min`, float32 (266, 266).

    Each layer is a mean of what those before it leave unexplained, shrunk to zero where rides are few: the distance
    between the centroids, pairs that begin and end nearby, each zone, and the pair itself. A third of a month's pairs
    has under twenty rides; their neighbours make up for it.
    """
    pickup, dropoff = (examples.columns[name].astype(np.int64) for name in ("pickup_zone", "dropoff_zone"))
    pair = pickup * N_CODES + dropoff
    rides = np.bincount(pair, minlength=N_CODES**2).reshape(N_CODES, N_CODES).astype(np.float64)
    km = _distances(examples.assets)
    band = np.digitize(km, BANDS_KM)
    means = np.full((N_CODES, N_CODES), float(examples.target.mean()))

    def unexplained() -> FloatArray:
        """Return the sum over each pair's rides of what `means` does not explain yet."""
        over = examples.target - means.ravel()[pair]
        return np.asarray(np.bincount(pair, weights=over, minlength=N_CODES**2).reshape(N_CODES, N_CODES), np.float64)

    in_band = np.bincount(band.ravel(), weights=unexplained().ravel())
    rides_in_band = np.bincount(band.ravel(), weights=rides.ravel())
    means += (in_band / (rides_in_band + SHRINKAGE))[band]
    for reach in REACHES_KM:
        near = np.exp(-0.5 * np.square(km / reach))
        means += (near @ unexplained() @ near) / (near @ rides @ near + SHRINKAGE)
    for axis in (1, 0):
        means += unexplained().sum(axis, keepdims=True) / (rides.sum(axis, keepdims=True) + SHRINKAGE)
    means += unexplained() / (rides + SHRINKAGE)
    return {"pair_min": means.astype(np.float32)}


def _distances(assets: Assets) -> FloatArray:
    """Return the kilometres between all centroids (266, 266); infinite where a zone has none."""
    unknown = np.full(N_CODES, np.nan)
    lat, lon = assets.get("zone_lat", unknown), assets.get("zone_lon", unknown)
    north, east = (lat[:, None] - lat) * KM_A_DEGREE, (lon[:, None] - lon) * KM_A_DEGREE * PARALLEL
    return np.asarray(np.nan_to_num(np.hypot(north, east), nan=np.inf))
