"""How many neighbours points have, and what scikit-learn, which keeps all their lists, takes for that."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.dbscan import EARTH_RADIUS_M

# scikit-learn 1.9 keeps neighbours as int64, and holds the lists twice while the tree hands them over. Measured on
# 65,535 pickups, predicted and real MiB: 35 and 34 at 50 m, 92 and 92 at 100 m, 288 and 287 at 200 m,
# 594 and 569 at 300 m.
_NEIGHBOUR_BYTES = 16
_POINT_BYTES = 32
LINK_S = 3e-9  # to look at one neighbour when clusters are grown
ASKED = 2000
Floats = NDArray[np.float64]


def mean_count(latlon: Floats, eps_m: float, *, asked: int = ASKED, seed: int = 0) -> float:
    """Return how many neighbours a point has, itself among them.

    Those of some points are counted, exactly and among all; their mean stands for the others.

    Parameters
    ----------
    latlon : ndarray of float64, shape (n, 2)
        Points in degrees.
    eps_m : float
        Radius of a neighbourhood in metres.
    asked : int
        Points whose neighbours are counted.
    seed : int
        Of their draw.
    """
    from sklearn.neighbors import BallTree

    points = np.radians(latlon)
    tree = BallTree(points, metric="haversine")
    counts = tree.query_radius(_drawn(points, asked, seed), eps_m / EARTH_RADIUS_M, count_only=True)
    return float(counts.mean())


def query_seconds(latlon: Floats, eps_m: float, *, asked: int = ASKED, seed: int = 0) -> float:
    """Return the processor seconds in which a ball tree lists the neighbours of one point, by asking for some."""
    from sklearn.neighbors import BallTree

    points = np.radians(latlon)
    drawn = _drawn(points, asked, seed)
    tree = BallTree(points, leaf_size=30, metric="haversine")  # as DBSCAN has it by default
    started = time.thread_time()
    tree.query_radius(drawn, eps_m / EARTH_RADIUS_M)
    return (time.thread_time() - started) / len(drawn)


def lists_bytes(n_points: int, mass: float) -> int:
    """Return the memory of scikit-learn's DBSCAN beyond its input, with so many neighbours in all lists."""
    return int(n_points * _POINT_BYTES + mass * _NEIGHBOUR_BYTES)


def _drawn(points: Floats, asked: int, seed: int) -> Floats:
    if len(points) <= asked:
        return points
    return points[np.random.default_rng(seed).choice(len(points), asked, replace=False)]
