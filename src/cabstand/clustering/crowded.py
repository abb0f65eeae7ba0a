"""The most crowded ground among points: what chains there with some eps chains among all points with it, too.

Fewer points have no core point that all of them do not have, so the core points of one of their clusters lie in one
cluster of all points; and a larger eps only joins clusters. Weights must not be negative.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering import ground
from cabstand.clustering.dbscan import Clustering
from cabstand.clustering.metrics import EARTH_RADIUS_M

Floats = NDArray[np.float64]
_SIDE_M = 250.0  # of a piece of ground
_CHOSEN = 0.2  # of the weight of the points
_ROUNDING_M = 0.01
_HASH_BITS = 16  # pieces of ground that share a number are chosen together, which does no harm


def indices(points: Floats, weight: Floats | None) -> NDArray[np.int64]:
    """Return the indices of points in degrees, shape (n, 2), on the pieces of ground that have most: a fifth of all."""
    per_degree = np.radians(1.0) * EARTH_RADIUS_M / _SIDE_M
    per_longitude = per_degree * max(float(np.cos(np.radians(points[:1, 0])).sum()), 1e-3)
    piece = ground.squares(points, (per_degree, per_longitude), 1 << _HASH_BITS)
    held = np.bincount(piece, weight, 1 << _HASH_BITS)
    order = np.argsort(held)[::-1]
    n_chosen = int(np.searchsorted(np.cumsum(held[order]), held.sum() * _CHOSEN)) + 1
    chosen = np.zeros(1 << _HASH_BITS, np.bool_)
    chosen[order[:n_chosen]] = True
    return np.flatnonzero(chosen[piece])


def weight_beyond(points: Floats, found: Clustering, radius_m: float, weight: Floats | None) -> float:
    """Return the weight of the core points in clusters that are sure to have members over `radius_m` from any centre.

    Two of those are more than twice as far from each other: along the meridian, or along the parallel that is nearest
    to a pole, where sin(d / 2R) is at least the cosine of the latitude times sin(d lon / 2).
    """
    cluster, (lat, lon) = found.labels[found.core], np.compress(found.core, points, axis=0).T
    (south, north), (west, east) = (_ends(axis, cluster, found.n_clusters) for axis in (lat, lon))
    along = np.cos(np.radians(np.maximum(np.abs(south), np.abs(north)))) * np.abs(np.sin(np.radians(east - west) / 2))
    width = EARTH_RADIUS_M * np.maximum(np.radians(north - south), 2 * np.arcsin(np.clip(along, 0.0, 1.0)))
    held = np.bincount(cluster, None if weight is None else weight[found.core], found.n_clusters)
    return float(held[width > 2 * radius_m + _ROUNDING_M].sum())


def _ends(axis: Floats, cluster: NDArray[np.int32], n_clusters: int) -> tuple[Floats, Floats]:
    """Return the least and the largest value of each cluster, each of which has some."""
    low, high = np.full(n_clusters, np.inf), np.full(n_clusters, -np.inf)
    np.minimum.at(low, cluster, axis)
    np.maximum.at(high, cluster, axis)
    return low, high
