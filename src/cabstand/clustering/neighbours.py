"""Estimate what scikit-learn's DBSCAN, which keeps every list of neighbours, needs in time and memory."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.metrics import EARTH_RADIUS_M
from cabstand.clustering.rows import sample_indices

# scikit-learn 1.9 keeps neighbours as int64 and holds the lists twice while the tree returns them. Measured on 65,535
# pickups, predicted and real MiB: 35 and 34 at 50 m, 92 and 92 at 100 m, 288 and 287 at 200 m, 594 and 569 at 300 m.
_NEIGHBOUR_BYTES = 16
_POINT_BYTES = 32
LINK_S = 3e-9  # to visit one neighbour while clusters grow
SAMPLE = 2000
Floats = NDArray[np.float64]


def mean_count(latlon: Floats, eps_m: float) -> float:
    """Return the mean number of neighbours of a point, itself included; points are in degrees, shape (n, 2).

    The neighbours of `SAMPLE` random points are counted exactly, among all points.
    """
    tree, sampled = _tree_and_sample(latlon)
    return float(tree.query_radius(sampled, eps_m / EARTH_RADIUS_M, count_only=True).mean())


def query_seconds(latlon: Floats, eps_m: float) -> float:
    """Measure the processor seconds in which a ball tree lists the neighbours of one point; see `mean_count`."""
    tree, sampled = _tree_and_sample(latlon)
    started = time.thread_time()
    tree.query_radius(sampled, eps_m / EARTH_RADIUS_M)
    return (time.thread_time() - started) / len(sampled)


def lists_bytes(n_points: int, n_neighbours: float) -> int:
    """Return the memory that scikit-learn's DBSCAN needs beyond its input, with `n_neighbours` in all its lists."""
    return int(n_points * _POINT_BYTES + n_neighbours * _NEIGHBOUR_BYTES)


def _tree_and_sample(latlon: Floats) -> tuple[Any, Floats]:
    from sklearn.neighbors import BallTree

    points = np.radians(latlon)
    tree = BallTree(points, leaf_size=30, metric="haversine")  # as in DBSCAN by default
    return tree, points[sample_indices(len(points), SAMPLE, seed=0)]
