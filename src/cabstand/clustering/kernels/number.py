"""Eighth stage: clusters numbered by their lowest core point."""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.link import find


@kernel
def number(starts, n_core, rows, parent, labels):
    """Label every cell with a core point; return the number of clusters.

    Parameters
    ----------
    rows : ndarray of int32
        Input index of each kept point; core points first and in order, so a cell's first is its lowest.
    labels : ndarray of int32, one a cell
        Filled; -1 where no point is core.
    """
    n_cells = len(n_core)
    lowest = np.empty(n_cells, np.int64)
    n_roots = 0
    for cell in range(n_cells):
        if n_core[cell] > 0:
            root = find(parent, cell)
            parent[cell] = root
            if root == cell:  # a root is the lowest cell of its cluster, so it comes first
                lowest[cell] = rows[starts[cell]]
                n_roots += 1
            else:
                lowest[root] = min(lowest[root], np.int64(rows[starts[cell]]))
    roots = np.empty(n_roots, np.int64)
    firsts = np.empty(n_roots, np.int64)
    i = 0
    for cell in range(n_cells):
        labels[cell] = -1
        if n_core[cell] > 0 and parent[cell] == cell:
            roots[i] = cell
            firsts[i] = lowest[cell]
            i += 1
    for rank, i in enumerate(np.argsort(firsts)):
        labels[roots[i]] = rank
    for cell in range(n_cells):
        if n_core[cell] > 0:
            labels[cell] = labels[parent[cell]]
    return n_roots
