"""Sixth stage: which points are core points.

In a cell of ``min_samples`` points or more all are. For the others neighbours are counted, nearest rows first, until
there are enough or cannot be any more.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.metric import count_near, row_metric


@kernel
def spans_of(starts, cell, runs, i, turns, spans, span_turns):
    """Turn a cell's runs into ranges of points, leaving out the cell itself; return how many and their points."""
    n_spans = 0
    total = np.int64(0)
    for s in range(len(turns)):
        first = np.int64(runs[i, s, 0])
        last = np.int64(runs[i, s, 1])
        middle = cell if first <= cell < last else last
        for part in range(2):
            a = starts[first] if part == 0 else starts[min(middle + 1, last)]
            b = starts[middle] if part == 0 else starts[last]
            if a < b:
                spans[n_spans, 0] = a
                spans[n_spans, 1] = b
                span_turns[n_spans] = turns[s]
                total += b - a
                n_spans += 1
    return n_spans, total


@kernel
def find_core(grid, bands, keys, starts, ys, xs, sparse, runs, turns, first, last, min_samples, flags, n_core):
    """Set the flag of every core point of cells ``sparse[first:last]`` and count them.

    Parameters
    ----------
    sparse : ndarray of int32
        The cells of fewer than `min_samples` points.
    runs, turns : ndarray
        Their neighbours as :func:`cabstand.clustering.kernels.windows.all_runs` finds them; degrees to turn each.
    flags : ndarray of uint8, one a kept point
    n_core : ndarray of int32, one a cell
    """
    spans = np.empty((len(turns) + 1, 2), np.int64)
    span_turns = np.empty(len(turns) + 1)
    measured_row = np.int64(-1)
    k = below = above = 0.0
    for i in range(first, last):
        cell = np.int64(sparse[i])
        own = starts[cell + 1] - starts[cell]
        total = np.int64(0)
        for s in range(len(turns)):
            total += starts[np.uint64(runs[i, s, 1])] - starts[np.uint64(runs[i, s, 0])]
        if total < min_samples:
            n_core[cell] = 0
            continue
        n_spans, rest = spans_of(starts, cell, runs, i, turns, spans, span_turns)
        row = keys[cell] >> grid.col_bits
        if row != measured_row:
            k, below, above = row_metric(grid, bands, row)
            measured_row = row
        found = 0
        for p in range(starts[cell], starts[cell + 1]):
            n = count_near(ys, xs, p, own, rest, spans, span_turns, n_spans, k, below, above, grid.sin2, min_samples)
            flags[p] = n >= min_samples
            found += n >= min_samples
        n_core[cell] = found


@kernel
def core_first(sizes, starts, ys, xs, rows, flags, n_core, first, last):
    """Move the core points of mixed cells to the front, in input order, and blank the longitude of all that are not.

    NaN is near nothing, so from here on a range of points can be searched for core points without looking at flags.
    """
    most = 0
    for cell in range(first, last):
        if 0 < n_core[cell] < sizes[cell]:
            most = max(most, sizes[cell])
    spare_row = np.empty(most, np.int32)
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
                    spare_row[n_spare] = rows[p]
                    n_spare += 1
            for i in range(n_spare):
                xs[front + i] = np.nan
                rows[front + i] = spare_row[i]
        elif n_core[cell] == 0:
            for p in range(starts[cell], starts[cell + 1]):
                xs[p] = np.nan
