"""How much memory a baseline would take that keeps every neighbour list."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import BallTree

from cabstand.clustering.dbscan import EARTH_RADIUS_M

_INDEX_BYTES = 8  # scikit-learn keeps neighbours as int64
_POINT_BYTES = 250  # measured beside the lists: the tree, and an array object a point


def predict_lists_bytes(latlon: NDArray[np.float64], eps_m: float, *, sample: int = 2000, seed: int = 0) -> int:
    """Predict the memory of scikit-learn's DBSCAN beyond its input, in bytes.

    Parameters
    ----------
    latlon : ndarray of float64, shape (n, 2)
        Points in degrees.
    eps_m : float
        Radius of a neighbourhood in metres.
    sample : int
        Points whose neighbours are counted, exactly and among all; their mean stands for the others.
    seed : int
        Of the draw.
    """
    points = np.radians(latlon)
    asked = points
    if len(points) > sample:
        asked = points[np.random.default_rng(seed).choice(len(points), sample, replace=False)]
    counts = BallTree(points, metric="haversine").query_radius(asked, eps_m / EARTH_RADIUS_M, count_only=True)
    return int(len(points) * (counts.mean() * _INDEX_BYTES + _POINT_BYTES))
