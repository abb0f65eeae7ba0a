"""Eighth stage: clusters numbered by their lowest core point."""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.link import find


@kernel
def lowest_cores(starts, n_core, rows, parent, labels, lowest):
    """Find the lowest core point of each cluster, in the order of the clusters' first cells; return how many there are.

    Parameters
    ----------
    rows : ndarray of int32
        Input index of each kept point; core points first and in order, so a cell's first is its lowest.
    parent : ndarray of int32, one a cell
        Pointed straight at the roots, which are the lowest cells of their clusters and so come first.
    labels : ndarray of int32, one a cell
        Filled for roots with the place of their cluster in `lowest`.
    lowest : ndarray of int32, one a cluster or more
        Filled.
    """
    n_clusters = 0
    for cell in range(len(n_core)):
        if n_core[cell] == 0:
            continue
        root = find(parent, cell)
        parent[cell] = root
        first = rows[starts[cell]]
        if root == cell:
            labels[cell] = n_clusters
            lowest[n_clusters] = first
            n_clusters += 1
        else:
            lowest[labels[root]] = min(lowest[labels[root]], first)
    return n_clusters


@kernel
def label_cells(n_core, parent, ranks, labels):
    """Label every cell: the rank of its cluster, or -1 where no point is core; backwards, as roots come first."""
    for cell in range(len(n_core) - 1, -1, -1):
        labels[cell] = ranks[labels[parent[cell]]] if n_core[cell] > 0 else -1


def number(starts, n_core, rows, parent):
    """Label every cell; return the labels (-1 where no point is core) and the number of clusters."""
    labels, lowest = np.empty(len(n_core), np.int32), np.empty(len(n_core), np.int32)
    n_clusters = lowest_cores(starts, n_core, rows, parent, labels, lowest)
    ranks = np.empty(n_clusters, np.int32)
    ranks[np.argsort(lowest[:n_clusters])] = np.arange(n_clusters, dtype=np.int32)
    label_cells(n_core, parent, ranks, labels)
    return labels, n_clusters
