"""Small point sets that together exercise every kernel, so that all are compiled or loaded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CITY = (40.75, -73.98)
EPS_M, MIN_SAMPLES = 50.0, 10


def shapes() -> list[NDArray[np.float64]]:
    """Return arrays of points in degrees, to be clustered with `EPS_M` and `MIN_SAMPLES`."""
    rng = np.random.default_rng(0)
    # Enough for threads, dense enough for samples to stand for cells, with suburbs.
    town = np.r_[rng.uniform(0, 0.008, (28_000, 2)), rng.uniform(0, 0.05, (2_000, 2))] + CITY
    edges = np.repeat([CITY, (CITY[0] + 50.001 / 111_194.93, CITY[1])], 60, axis=0)
    edges += rng.normal(0, 1e-9, edges.shape)
    globe = np.c_[rng.uniform(-80, 80, 40_000), rng.uniform(-180, 180, 40_000)]
    return [town, globe, edges, np.r_[town, edges]]
