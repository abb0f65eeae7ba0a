"""The weight, radius and spread of each cluster, straight from its members: what judging many clusterings needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.kernels import shape
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
    found = _apart(sphere.T, labels, weight)
    k = len(found.total)
    away = _metres(found.square)
    radius = np.zeros(k)
    np.maximum.at(radius, found.cluster, away)
    pull = np.ones(len(away)) if found.pull is None else found.pull
    mean_square = np.bincount(found.cluster, pull * away**2, k) / np.bincount(found.cluster, pull, k)
    return Extents(found.total, radius, np.sqrt(mean_square))


def reaches(axes: Floats, labels: NDArray[np.int32], weight: Floats | None = None) -> tuple[Floats, Floats]:
    """Return `weight` and `radius_m` of `extents` alone, many times faster; `axes` are the points, shape (3, n)."""
    counts = np.zeros(int(labels.max(initial=-1)) + 2, np.int64)
    shape.count_members(labels, counts)
    total, pull = counts[1:].astype(np.float64), np.empty(0)
    if weight is not None and len(total):
        pull = np.maximum(weight, 0.0)
        total = np.bincount(labels + 1, pull)[1:].astype(np.float64)
        pull[(total == 0)[labels]] = 1.0
    sums, most = np.zeros((3, len(total))), np.zeros(len(total))
    shape.sum_members(axes, labels, pull, sums)
    shape.find_farthest(axes, labels, sums / _length(sums), most)
    return total, _metres(most)


class _Apart(NamedTuple):
    """The members of clusters, shape (m,): how far each is from its centre."""

    cluster: NDArray[np.int32]
    pull: Floats | None  # weight in the mean; None where all have the same
    square: Floats  # of the chord on the unit sphere
    total: Floats  # weight of each cluster, shape (k,)


def _apart(axes: Floats, labels: NDArray[np.int32], weight: Floats | None) -> _Apart:
    member = np.flatnonzero(labels >= 0)
    cluster = labels[member]
    k = int(cluster.max(initial=-1)) + 1
    mass = None if weight is None else np.maximum(weight[member], 0.0)
    total = np.bincount(cluster, mass, k).astype(np.float64)
    # A cluster whose weights are all zero has a centre, too.
    pull = mass if mass is None else np.where(total[cluster] > 0, mass, 1.0)
    own = axes[:, member]
    vector = [np.bincount(cluster, axis if pull is None else pull * axis, k) for axis in own]
    length = _length(vector)
    square = np.zeros(len(member))
    for axis, part in zip(own, vector, strict=True):
        square += (axis - (part / length)[cluster]) ** 2
    return _Apart(cluster, pull, square, total)


def _length(vector: Sequence[NDArray[Any]] | Floats) -> Floats:
    return np.asarray(np.maximum(np.sqrt(sum(part**2 for part in vector)), 1e-300))


def _metres(square: Floats) -> Floats:
    """Return the arcs in metres of chords on the unit sphere, whose squares are given."""
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.minimum(np.sqrt(square) / 2, 1.0)))


def total_weight(n_points: int, weight: Floats | None) -> float:
    """Return the weight of all points, negative weights counted as zero."""
    return float(n_points) if weight is None else float(np.maximum(weight, 0.0).sum())
