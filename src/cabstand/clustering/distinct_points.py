"""Core points in the order of their index, each position once.

The service uses this module without a compiler, so nothing here may import more than NumPy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.z_order import z_codes


def distinct_core_points(
    points: NDArray[np.float64], clusters: NDArray[np.int32], metric: str = "haversine"
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int64]]:
    """Return the distinct core points in the index's order, along the Z-order curve.

    With each position, shape (k, 2), come the lowest cluster there and the number of core points. No answer changes
    when a position is kept only once, and many points at one position cost nothing.
    """
    order, ordered, starts = _along_the_curve(points, metric)
    clusters = clusters[order]
    if len(starts) == len(points):
        return ordered, clusters, np.ones(len(points), np.int64)
    return ordered[starts], np.minimum.reduceat(clusters, starts), np.diff(starts, append=len(points))


def _along_the_curve(
    points: NDArray[np.float64], metric: str
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Return the order along the Z-order curve, then by rows, the points in it, and where runs of equal ones begin."""
    codes = z_codes(points, metric)
    order = np.argsort(codes)  # not stable: points with one code are put in order below, or are equal
    codes, ordered = codes[order], np.take(points, order, axis=0)
    new, later = np.ones(len(points), np.bool_), np.zeros(len(points), np.bool_)
    new[1:] = (ordered[1:, 0] != ordered[:-1, 0]) | (ordered[1:, 1] != ordered[:-1, 1])
    later[1:] = codes[1:] == codes[:-1]
    if (new & later).any():  # some are different points with one code, so that equal ones may lie apart
        at, run = _mixed_runs(new, later)
        order[at] = order[at][np.lexsort((*ordered[at].T[::-1], run))]
        ordered[at] = points[order[at]]
        new[1:] = (ordered[1:, 0] != ordered[:-1, 0]) | (ordered[1:, 1] != ordered[:-1, 1])
    return order, ordered, np.flatnonzero(new)


def _mixed_runs(new: NDArray[np.bool_], later: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions in runs that hold different points, and the run of each.

    `later` tells where a run goes on, `new` where a point differs from the one before it.
    """
    at = np.flatnonzero(later | np.append(later[1:], False))
    goes_on = later[at]
    run = np.cumsum(~goes_on) - 1
    mixed = np.zeros(len(at), np.bool_)
    mixed[run[goes_on & new[at]]] = True
    chosen = mixed[run]
    return at[chosen], run[chosen]
