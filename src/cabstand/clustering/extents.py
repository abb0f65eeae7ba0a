"""The weight, radius and spread of each cluster, straight from its members: what judging many clusterings needs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.metrics import EARTH_RADIUS_M

Floats = NDArray[np.float64]


class Extents(NamedTuple):
    """One value for each cluster, shape (k,)."""

    weight: Floats  # sum of weights, negative ones counted as zero
    radius_m: Floats  # largest distance of a member from the centroid
    spread_m: Floats  # root of the weighted mean square of these distances


def extents(sphere: Floats, labels: NDArray[np.int32], weight: Floats | None = None) -> Extents:
    """Measure clusters of points on the unit sphere, shape (n, 3), labelled -1 for noise.

    See `cabstand.clustering.metrics.unit_sphere`.
    """
    member = np.flatnonzero(labels >= 0)
    at, cluster = sphere[member], labels[member]
    k = int(cluster.max(initial=-1)) + 1
    mass = np.ones(len(member)) if weight is None else np.maximum(weight[member], 0.0)
    total = np.bincount(cluster, mass, k).astype(np.float64)
    pull = np.where(total[cluster] > 0, mass, 1.0)  # a cluster whose weights are all zero has a centre, too
    vector = np.stack([np.bincount(cluster, pull * axis, k) for axis in at.T], axis=1)
    centre = vector / np.maximum(np.linalg.norm(vector, axis=1, keepdims=True), 1e-300)
    half_chord = np.linalg.norm(at - centre[cluster], axis=1) / 2
    away = 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(half_chord, 1.0))
    radius = np.zeros(k)
    np.maximum.at(radius, cluster, away)
    mean_square = np.bincount(cluster, pull * away**2, k) / np.bincount(cluster, pull, k)
    return Extents(total, radius, np.sqrt(mean_square))


def reaches(axes: Floats, labels: NDArray[np.int32], weight: Floats | None = None) -> tuple[Floats, Floats]:
    """Return `weight` and `radius_m` of `extents` alone, a few times faster; `axes` are the points, shape (3, n)."""
    member = np.flatnonzero(labels >= 0)
    cluster = labels[member]
    k = int(cluster.max(initial=-1)) + 1
    mass = None if weight is None else np.maximum(weight[member], 0.0)
    total = np.bincount(cluster, mass, k).astype(np.float64)
    pull = mass if mass is None else np.where(total[cluster] > 0, mass, 1.0)
    own = axes[:, member]
    vector = [np.bincount(cluster, axis if pull is None else pull * axis, k) for axis in own]
    length = np.maximum(np.sqrt(sum(part**2 for part in vector)), 1e-300)
    square = np.zeros(len(member))
    for axis, part in zip(own, vector, strict=True):
        square += (axis - (part / length)[cluster]) ** 2
    most = np.zeros(k)
    np.maximum.at(most, cluster, square)
    return total, 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(np.sqrt(most) / 2, 1.0))


def total_weight(n_points: int, weight: Floats | None) -> float:
    """Return the weight of all points, negative weights counted as zero."""
    return float(n_points) if weight is None else float(np.maximum(weight, 0.0).sum())
