"""The core points and where they are, for those who want them listed."""

from __future__ import annotations

import itertools

import numpy as np

from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.share import Array, cut, threads, worth


@kernel
def _list_core(points, core, start, stop, place, indices, found):
    """Write the core points among ``start:stop`` and their indices, from `place` on."""
    to = np.uint64(place)
    for i in range(np.uint64(start), np.uint64(stop)):
        if core[i]:
            indices[to] = i
            found[to, 0] = points[i, 0]
            found[to, 1] = points[i, 1]
            to += np.uint64(1)


def core_points(points: Array, core: Array, n_threads: int) -> tuple[Array, Array]:
    """List core points: where they are, ascending (int64), and copies of them.

    Parameters
    ----------
    points : ndarray of float32 or float64, shape (n, 2), C order, read-only
    core : ndarray of bool, shape (n,)
    n_threads : int
    """
    chunks = cut(len(points), worth(len(points), n_threads))
    with threads(len(chunks)) as run:
        counts = run(np.count_nonzero, [(core[a:b],) for a, b in chunks])
        *places, n = itertools.accumulate(counts, initial=0)
        indices, found = np.empty(n, np.int64), np.empty((n, 2), points.dtype)
        run(_list_core, [(points, core, a, b, p, indices, found) for (a, b), p in zip(chunks, places, strict=True)])
    return indices, found
