"""What a clustering says of the city when no one place holds all its points: each block tells its part.

The sum of the parts is what `cabstand.clustering.hotspots.summarise` says of all points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.hotspots import (
    HOURS,
    WEEKDAYS,
    Hotspots,
    distance_m,
    distinct_rows,
    rhythm,
    shares,
    square_km2,
    squares,
    to_sphere,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """A block's own points, summed by cluster.

    Attributes
    ----------
    cluster : ndarray of int64, shape (k,)
        Clusters that have points here.
    size, core, n_squares : ndarray of int64, shape (k,)
        Points, core points among them, and occupied squares that lie in no other block.
    pull : ndarray of float64, shape (k, 3)
        Sum of the points on the unit sphere.
    shared : ndarray of int64, shape (m, 3)
        Occupied squares that may lie in other blocks too.
    hours : ndarray of float64, shape (k, 24)
        Points by local hour.
    weekdays : ndarray of float64, shape (k, 7)
        Points by weekday, Monday first.
    """

    cluster: Ints
    size: Ints
    core: Ints
    n_squares: Ints
    pull: Floats
    shared: Ints
    hours: Floats
    weekdays: Floats


def part_of(
    points: Floats,
    labels: NDArray[np.int32],
    core: NDArray[np.bool_],
    shared: NDArray[np.bool_],
    week: NDArray[np.uint8],
    eps_m: float,
) -> Part:
    """Sum a block's own points.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        In degrees.
    labels, core : ndarray, shape (n,)
        Final labels, and core flags.
    shared : ndarray of bool, shape (n,)
        Which stand within a halo of another block.
    week : ndarray of uint8, shape (n,)
        Hour of the week (`cabstand.clustering.hotspots.hours_of_week`).
    eps_m : float
        The clustering's eps.
    """
    member = np.flatnonzero(labels >= 0)
    cluster, at = np.unique(labels[member].astype(np.int64), return_inverse=True)
    k = len(cluster)
    inside = member[~shared[member]]
    near = member[shared[member]]
    own = squares(points[inside], labels[inside].astype(np.int64), eps_m)
    open_squares = squares(points[near], labels[near].astype(np.int64), eps_m)
    # A square may hold points within the halo and beyond: it is told once, with the open ones.
    both = np.concatenate([open_squares, own])
    first = distinct_rows(both)
    own = both[first[first >= len(open_squares)]]
    sphere = to_sphere(points[member])
    hours, weekdays = rhythm(week[member], at, np.ones(len(member)), k)
    return Part(
        cluster=cluster,
        size=np.bincount(at, minlength=k),
        core=np.bincount(at, core[member], k).astype(np.int64),
        n_squares=np.bincount(np.searchsorted(cluster, own[:, 0]), minlength=k),
        pull=np.stack([np.bincount(at, axis, k) for axis in sphere.T], axis=1),
        shared=open_squares,
        hours=hours,
        weekdays=weekdays,
    )


def centroids(parts: Sequence[Part], n_clusters: int) -> Floats:
    """Return the middle of each cluster, shape (n_clusters, 2), in degrees."""
    pull = np.zeros((n_clusters, 3))
    for part in parts:
        pull[part.cluster] += part.pull
    x, y, z = pull.T
    return np.column_stack([np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))])


def reach(points: Floats, labels: NDArray[np.int32], centroid: Floats) -> tuple[Ints, Floats]:
    """Return the clusters of a block's own points, and how far each reaches from its middle here, in metres."""
    member = np.flatnonzero(labels >= 0)
    cluster, at = np.unique(labels[member].astype(np.int64), return_inverse=True)
    radius = np.zeros(len(cluster))
    np.maximum.at(radius, at, distance_m(points[member], centroid[labels[member]]))
    return cluster, radius


def join(
    parts: Sequence[Part], reaches: Sequence[tuple[Ints, Floats]], centroid: Floats, eps_m: float, *, timed: bool
) -> Hotspots:
    """Put the parts together.

    Parameters
    ----------
    parts : sequence of Part
        One a block.
    reaches : sequence of (cluster, radius)
        One a block, of `reach`.
    centroid : ndarray of float64, shape (k, 2)
        Of `centroids`.
    eps_m : float
        The clustering's eps.
    timed : bool
        Whether any point has a time.
    """
    k = len(centroid)
    size, core, n_squares = (np.zeros(k, np.int64) for _ in range(3))
    hours, weekdays = np.zeros((k, HOURS)), np.zeros((k, WEEKDAYS))
    for part in parts:
        size[part.cluster] += part.size
        core[part.cluster] += part.core
        n_squares[part.cluster] += part.n_squares
        hours[part.cluster] += part.hours
        weekdays[part.cluster] += part.weekdays
    shared = np.concatenate([part.shared for part in parts])
    n_squares += np.bincount(shared[distinct_rows(shared), 0], minlength=k)
    radius = np.zeros(k)
    for cluster, here in reaches:
        radius[cluster] = np.maximum(radius[cluster], here)
    area = n_squares.astype(np.float64) * square_km2(eps_m)
    weight = size.astype(np.float64)
    by_time = (shares(hours), shares(weekdays)) if timed else (None, None)
    return Hotspots(size, core, weight, centroid, radius, area, weight / area, *by_time)
