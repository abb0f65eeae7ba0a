"""Sixth stage: which points are core points.

In a cell of ``min_samples`` points or more all are. For the others neighbours are counted, nearest rows first, until
there are enough or cannot be any more. Points may have weights, which may be zero or negative: then no cell is sure to
be all core, and the weights of all neighbours are summed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels import costly
from cabstand.clustering.kernels.cells import Cells, listed
from cabstand.clustering.kernels.costly import MOST_COST, is_costly, none_noted, note_costly, take_noted
from cabstand.clustering.kernels.gather import Gathered
from cabstand.clustering.kernels.grid import Grid
from cabstand.clustering.kernels.instructions import larger, scratch, smaller
from cabstand.clustering.kernels.jit import kernel, part
from cabstand.clustering.kernels.metric import cell_metric, count_near, row_metric, sum_near
from cabstand.clustering.kernels.neighbour_cells import MOST_SPANS, Neighbours, set_spans
from cabstand.clustering.kernels.threads import Array, Workers, sliced


class CellPoints(NamedTuple):
    """The gathered points, the core points of each cell in front."""

    keys: Array  # int64, shape (cells,)
    n_core: Array  # int32, shape (cells,): core points in each cell, those that were not gathered included
    starts: Array  # these as in Gathered, but points that are not core have NaN in `xs`
    ys: Array
    xs: Array
    rows: Array


class Weights(NamedTuple):
    """Weight of each gathered point, and the sums of the positive and of the negative ones of each cell."""

    own: Array
    positive: Array
    negative: Array


def sparse_cells(cells: Cells, min_samples: int, weights: Array | None) -> Array:
    """List the cells (int32) whose points have to be looked at; with weights, all."""
    return listed(cells.sizes < min_samples if weights is None else np.ones(len(cells.sizes), np.bool_))


@kernel
def sum_weights(starts, weights):
    """Sum the weights of gathered points by cell."""
    own, positive, negative = weights
    for cell in range(len(positive)):
        up = 0.0
        down = 0.0
        for p in range(starts[cell], starts[cell + 1]):
            up += larger(own[p], 0.0)
            down += smaller(own[p], 0.0)
        positive[cell] = up
        negative[cell] = down


@kernel
def find_core(grid, points, sparse, min_samples, flags, noted, at):
    """Set the flag (uint8, one a gathered point) of every core point of sparse cells, and count them in `points`.

    Cells that cost too much are only noted in `noted`, for :mod:`.costly`.
    Return whether there is more to do; see :func:`.threads.sliced`.
    """
    cells, runs, shifts = sparse
    keys, n_core, starts, ys, xs, _ = points
    spans = scratch(MOST_SPANS, 4, np.int64)
    metric = row_metric(grid, np.int64(0))
    work = np.int64(0)
    for i in range(at[0], len(cells)):
        if work > MOST_COST:
            at[0] = i
            return True
        cell = np.int64(cells[i])
        total = np.int64(0)
        for s in range(len(shifts)):
            total += starts[np.uint64(runs[i, s, 1])] - starts[np.uint64(runs[i, s, 0])]
        if total < min_samples:
            n_core[cell] = 0
            continue
        set_spans(starts, sparse, i, spans)
        metric = cell_metric(grid, keys[cell], metric)
        own = starts[cell + 1] - starts[cell]
        found = cost = 0
        for p in range(starts[cell], starts[cell + 1]):
            count, compared = count_near(ys, xs, p, own, spans, metric, min_samples)
            flags[p] = count >= min_samples
            found += flags[p]
            cost += compared * metric.price
            if is_costly(cost, p - starts[cell], total):
                note_costly(noted, i)
                break
        n_core[cell] = found
        work += cost
    return False


@part
def _weight_limits(weights, sparse, i):
    """Return the weight of cell `i` of these, and the least and the most that a neighbourhood in it can have."""
    cells, runs, shifts = sparse
    _, positive, negative = weights
    own = least = most = positive[cells[i]] + negative[cells[i]]
    for s in range(len(shifts)):
        for other in range(runs[i, s, 0], runs[i, s, 1]):
            if other != cells[i]:
                least += negative[other]
                most += positive[other]
    return own, least, most


@kernel
def find_core_weighted(grid, points, weights, sparse, min_samples, flags, noted, at):
    """Do as :func:`find_core` where points have weights."""
    cells, _, _ = sparse
    keys, n_core, starts, ys, xs, _ = points
    spans, own_weights = scratch(MOST_SPANS, 4, np.int64), weights.own
    metric = row_metric(grid, np.int64(0))
    work = np.int64(0)
    for i in range(at[0], len(cells)):
        if work > MOST_COST:
            at[0] = i
            return True
        cell = np.int64(cells[i])
        own, least, most = _weight_limits(weights, sparse, i)
        if least >= min_samples or most < min_samples:
            n_core[cell] = starts[cell + 1] - starts[cell] if least >= min_samples else 0
            continue
        set_spans(starts, sparse, i, spans)
        metric = cell_metric(grid, keys[cell], metric)
        n = starts[cell + 1] - starts[cell]
        cost = n * spans[0, 3] * metric.price
        if is_costly(cost, n, spans[0, 3]):
            note_costly(noted, i)
            continue
        work += cost
        found = 0
        for p in range(starts[cell], starts[cell + 1]):
            flags[p] = sum_near(ys, xs, p, own, spans, metric, own_weights) >= min_samples
            found += flags[p]
        n_core[cell] = found
    return False


@kernel
def core_first(sizes, points, flags, first, last, others):
    """Move the core points of mixed cells among ``first:last`` to the front, in input order; make `xs` of others NaN.

    NaN is near nothing, so from here on a range of points can be searched for core points without looking at flags.
    `others` (int32) has room for the points of a cell.
    """
    _, n_core, starts, ys, xs, rows = points
    for cell in range(first, last):
        a, b = starts[cell], starts[cell + 1]
        if n_core[cell] == 0:
            for p in range(a, b):
                xs[p] = np.nan
        elif n_core[cell] < sizes[cell]:
            front, n = a, 0
            for p in range(a, b):
                if flags[p]:
                    ys[front] = ys[p]
                    xs[front] = xs[p]
                    rows[front] = rows[p]
                    front += 1
                else:
                    others[n] = rows[p]
                    n += 1
            for i in range(n):
                xs[front + i] = np.nan
                rows[front + i] = others[i]


def run(
    grid: Grid,
    cells: Cells,
    gathered: Gathered,
    sparse: list[Neighbours],
    min_samples: int,
    weights: Array | None,
    workers: Workers,
) -> CellPoints:
    """Find the core points and move them to the front of their cells (in place)."""
    points = CellPoints(cells.keys, cells.sizes.copy(), *gathered)
    flags, n = np.empty(len(points.rows), np.uint8), len(cells.keys)
    all_noted, summed = [none_noted(stripe) for stripe in sparse], None
    calls = [(stripe, min_samples, flags, noted) for stripe, noted in zip(sparse, all_noted, strict=True)]
    if weights is None:
        workers.run(sliced(find_core), [(grid, points, *call) for call in calls])
    else:
        summed = Weights(weights[points.rows], np.empty(n), np.empty(n))
        sum_weights(points.starts, summed)
        workers.run(sliced(find_core_weighted), [(grid, points, summed, *call) for call in calls])
    noted = take_noted(sparse, all_noted, workers)
    costly.find_core(grid, points, summed and summed.own, noted, min_samples, flags, workers)
    most = int(cells.sizes.max())
    stripes = workers.stripes(n)
    workers.run(core_first, [(cells.sizes, points, flags, a, b, np.empty(most, np.int32)) for a, b in stripes])
    return points
