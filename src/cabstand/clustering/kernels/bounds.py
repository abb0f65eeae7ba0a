"""First stage: one pass over the input for its bounding box and its bad values."""

from __future__ import annotations

import math

import numpy as np

from cabstand.clustering.kernels.jit import kernel

BLOCK = 2048


@kernel
def bounds(points, start, stop, limit0, limit1, box):
    """Find the smallest and largest coordinates of ``points[start:stop]``.

    Parameters
    ----------
    points : ndarray of float32 or float64, shape (n, 2), C order
    limit0, limit1 : float
        Largest absolute value that each column may have.
    box : ndarray of float64, shape (4,)
        Filled with the smallest and largest of column 0, then of column 1.

    Returns
    -------
    int
        How many points are NaN, infinite or beyond a limit.
    """
    low0 = low1 = np.inf
    high0 = high1 = -np.inf
    n_bad = 0
    for i in range(start, stop):
        u = points[i, 0]
        v = points[i, 1]
        # A comparison with NaN is false, so this also counts what is no number.
        n_bad += not (math.fabs(u) <= limit0 and math.fabs(v) <= limit1)
        low0 = u if u < low0 else low0
        high0 = u if u > high0 else high0
        low1 = v if v < low1 else low1
        high1 = v if v > high1 else high1
    box[0] = low0
    box[1] = high0
    box[2] = low1
    box[3] = high1
    return n_bad
