"""Last stages: the label of every point.

A core point has the label of its cell, and a lone point of a cell without core points has none. Only the border points
have to be looked up among the kept ones: each takes the lowest-numbered cluster that has a core point within eps, and
is marked in place of its cell.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.fetch import SHORT, lines_soon_written, soon_read, soon_written
from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.metric import any_near, row_metric

CELLS_AHEAD = 8  # their points are asked for before it is their turn


@kernel
def _lowest_label(starts, ys, xs, n_core, cell_labels, runs, i, turns, y, x, best, k, below, above, sin2):
    """Find the lowest label among `best` (-1: none) and the clusters with a core point within eps of (y, x)."""
    for s in range(len(turns)):
        first = np.int64(runs[i, s, 0])
        last = np.int64(runs[i, s, 1])
        rivals = 0
        for cell in range(np.uint64(first), np.uint64(last)):
            rivals += (cell_labels[cell] >= 0) & ((best < 0) | (cell_labels[cell] < best))
        if rivals == 0 or not any_near(ys, xs, starts[first], starts[last], y, x, turns[s], k, below, above, sin2):
            continue
        for cell in range(first, last):
            label = cell_labels[cell]
            if label >= 0 and (best < 0 or label < best):
                a = starts[cell]
                if any_near(ys, xs, a, a + n_core[cell], y, x, turns[s], k, below, above, sin2):
                    best = label
    return best


@kernel
def _has_rival(cell_labels, runs, i, own):
    """Tell whether any cell in the runs has a label that would beat `own` (-1: none)."""
    for s in range(runs.shape[1]):
        for cell in range(runs[i, s, 0], runs[i, s, 1]):
            if cell_labels[cell] >= 0 and (own < 0 or cell_labels[cell] < own):
                return True
    return False


@kernel
def mark_border(
    points, grid, bands, keys, starts, ys, xs, rows, n_core, cell_labels, sparse, runs, turns, first, last, cells
):
    """Put the complement of its label, below 0, in place of the cell of each border point of ``sparse[first:last]``."""
    measured_row = np.int64(-1)
    k = below = above = 0.0
    flat = points.reshape(-1)
    for i in range(first, last):
        ahead = np.int64(sparse[min(i + CELLS_AHEAD, last - 1)])
        for p in range(starts[ahead] + n_core[ahead], starts[ahead + 1]):
            soon_read(flat, np.uint64(2 * np.int64(rows[p])))
            soon_written(cells, np.uint64(rows[p]))
        cell = np.int64(sparse[i])
        own = cell_labels[cell]
        middle = starts[cell] + n_core[cell]
        if middle == starts[cell + 1]:
            continue  # all core
        rival = _has_rival(cell_labels, runs, i, own)
        for p in range(middle, starts[cell + 1] if own >= 0 and not rival else middle):
            cells[rows[p]] = ~own
        if not rival:
            continue
        row = keys[cell] >> grid.col_bits
        if row != measured_row:
            k, below, above = row_metric(grid, bands, row)
            measured_row = row
        for p in range(middle, starts[cell + 1]):
            y = np.float64(points[rows[p], 0])
            x = np.float64(points[rows[p], 1])
            label = _lowest_label(
                starts, ys, xs, n_core, cell_labels, runs, i, turns, y, x, own, k, below, above, grid.sin2
            )
            if label >= 0:
                cells[rows[p]] = ~label


@kernel
def label(start, stop, cell_labels, labels, core):
    """Turn cells and marks into labels in place, for points ``start:stop``, and tell which points are core.

    Parameters
    ----------
    cell_labels : ndarray of int32, one a cell
        The label of the cell's core points, -1 if it has none.
    labels : ndarray of int32
        Cells, or complements of labels where :func:`mark_border` put them.
    core : ndarray of bool
        Filled.
    """
    of_cells = np.empty(SHORT, np.int32)
    for first in range(start, stop, SHORT):
        last = min(first + SHORT, stop)
        lines_soon_written(labels, last, SHORT)
        lines_soon_written(core, last, SHORT)
        own, is_core = labels[first:last], core[first:last]
        for j in range(len(own)):
            of_cells[j] = cell_labels[np.uint64(max(own[j], 0))]
        for j in range(len(own)):
            cell = own[j]
            own[j] = of_cells[j] if cell >= 0 else ~cell
            is_core[j] = (cell >= 0) & (of_cells[j] >= 0)
