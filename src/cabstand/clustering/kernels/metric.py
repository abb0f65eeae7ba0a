"""Distances: a quick planar test with a guard band, and scikit-learn's own haversine inside the band.

The quick squared distance from a point of row r is ``dy^2 + k dx^2`` with one k a row. It cannot be off by more than
the guard that `row_metric` computes, so at most ``below`` means near, beyond ``above`` means far, and only what lies
between is decided by the formula that scikit-learn evaluates, operation by operation.
"""

from __future__ import annotations

import math

import numpy as np

from cabstand.clustering.kernels.jit import inlined, kernel

RADIANS = math.pi / 180.0
CHUNK = 64


@inlined
def exactly_near(y1, x1, y2, x2, sin2):
    """Decide as scikit-learn's HaversineDistance does on ``numpy.radians`` of the same degrees."""
    a1 = y1 * RADIANS
    a2 = y2 * RADIANS
    s0 = math.sin(0.5 * (a1 - a2))
    s1 = math.sin(0.5 * (x1 * RADIANS - x2 * RADIANS))
    return s0 * s0 + math.cos(a1) * math.cos(a2) * s1 * s1 <= sin2


@kernel
def row_metric(grid, bands, row):
    """Give ``k``, ``below`` and ``above`` for points of a row against those of the rows within reach."""
    if not grid.spherical:
        return 1.0, grid.eps2, grid.eps2
    height = 1.0 / grid.rows_per_unit
    y0 = grid.origin0 + row * height
    inner0 = max(y0, -90.0) * RADIANS
    inner1 = min(y0 + height, 90.0) * RADIANS
    outer0 = max(y0 - grid.reach_rows * height, -90.0) * RADIANS
    outer1 = min(y0 + (grid.reach_rows + 1) * height, 90.0) * RADIANS
    least = min(math.cos(inner0), math.cos(inner1)) * min(math.cos(outer0), math.cos(outer1))
    most = (1.0 if inner0 <= 0 <= inner1 else max(math.cos(inner0), math.cos(inner1))) * (
        1.0 if outer0 <= 0 <= outer1 else max(math.cos(outer0), math.cos(outer1))
    )
    k = 0.5 * (least + most)
    width = bands[row >> grid.band_shift, 2] * RADIANS
    # Variation of the cosines, sin x against x, rounding of the input, rounding of the arithmetic.
    guard = (most - least) / max(most + least, 1e-300) + (grid.eps2 * RADIANS * RADIANS + width * width) / 6
    guard += grid.rounding + 1e-12
    if guard > 0.5:
        return k, -1.0, np.inf  # beside a pole: nothing is certain, decide every pair exactly
    return k, grid.eps2 / (1 + guard), grid.eps2 / (1 - guard)


@kernel
def between(ys, xs, start, stop, y, x, turn, k, below, above, sin2):
    """Count the neighbours inside the guard band."""
    count = 0
    turned = x + turn
    for j in range(np.uint64(start), np.uint64(stop)):
        dy = ys[j] - y
        dx = xs[j] - turned
        d = dy * dy + k * dx * dx
        if d > below and d <= above and exactly_near(y, x, ys[j], xs[j], sin2):
            count += 1
    return count


@kernel
def any_near(ys, xs, start, stop, y, x, turn, k, below, above, sin2):
    """Tell whether a point of ``start:stop`` is within eps of (y, x).

    `turn` (0 or 360 degrees either way) moves x to the side of the antimeridian on which the range lies.
    """
    turned = x + turn
    count = 0
    while start < stop and count == 0:
        end = min(start + CHUNK, stop)
        sure = 0
        maybe = 0
        for j in range(np.uint64(start), np.uint64(end)):  # unsigned: no index counts from the end
            dy = ys[j] - y
            dx = xs[j] - turned
            d = dy * dy + k * dx * dx
            sure += d <= below
            maybe += d <= above
        if maybe != sure:
            sure += between(ys, xs, start, end, y, x, turn, k, below, above, sin2)
        count += sure
        start = end
    return count > 0


@kernel
def count_near(ys, xs, p, count, rest, spans, turns, n_spans, k, below, above, sin2, enough):
    """Count the neighbours of point p in ranges of points, until there are enough or cannot be any more.

    Parameters
    ----------
    count, rest : int
        Neighbours known beforehand, and points in all the ranges.
    spans : ndarray of int64, shape (n_spans or more, 2)
        First point and end of each range.
    turns : ndarray of float64
        For each range what :func:`any_near` calls `turn`.
    enough : int
        Where to stop.
    """
    y = ys[p]
    x = xs[p]
    s = 0
    while s < n_spans and count < enough and count + rest >= enough:
        start = spans[s, 0]
        stop = spans[s, 1]
        turned = x + turns[s]
        rest -= stop - start
        while start < stop and count < enough:
            end = min(start + CHUNK, stop)
            sure = 0
            maybe = 0
            for j in range(np.uint64(start), np.uint64(end)):
                dy = ys[j] - y
                dx = xs[j] - turned
                d = dy * dy + k * dx * dx
                sure += d <= below
                maybe += d <= above
            if maybe != sure:
                sure += between(ys, xs, start, end, y, x, turns[s], k, below, above, sin2)
            count += sure
            start = end
        s += 1
    return count
