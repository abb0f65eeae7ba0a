"""Fourth stage: which points must be gathered.

A cell of ``min_samples`` points is all core. Unless a cell with fewer lies within reach, no distance to its single
points is ever measured, and a few of them stand for it.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.cells import Cells
from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.neighbour_cells import Neighbours
from cabstand.clustering.kernels.threads import Array, Workers

N_SAMPLES = 8  # points that stand for a cell inside a cluster
LEAST_SAVING = 0.3  # share of the points that sampling must be able to leave out, or it is not tried


@kernel
def mark_whole(runs, whole):
    """Set `whole` (uint8, one a cell) of every cell in the runs (int32, shape (cells, runs, 2)) of sparse cells."""
    for i in range(len(runs)):
        for s in range(runs.shape[1]):
            for other in range(runs[i, s, 0], runs[i, s, 1]):
                whole[np.uint64(other)] = 1


def run(cells: Cells, sparse: list[Neighbours], min_samples: int, weighted: bool, workers: Workers) -> Array:
    """Return where the gathered points of each cell will start, and the end (int64, shape (cells + 1,))."""
    sizes = cells.sizes
    n_spared = 0 if weighted else np.maximum(sizes - N_SAMPLES, 0)[sizes >= min_samples].sum()
    sampling = n_spared > LEAST_SAVING * cells.chunks[-1][1]
    room = sizes
    if sampling:
        whole = np.zeros(len(sizes), np.uint8)
        workers.run(mark_whole, [(stripe.runs, whole) for stripe in sparse])
        room = np.where(whole | (sizes < min_samples), sizes, np.minimum(sizes, N_SAMPLES))
    starts = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(room, out=starts[1:])
    return starts
