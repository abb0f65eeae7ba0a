"""Sixth stage: which points are core points.

In a cell of ``min_samples`` points or more all are. For the others neighbours are counted, nearest rows first, until
there are enough or cannot be any more.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.metric import count_near, row_metric
from cabstand.clustering.kernels.windows import neighbour_runs, start_cursors


@kernel
def _is_core(grid, ys, xs, p, own, spans, turns, n_spans, total, measure, min_samples):
    """Count the neighbours of point p: `own` is the size of its cell, `spans` ranges of points, `total` all of them."""
    k, below, above = measure
    count = own
    rest = total - own
    for s in range(n_spans):
        if count >= min_samples or count + rest < min_samples:
            break
        a = spans[s, 0]
        b = spans[s, 1]
        rest -= b - a
        count += count_near(ys, xs, a, b, ys[p], xs[p], turns[s], k, below, above, grid.sin2, min_samples - count)
    return count >= min_samples


@kernel
def _spans_of(starts, cell, runs, turns, n_runs, spans, span_turns):
    """Turn runs of cells into ranges of points, leaving out the cell itself; return how many and their points."""
    n_spans = 0
    total = starts[cell + 1] - starts[cell]
    for r in range(n_runs):
        first = runs[r, 0]
        last = runs[r, 1]
        if first <= cell < last:
            if first < cell:
                spans[n_spans, 0] = starts[first]
                spans[n_spans, 1] = starts[cell]
                span_turns[n_spans] = turns[r]
                total += starts[cell] - starts[first]
                n_spans += 1
            first = cell + 1
        if first < last:
            spans[n_spans, 0] = starts[first]
            spans[n_spans, 1] = starts[last]
            span_turns[n_spans] = turns[r]
            total += starts[last] - starts[first]
            n_spans += 1
    return n_spans, total


@kernel
def find_core(grid, keys, sizes, starts, ys, xs, first, last, min_samples, flags, n_core):
    """Set the flag of every core point and count those of every cell of ``first:last``.

    Parameters
    ----------
    flags : ndarray of uint8, one a kept point
        Filled for cells of fewer than `min_samples` points.
    n_core : ndarray of int32, one a cell
    """
    cursors = np.empty(2 * grid.reach_rows + 1, np.int64)
    runs = np.empty((4 * grid.reach_rows + 2, 2), np.int64)
    turns = np.empty(4 * grid.reach_rows + 2)
    spans = np.empty((4 * grid.reach_rows + 3, 2), np.int64)
    span_turns = np.empty(4 * grid.reach_rows + 3)
    start_cursors(grid, keys, first, cursors)
    measure = row_metric(grid, keys[first] >> grid.col_bits)
    measured_row = keys[first] >> grid.col_bits
    for cell in range(first, last):
        if sizes[cell] >= min_samples:
            n_core[cell] = sizes[cell]
            continue
        n_runs = neighbour_runs(grid, keys, cell, cursors, runs, turns)
        n_spans, total = _spans_of(starts, cell, runs, turns, n_runs, spans, span_turns)
        found = 0
        if total >= min_samples:
            row = keys[cell] >> grid.col_bits
            if row != measured_row:
                measure = row_metric(grid, row)
                measured_row = row
            for p in range(starts[cell], starts[cell + 1]):
                flags[p] = _is_core(
                    grid, ys, xs, p, np.int64(sizes[cell]), spans, span_turns, n_spans, total, measure, min_samples
                )
                found += flags[p]
        n_core[cell] = found


@kernel
def core_first(sizes, starts, ys, xs, rows, flags, n_core, first, last):
    """Move the core points of mixed cells to the front, keeping the input order among them and among the others."""
    most = 0
    for cell in range(first, last):
        if 0 < n_core[cell] < sizes[cell]:
            most = max(most, sizes[cell])
    spare_y = np.empty(most)
    spare_x = np.empty(most)
    spare_row = np.empty(most, rows.dtype)
    for cell in range(first, last):
        if 0 < n_core[cell] < sizes[cell]:
            front = starts[cell]
            n_spare = 0
            for p in range(starts[cell], starts[cell + 1]):
                if flags[p]:
                    ys[front] = ys[p]
                    xs[front] = xs[p]
                    rows[front] = rows[p]
                    front += 1
                else:
                    spare_y[n_spare] = ys[p]
                    spare_x[n_spare] = xs[p]
                    spare_row[n_spare] = rows[p]
                    n_spare += 1
            ys[front : starts[cell + 1]] = spare_y[:n_spare]
            xs[front : starts[cell + 1]] = spare_x[:n_spare]
            rows[front : starts[cell + 1]] = spare_row[:n_spare]
