"""Core points where points have weights, which may be zero or negative."""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.core import spans_of
from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.metric import exactly_near, row_metric


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
def weight_near(ys, xs, weights, start, stop, y, x, turn, k, below, above, sin2):
    """Sum the weights of the points of ``start:stop`` within eps of (y, x)."""
    total = 0.0
    for j in range(start, stop):
        dy = ys[j] - y
        dx = xs[j] - (x + turn)
        d = dy * dy + k * dx * dx
        if d <= below or (d <= above and exactly_near(y, x, ys[j], xs[j], sin2)):
            total += weights[j]
    return total


@kernel
def _limits(runs, i, cell, positive, negative):
    """Least and most weight that a neighbourhood of a point of `cell` can have."""
    least = most = positive[cell] + negative[cell]
    for s in range(runs.shape[1]):
        for other in range(runs[i, s, 0], runs[i, s, 1]):
            if other != cell:
                least += negative[other]
                most += positive[other]
    return least, most


@kernel
def find_core_weighted(
    grid,
    bands,
    keys,
    starts,
    ys,
    xs,
    weights,
    positive,
    negative,
    cells,
    runs,
    turns,
    first,
    last,
    min_samples,
    flags,
    n_core,
):
    """Set the flag of every core point of ``cells[first:last]`` and count them; `runs` are those of the cells."""
    spans = np.empty((len(turns) + 1, 2), np.int64)
    span_turns = np.empty(len(turns) + 1)
    for i in range(first, last):
        cell = np.int64(cells[i])
        least, most = _limits(runs, i, cell, positive, negative)
        if least >= min_samples or most < min_samples:
            n_core[cell] = starts[cell + 1] - starts[cell] if least >= min_samples else 0
            continue
        n_spans, _ = spans_of(starts, cell, runs, i, turns, spans, span_turns)
        k, below, above = row_metric(grid, bands, keys[cell] >> grid.col_bits)
        found = 0
        for p in range(starts[cell], starts[cell + 1]):
            total = positive[cell] + negative[cell]
            for s in range(n_spans):
                total += weight_near(
                    ys, xs, weights, spans[s, 0], spans[s, 1], ys[p], xs[p], span_turns[s], k, below, above, grid.sin2
                )
            flags[p] = total >= min_samples
            found += total >= min_samples
        n_core[cell] = found
