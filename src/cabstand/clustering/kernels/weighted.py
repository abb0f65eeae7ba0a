"""Core points where points have weights, which may be zero or negative."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.metric import Centre, cell_metric, is_near, row_metric
from cabstand.clustering.kernels.neighbour_cells import set_spans
from cabstand.clustering.kernels.threads import Array


class Weights(NamedTuple):
    """Weight of each gathered point, and the sums of the positive and of the negative ones of each cell."""

    own: Array
    positive: Array
    negative: Array


def sum_weights(starts: Array, own: Array) -> Weights:
    """Sum the weights of gathered points by cell."""
    weights = Weights(own, np.empty(len(starts) - 1), np.empty(len(starts) - 1))
    _sum_weights(starts, weights)
    return weights


@kernel
def _sum_weights(starts, weights):
    own, positive, negative = weights
    for cell in range(len(positive)):
        up = 0.0
        down = 0.0
        for p in range(starts[cell], starts[cell + 1]):
            up += max(own[p], 0.0)
            down += min(own[p], 0.0)
        positive[cell] = up
        negative[cell] = down


@kernel
def _limits(neighbours, i, weights):
    """Least and most weight that a neighbourhood of a point of cell `i` of these can have."""
    cells, runs, _ = neighbours
    _, positive, negative = weights
    least = most = positive[cells[i]] + negative[cells[i]]
    for s in range(runs.shape[1]):
        for other in range(runs[i, s, 0], runs[i, s, 1]):
            if other != cells[i]:
                least += negative[other]
                most += positive[other]
    return least, most


@kernel
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


@kernel
def find_core_weighted(grid, points, weights, neighbours, min_samples, flags):
    """Set the flag of every core point of the cells of `neighbours`, and count them.

    Parameters are those of :func:`cabstand.clustering.kernels.core.find_core`, and Weights.
    """
    cells, _, shifts = neighbours
    keys, n_core, starts, ys, xs, _ = points
    own, positive, negative = weights
    spans = np.empty((len(shifts) + 2, 4), np.int64)
    metric = row_metric(grid, 0)
    for i in range(len(cells)):
        cell = np.int64(cells[i])
        least, most = _limits(neighbours, i, weights)
        if least >= min_samples or most < min_samples:
            n_core[cell] = starts[cell + 1] - starts[cell] if least >= min_samples else 0
            continue
        set_spans(starts, neighbours, i, spans)
        metric = cell_metric(grid, keys[cell], metric)
        found = 0
        for p in range(starts[cell], starts[cell + 1]):
            total = sum_near(ys, xs, p, positive[cell] + negative[cell], spans, metric, own)
            flags[p] = total >= min_samples
            found += total >= min_samples
        n_core[cell] = found
