"""Eighth stage: clusters numbered by their lowest core point."""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.atomic import lower
from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.link import find
from cabstand.clustering.kernels.share import Array, Chunks, Map

NONE = np.iinfo(np.int32).max


@kernel
def lowest_cores(starts, n_core, rows, first, last, parent, lowest):
    """Lower the lowest core point of clusters by those of cells ``first:last``.

    Parameters
    ----------
    rows : ndarray of int32
        Input index of each kept point; core points first and in order, so a cell's first is its lowest.
    parent : ndarray of int32, one a cell
        Pointed straight at the roots.
    lowest : ndarray of int32, one a cell
        The lowest core point so far, where a root's cluster has any.
    """
    for cell in range(first, last):
        if n_core[cell] > 0:
            root = find(parent, cell)
            parent[cell] = root
            row = rows[starts[cell]]
            if row < lowest[root]:
                lower(lowest, root, row)


@kernel
def label_cells(n_core, parent, ranks, first, last, labels):
    """Label cells ``first:last``: the rank of their cluster, or -1 where no point is core."""
    for cell in range(first, last):
        labels[cell] = ranks[parent[cell]] if n_core[cell] > 0 else -1


def number(starts: Array, n_core: Array, rows: Array, parent: Array, run: Map, stripes: Chunks) -> tuple[Array, int]:
    """Label every cell; return the labels (-1 where no point is core) and the number of clusters."""
    labels, lowest = np.empty(len(n_core), np.int32), np.full(len(n_core), NONE, np.int32)
    run(lowest_cores, [(starts, n_core, rows, a, b, parent, lowest) for a, b in stripes])
    roots = np.flatnonzero(lowest != NONE)
    lowest[roots[np.argsort(lowest[roots])]] = np.arange(len(roots), dtype=np.int32)
    run(label_cells, [(n_core, parent, lowest, a, b, labels) for a, b in stripes])
    return labels, len(roots)
