"""Eighth stage: clusters numbered by their lowest core point."""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.core import CellPoints
from cabstand.clustering.kernels.instructions import atomic_min
from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.threads import Array, Workers
from cabstand.clustering.kernels.union_find import find

NONE = np.iinfo(np.int32).max


@kernel
def lowest_cores(points, first, last, parent, lowest):
    """Lower the lowest core point of clusters by those of cells ``first:last``; point these straight at their roots.

    Parameters
    ----------
    points : CellPoints
        The core points of a cell come first and in input order, so its first is its lowest.
    parent : ndarray of int32, one a cell
    lowest : ndarray of int32, one a cell
        The lowest core point so far, where a root's cluster has any.
    """
    _, n_core, starts, _, _, rows = points
    for cell in range(first, last):
        if n_core[cell] > 0:
            root = find(parent, cell)
            parent[cell] = root
            row = rows[starts[cell]]
            if row < lowest[root]:
                atomic_min(lowest, root, row)


@kernel
def label_cells(n_core, parent, ranks, labels):
    """Label cells: the rank of their cluster (its root's), or -1 where no point is core."""
    for cell in range(len(labels)):
        labels[cell] = ranks[parent[cell]] if n_core[cell] > 0 else -1


def run(points: CellPoints, parent: Array, workers: Workers) -> tuple[Array, int]:
    """Label every cell; return the labels (int32, -1 where no point is core) and the number of clusters."""
    labels, lowest = np.empty(len(parent), np.int32), np.full(len(parent), NONE, np.int32)
    stripes = workers.stripes(len(parent))
    workers.run(lowest_cores, [(points, a, b, parent, lowest) for a, b in stripes])
    roots = np.flatnonzero(lowest != NONE)
    ranks = lowest  # a root's lowest core point is replaced by its rank
    ranks[roots[np.argsort(lowest[roots])]] = np.arange(len(roots), dtype=np.int32)
    workers.run(label_cells, [(points.n_core[a:b], parent[a:b], ranks, labels[a:b]) for a, b in stripes])
    return labels, len(roots)
