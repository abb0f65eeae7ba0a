"""Core points where points have weights, which may be zero or negative."""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.core import _spans_of
from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.metric import exactly_near, row_metric
from cabstand.clustering.kernels.windows import neighbour_runs, start_cursors


@kernel
def cell_weights(starts, weights, positive, negative):
    """Sum the positive and the negative weights of every cell."""
    for cell in range(len(positive)):
        up = 0.0
        down = 0.0
        for p in range(starts[cell], starts[cell + 1]):
            up += max(weights[p], 0.0)
            down += min(weights[p], 0.0)
        positive[cell] = up
        negative[cell] = down


@kernel
def weight_near(ys, xs, weights, start, stop, y, x, turn, measure, sin2):
    """Sum the weights of the points of ``start:stop`` within eps of (y, x)."""
    k, below, above = measure
    total = 0.0
    for j in range(start, stop):
        dy = ys[j] - y
        dx = xs[j] - (x + turn)
        d = dy * dy + k * dx * dx
        if d <= below or (d <= above and exactly_near(y, x, ys[j], xs[j], sin2)):
            total += weights[j]
    return total


@kernel
def _limits(runs, n_runs, cell, positive, negative):
    """Least and most weight that a neighbourhood of a point of `cell` can have."""
    least = most = positive[cell] + negative[cell]
    for r in range(n_runs):
        for other in range(runs[r, 0], runs[r, 1]):
            if other != cell:
                least += negative[other]
                most += positive[other]
    return least, most


@kernel
def find_core_weighted(
    grid, keys, starts, ys, xs, weights, positive, negative, first, last, min_samples, flags, n_core
):
    """Set the flag of every core point and count those of every cell of ``first:last``."""
    cursors = np.empty(2 * grid.reach_rows + 1, np.int64)
    runs = np.empty((4 * grid.reach_rows + 2, 2), np.int64)
    turns = np.empty(4 * grid.reach_rows + 2)
    spans = np.empty((4 * grid.reach_rows + 3, 2), np.int64)
    span_turns = np.empty(4 * grid.reach_rows + 3)
    start_cursors(grid, keys, first, cursors)
    for cell in range(first, last):
        n_runs = neighbour_runs(grid, keys, cell, cursors, runs, turns)
        least, most = _limits(runs, n_runs, cell, positive, negative)
        begin = starts[cell]
        stop = starts[cell + 1]
        if least >= min_samples or most < min_samples:
            n_core[cell] = stop - begin if least >= min_samples else 0
            continue
        n_spans, _ = _spans_of(starts, cell, runs, turns, n_runs, spans, span_turns)
        measure = row_metric(grid, keys[cell] >> grid.col_bits)
        found = 0
        for p in range(begin, stop):
            total = positive[cell] + negative[cell]
            for s in range(n_spans):
                total += weight_near(
                    ys, xs, weights, spans[s, 0], spans[s, 1], ys[p], xs[p], span_turns[s], measure, grid.sin2
                )
            flags[p] = total >= min_samples
            found += flags[p]
        n_core[cell] = found
