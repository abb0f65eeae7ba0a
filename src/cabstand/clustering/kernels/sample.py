"""Fourth stage: which points must be brought together.

A cell whose points reach ``min_samples`` is all core. Unless a cell with fewer lies within reach, nobody will ever
measure a distance to its single points, and a few of them stand for it.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.windows import neighbour_runs, start_cursors


@kernel
def mark_needed(grid, keys, sizes, first, last, min_samples, needed):
    """Set ``needed`` of every cell within reach of a cell (``first:last``) of fewer than `min_samples` points."""
    cursors = np.empty(2 * grid.reach_rows + 1, np.int64)
    runs = np.empty((4 * grid.reach_rows + 2, 2), np.int64)
    turns = np.empty(4 * grid.reach_rows + 2)
    start_cursors(grid, keys, first, cursors)
    for cell in range(first, last):
        if sizes[cell] < min_samples:
            n_runs = neighbour_runs(grid, keys, cell, cursors, runs, turns)
            for r in range(n_runs):
                for other in range(runs[r, 0], runs[r, 1]):
                    needed[other] = 1


@kernel
def places(sizes, needed, min_samples, n_samples, starts):
    """Lay out the kept points cell by cell: all of a needed cell, else the first `n_samples`; return how many."""
    total = 0
    for cell in range(len(sizes)):
        starts[cell] = total
        n = np.int64(sizes[cell])
        total += n if needed[cell] or n < min_samples else min(n, n_samples)
    starts[len(sizes)] = total
    return total
