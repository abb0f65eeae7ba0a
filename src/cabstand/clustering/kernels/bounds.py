"""First stage: the bounding box of the points, found in one pass that also detects NaN."""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.instructions import AHEAD, larger, prefetch_read, smaller
from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.threads import Array, workers


@kernel
def bounds(points, box):
    """Find the smallest and largest coordinates of points, shape (n, 2); return whether any coordinate is NaN.

    `box` (float64, shape (4,)) is filled with the smallest and largest of column 0, then of column 1; its content is
    meaningless if a coordinate is NaN.
    """
    low0 = low1 = np.inf
    high0 = high1 = -np.inf
    has_nan = False
    for i in range(np.uint64(len(points))):
        prefetch_read(points, np.uint64(2) * (i + np.uint64(AHEAD)))
        u = np.float64(points[i, 0])
        v = np.float64(points[i, 1])
        low0 = smaller(low0, u)
        high0 = larger(high0, u)
        low1 = smaller(low1, v)
        high1 = larger(high1, v)
        has_nan |= (u != u) | (v != v)  # noqa: PLR0124 (NaN alone differs from itself)
    box[0] = low0
    box[1] = high0
    box[2] = low1
    box[3] = high1
    return has_nan


def run(points: Array, n_threads: int) -> Array | None:
    """Return the low and high of each column of points (at least one), or None if a coordinate is NaN."""
    with workers(len(points), n_threads) as pool:
        stripes = pool.stripes(len(points))
        boxes = np.empty((len(stripes), 4))
        has_nan = pool.run(bounds, [(points[a:b], box) for (a, b), box in zip(stripes, boxes, strict=True)])
    if any(has_nan):
        return None
    box: Array = np.where([True, False, True, False], boxes.min(axis=0), boxes.max(axis=0))
    return box
