"""Positions of points along a Z-order curve, which keeps near points near each other.

Morton: A computer oriented geodetic data base and a new technique in file sequencing, IBM 1966.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering import metrics

Floats = NDArray[np.float64]
Codes = NDArray[np.uint64]
_BLOCK = 1 << 13  # points whose arrays stay in the cache


def z_codes(points: Floats, metric: str, like: Floats | None = None) -> Codes:
    """Return the position of each point along a Z-order curve of 32 bits an axis (9 mm on the Earth).

    In the plane the curve fills the extent of the points `like`, by default of `points`.
    """
    if metric == "haversine":
        low, high = np.array([-90.0, -180.0]), np.array([90.0, 180.0])
    else:
        extent = points if like is None else like
        low, high = extent.min(axis=0, initial=np.inf), extent.max(axis=0, initial=-np.inf)
    code = np.empty(len(points), np.uint64)
    for first in range(0, len(points), _BLOCK):
        block = slice(first, first + _BLOCK)
        code[block] = _codes(metrics.wrapped(points[block], metric), low, high)
    return code


def _codes(points: Floats, low: Floats, high: Floats) -> Codes:
    code = np.zeros(len(points), np.uint64)
    for axis in (0, 1):
        inside = np.clip(points[:, axis], low[axis], high[axis]) - low[axis]
        scaled = inside / max(high[axis] - low[axis], np.finfo(float).tiny) * (2**32 - 1)
        code |= _spread(scaled.astype(np.uint64)) << np.uint64(1 - axis)
    return code


def _spread(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Put a zero before each of the lower 32 bits, in place."""
    for shift, mask in (
        (16, 0x0000FFFF0000FFFF),
        (8, 0x00FF00FF00FF00FF),
        (4, 0x0F0F0F0F0F0F0F0F),
        (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    ):
        bits |= bits << np.uint64(shift)
        bits &= np.uint64(mask)
    return bits
