"""Lists the core points and copies their coordinates."""

from __future__ import annotations

import itertools

import numpy as np

from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.threads import Array, workers


@kernel
def _list_core(points, core, first, indices, found):
    """Write the core points among these, and their indices, the first of which is `first`."""
    to = np.uint64(0)
    for i in range(np.uint64(len(core))):
        if core[i]:
            indices[to] = first + i
            found[to, 0] = points[i, 0]
            found[to, 1] = points[i, 1]
            to += np.uint64(1)


def core_points(points: Array, core: Array, n_threads: int) -> tuple[Array, Array]:
    """List core points of C-ordered, read-only `points`: their indices, ascending (int64), and copies of them."""
    with workers(len(points), n_threads) as pool:
        chunks = pool.stripes(len(points))
        counts = pool.run(np.count_nonzero, [(core[a:b],) for a, b in chunks])
        edges = list(itertools.accumulate(counts, initial=0))
        indices, found = np.empty(edges[-1], np.int64), np.empty((edges[-1], 2), points.dtype)
        stretches = zip(chunks, itertools.pairwise(edges), strict=True)
        calls = [(points[a:b], core[a:b], a, indices[i:j], found[i:j]) for (a, b), (i, j) in stretches]
        pool.run(_list_core, calls)
    return indices, found
