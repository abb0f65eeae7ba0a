"""Sums over the members of clusters, from which hotspots are described, in one memory or across workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.metrics import EARTH_RADIUS_M, reduced, sphere_axes, to_distance
from cabstand.clustering.rhythm import weight_by_time
from cabstand.clustering.rows import distinct_rows, group_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Labels = NDArray[np.int32]
_BLOCK = 1 << 18  # points


class MemberSums(NamedTuple):
    """Sums over some members of clusters, such as those in one block of space.

    For each cluster the totals are `size`, `core`, `weight`, the weight by `hours` (k, 24) and `weekdays` (k, 7), the
    weighted sum of positions on the unit sphere `vector` (k, 3), and `n_squares`, its squares that no other block has.
    """

    cluster: Ints  # shape (k,): clusters that have members here, ascending
    totals: dict[str, NDArray[Any]]
    shared_squares: Ints  # shape (m, 3): cluster, row and column of occupied squares that other blocks may occupy too


def sum_members(
    points: Floats,
    labels: Labels,
    core: Flags,
    shared: Flags,
    week: NDArray[np.uint8],
    eps_m: float,
    weight: Floats | None = None,
) -> MemberSums:
    """Add up members of clusters: points in degrees, shape (n, 2), without noise.

    `shared` tells which may share their square with points of another block, `week` is their hour of the week (see
    `cabstand.clustering.rhythm.hours_of_week`). Weights are zero or more; with weights all members of a cluster must be
    given at once.
    """
    cluster, at = _clusters_here(labels)
    k = len(cluster)
    total = np.bincount(at, weight, k).astype(np.float64)
    hours, weekdays = weight_by_time(week, at, weight, k)
    own, shared_squares = _occupied_squares(points, labels, shared, eps_m)
    # A cluster whose weights are all zero still has a centre.
    pull = None if weight is None else np.where(total[at] > 0, weight, 1.0)
    totals = {
        "size": np.bincount(at, minlength=k),
        "core": np.bincount(at, core, k).astype(np.int64),
        "weight": total,
        "hours": hours,
        "weekdays": weekdays,
        "vector": _sum_of_positions(points, at, pull, k),
        "n_squares": np.bincount(np.searchsorted(cluster, own[:, 0]), minlength=k),
    }
    return MemberSums(cluster, totals, shared_squares)


def add_up(parts: Sequence[MemberSums], n_clusters: int) -> dict[str, NDArray[Any]]:
    """Add the totals of all parts, counting each shared square once, and find the centroids.

    Return the `totals` of `MemberSums` for all clusters, and `centroid` in degrees, shape (n_clusters, 2): the mean on
    the sphere, so a cluster across the antimeridian has its centre there too.
    """
    totals = {name: np.zeros((n_clusters, *own.shape[1:]), own.dtype) for name, own in parts[0].totals.items()}
    for part in parts:
        for name, own in part.totals.items():
            totals[name][part.cluster] += own
    squares = np.concatenate([part.shared_squares for part in parts])
    totals["n_squares"] += np.bincount(distinct_rows(squares)[:, 0], minlength=n_clusters)
    x, y, z = totals["vector"].T
    totals["centroid"] = np.column_stack([np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))])
    return totals


def radii(points: Floats, labels: Labels, centroid: Floats) -> tuple[Ints, Floats]:
    """Return the clusters that have members here, and the largest distance in metres of these from its centroid."""
    most = np.full(len(centroid), -np.inf)
    for block in _blocks(len(points)):
        to = np.take(centroid, labels[block], axis=0)
        np.maximum.at(most, labels[block], reduced(points[block], to, "haversine"))
    cluster = np.flatnonzero(most >= 0)
    return cluster, to_distance(most[cluster], "haversine")


def _clusters_here(labels: Labels) -> tuple[Ints, Ints]:
    """Return the clusters that occur, ascending, and the index into them of each label."""
    is_here = np.bincount(labels) > 0
    return np.flatnonzero(is_here), (np.cumsum(is_here) - 1)[labels]


def _sum_of_positions(points: Floats, at: Ints, pull: Floats | None, k: int) -> Floats:
    """Return the weighted sum of positions on the unit sphere of each of k clusters, shape (k, 3)."""
    total = np.zeros((3, k))
    for block in _blocks(len(points)):
        for own, axis in zip(total, sphere_axes(points[block]), strict=True):
            np.add.at(own, at[block], axis if pull is None else pull[block] * axis)  # one by one, so blocks do not show
    return np.ascontiguousarray(total.T)


def _occupied_squares(points: Floats, labels: Labels, shared: Flags, eps_m: float) -> tuple[Ints, Ints]:
    """Find the squares of side eps / sqrt(2) that hold members: distinct rows of cluster, row and column.

    Returns those without a shared point, and those with one.
    """
    side = eps_m / np.sqrt(2)
    if not shared.any():
        parts = [distinct_rows(_squares(points[block], labels[block], side)) for block in _blocks(len(points))]
        found = distinct_rows(np.concatenate([np.empty((0, 3), np.int64), *parts]))
        return found, found[:0]
    square = _squares(points, labels, side)
    distinct, crossing = distinct_rows(square), distinct_rows(square[shared])
    both = np.concatenate([distinct, crossing])
    order, starts = group_rows(both)
    once = np.diff(starts, append=len(both)) == 1
    return both[order[starts[once]]], crossing


def _squares(points: Floats, labels: Labels, side: float) -> Ints:
    """Return the cluster, row and column of each point, shape (n, 3)."""
    square = np.empty((3, len(points)), np.int64).T  # each column in one piece
    square[:, 0] = labels
    square[:, 1] = row = np.floor(np.radians(points[:, 0]) * EARTH_RADIUS_M / side)
    # A row's scale is that of its own lower edge, so all squares of a row are equally wide.
    scale = _of_whole(row, lambda whole: np.cos(whole * side / EARTH_RADIUS_M))
    square[:, 2] = np.floor(np.radians(points[:, 1]) * EARTH_RADIUS_M * scale / side)
    return square


def _blocks(n: int) -> Iterator[slice]:
    """Cut n points into blocks whose arrays take little memory."""
    return (slice(first, first + _BLOCK) for first in range(0, n, _BLOCK))


def _of_whole(values: Floats, function: Callable[[Floats], Floats]) -> Floats:
    """Return `function` of whole numbers, computed once for each of those between the least and the largest."""
    if not len(values) or (high := values.max()) - (low := values.min()) >= len(values):
        return function(values)
    found: Floats = function(np.arange(low, high + 1))[(values - low).astype(np.int64)]
    return found
