"""Fourth stage: which points must be brought together.

A cell whose points reach ``min_samples`` is all core. Unless a cell with fewer lies within reach, nobody will ever
measure a distance to its single points, and a few of them stand for it.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.jit import kernel


@kernel
def listed(chosen):
    """List the cells that are chosen, as int32."""
    found = np.empty(len(chosen), np.int32)
    n = 0
    for cell in range(np.uint64(len(chosen))):  # no asking: which are chosen cannot be guessed
        found[n] = cell
        n += chosen[cell]
    return found[:n]


@kernel
def spared(sizes, min_samples, n_samples):
    """Count the points that could be left out if `n_samples` stood for every cell that is all core."""
    total = np.int64(0)
    for n in sizes:
        total += max(n - n_samples, 0) if n >= min_samples else 0
    return total


@kernel
def mark_needed(runs, first, last, needed):
    """Set ``needed`` of every cell in the runs of sparse cells ``first:last``."""
    for i in range(first, last):
        for s in range(runs.shape[1]):
            for other in range(runs[i, s, 0], runs[i, s, 1]):
                needed[np.uint64(other)] = 1


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
