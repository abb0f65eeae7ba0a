"""First stage: one pass over the input for its bounding box and its bad values."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from cabstand.clustering.kernels.jit import kernel

BLOCK = 512


@njit(nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})
def _widen(points, start, stop, box):
    """Widen a box (low0, high0, low1, high1) by points that are numbers; without NaN to mind it becomes SIMD."""
    low0, high0, low1, high1 = box
    for i in range(np.uint64(start), np.uint64(stop)):
        u = np.float64(points[i, 0])
        v = np.float64(points[i, 1])
        low0 = u if u < low0 else low0
        high0 = u if u > high0 else high0
        low1 = v if v < low1 else low1
        high1 = v if v > high1 else high1
    return low0, high0, low1, high1


@njit(nogil=True, error_model="numpy")
def _count_bad(points, start, stop, limit0, limit1):
    """Count the points beyond a limit; a comparison with NaN is false, so this also counts what is no number."""
    good = 0
    for i in range(np.uint64(start), np.uint64(stop)):
        good += (math.fabs(points[i, 0]) <= limit0) & (math.fabs(points[i, 1]) <= limit1)
    return stop - start - good


@kernel
def bounds(points, start, stop, limit0, limit1, box):
    """Find the smallest and largest coordinates of ``points[start:stop]``.

    Parameters
    ----------
    points : ndarray of float32 or float64, shape (n, 2), C order
    limit0, limit1 : float
        Largest absolute value that each column may have.
    box : ndarray of float64, shape (4,)
        Filled with the smallest and largest of column 0, then of column 1; meaningless if a point is bad.

    Returns
    -------
    int
        How many points are NaN, infinite or beyond a limit.
    """
    n_bad = 0
    found = (1e308, -1e308, 1e308, -1e308)
    for i in range(start, stop, BLOCK):
        end = min(i + BLOCK, stop)
        n_bad += _count_bad(points, i, end, limit0, limit1)
        found = _widen(points, i, end, found)
    for i in range(4):
        box[i] = found[i]
    return n_bad
