"""First stage: one pass over the input for its bounding box and for what is not a number."""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.fetch import AHEAD, soon_read
from cabstand.clustering.kernels.jit import kernel


@kernel
def bounds(points, start, stop, box):
    """Find the smallest and largest coordinates of ``points[start:stop]``; tell whether one of them is NaN.

    Parameters
    ----------
    points : ndarray of float32 or float64, shape (n, 2), C order
    box : ndarray of float64, shape (4,)
        Filled with the smallest and largest of column 0, then of column 1; meaningless if a coordinate is NaN.
    """
    low0 = low1 = np.inf
    high0 = high1 = -np.inf
    bad = False
    flat = points.reshape(-1)
    for i in range(np.uint64(start), np.uint64(stop)):
        soon_read(flat, np.uint64(2) * (i + np.uint64(AHEAD)))
        u = np.float64(points[i, 0])
        v = np.float64(points[i, 1])
        low0 = min(low0, u)
        high0 = max(high0, u)
        low1 = min(low1, v)
        high1 = max(high1, v)
        bad |= (u != u) | (v != v)  # noqa: PLR0124 (NaN alone differs from itself)
    box[0] = low0
    box[1] = high0
    box[2] = low1
    box[3] = high1
    return bad
