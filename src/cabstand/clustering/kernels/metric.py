"""Distances: a quick planar test with a guard band, and scikit-learn's own haversine inside the band.

The quick squared distance from a point of row r is ``dy^2 + k dx^2`` with one k a row. It cannot be off by more than
the guard that `row_metric` computes, so at most ``below`` means near, beyond ``above`` means far, and only what lies
between is decided by the formula that scikit-learn evaluates, operation by operation.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels.instructions import larger, smaller
from cabstand.clustering.kernels.jit import inlined, part

RADIANS = math.pi / 180.0
CHUNK = 64
EXACT_PRICE = 64


class Metric(NamedTuple):
    """How distances from points of one row are compared with eps."""

    row: int
    k: float  # weight of the squared difference in longitude
    below: float  # quick squared distance up to which points are neighbours
    above: float  # and beyond which they are not
    sin2: float  # what the exact haversine is compared with
    price: int  # about how many quick distances cost as much as deciding a pair


class Centre(NamedTuple):
    """The point whose neighbours are sought, and the degrees to add to `x` (0 or 360 either way) to be beside them."""

    y: float
    x: float
    shift: float


@inlined
def exactly_near(centre, y, x, sin2):
    """Decide as scikit-learn's HaversineDistance does on ``numpy.radians`` of the same degrees."""
    a1 = centre.y * RADIANS
    a2 = y * RADIANS
    s0 = math.sin(0.5 * (a1 - a2))
    s1 = math.sin(0.5 * (centre.x * RADIANS - x * RADIANS))
    return s0 * s0 + math.cos(a1) * math.cos(a2) * s1 * s1 <= sin2


@inlined
def is_near(centre, y, x, metric):
    """Tell whether (y, x) is within eps of the centre."""
    dy = y - centre.y
    dx = x - (centre.x + centre.shift)
    d = dy * dy + metric.k * dx * dx
    return d <= metric.below or (d <= metric.above and exactly_near(centre, y, x, metric.sin2))


@part
def row_metric(grid, row):
    """Return the Metric for points of a row against those of the rows within reach."""
    if not grid.spherical:
        return Metric(row, 1.0, grid.eps2, grid.eps2, grid.sin2, 1)
    height = 1.0 / grid.rows_per_unit
    y0 = grid.origin0 + row * height
    inner0 = larger(y0, -90.0) * RADIANS
    inner1 = smaller(y0 + height, 90.0) * RADIANS
    outer0 = larger(y0 - grid.reach_rows * height, -90.0) * RADIANS
    outer1 = smaller(y0 + (grid.reach_rows + 1) * height, 90.0) * RADIANS
    least = smaller(math.cos(inner0), math.cos(inner1)) * smaller(math.cos(outer0), math.cos(outer1))
    most = (1.0 if inner0 <= 0 <= inner1 else larger(math.cos(inner0), math.cos(inner1))) * (
        1.0 if outer0 <= 0 <= outer1 else larger(math.cos(outer0), math.cos(outer1))
    )
    k = 0.5 * (least + most)
    width = grid.bands[row >> grid.band_shift, 2] * RADIANS
    # Variation of the cosines, sin x against x, rounding of the input, rounding of the arithmetic.
    guard = (most - least) / larger(most + least, 1e-300) + (grid.eps2 * RADIANS * RADIANS + width * width) / 6
    guard += grid.rounding + 1e-12
    if guard > 0.5:  # beside a pole nothing is certain: decide every pair exactly
        return Metric(row, k, -1.0, np.inf, grid.sin2, EXACT_PRICE)
    price = 1 + np.int64(0.5 * EXACT_PRICE * guard)  # a share of the pairs is in doubt
    return Metric(row, k, grid.eps2 / (1 + guard), grid.eps2 / (1 - guard), grid.sin2, price)


@inlined
def cell_metric(grid, key, metric):
    """Return the Metric of a cell's row; `metric`, that of the cell before, if it is the same."""
    row = key >> grid.col_bits
    return metric if row == metric.row else row_metric(grid, row)


@part
def _count_exactly(ys, xs, start, stop, centre, metric):
    count = 0
    for j in range(np.uint64(start), np.uint64(stop)):
        count += is_near(centre, ys[j], xs[j], metric)
    return count


@inlined
def count_chunk(ys, xs, start, stop, centre, metric):
    """Count the neighbours among the points ``start:stop`` by quick distances, and again where one is in doubt."""
    y = centre.y
    x = centre.x + centre.shift
    sure = 0
    maybe = 0
    for j in range(np.uint64(start), np.uint64(stop)):  # unsigned: no index counts from the end
        dy = ys[j] - y
        dx = xs[j] - x
        d = dy * dy + metric.k * dx * dx
        sure += d <= metric.below
        maybe += d <= metric.above
    return sure if sure == maybe else _count_exactly(ys, xs, start, stop, centre, metric)


@part
def any_near(ys, xs, start, stop, centre, metric):
    """Tell whether a point of ``start:stop`` is within eps of the centre."""
    count = 0
    while start < stop and count == 0:
        end = smaller(start + CHUNK, stop)
        count = count_chunk(ys, xs, start, end, centre, metric)
        start = end
    return count > 0


@part
def count_near(ys, xs, p, known, spans, metric, enough):
    """Count the neighbours of point `p` in `spans` and those `known`, until there are `enough` or cannot be any more.

    Return also how many points were compared. Spans are those of
    :func:`cabstand.clustering.kernels.neighbour_cells.set_spans`.
    """
    count = known
    s = 0
    left = np.int64(0)
    while spans[s, 3] > 0 and count < enough and count + spans[s, 3] >= enough:
        start = spans[s, 0]
        stop = spans[s, 1]
        centre = Centre(ys[p], xs[p], np.float64(spans[s, 2]))
        while start < stop and count < enough:
            end = smaller(start + CHUNK, stop)
            count += count_chunk(ys, xs, start, end, centre, metric)
            start = end
        left = stop - start
        s += 1
    return count, spans[0, 3] - spans[s, 3] - left


@part
def sum_near(ys, xs, p, known, spans, metric, weights):
    """Add the weights of the points of `spans` within eps of point `p` to what is `known`."""
    total = known
    s = 0
    while spans[s, 3] > 0:
        centre = Centre(ys[p], xs[p], np.float64(spans[s, 2]))
        weight = 0.0
        for j in range(spans[s, 0], spans[s, 1]):
            if is_near(centre, ys[j], xs[j], metric):
                weight += weights[j]
        total += weight
        s += 1
    return total
