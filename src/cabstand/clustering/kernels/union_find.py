"""Union-find over cells, by all threads at once.

A parent comes before its children and nothing that has one becomes a root again, so whatever a thread reads of
another's work, old or new, lies on the way to the root; only giving a root a parent must not happen twice.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.instructions import compare_and_swap, larger, smaller
from cabstand.clustering.kernels.jit import inlined, kernel


@inlined
def find(parent, cell):
    """Find the root, halving the path on the way."""
    while parent[cell] != cell:
        parent[cell] = parent[parent[cell]]
        cell = parent[cell]
    return cell


@inlined
def unite(parent, a, b):
    """Join the clusters of two roots under the lower one, so that the answer does not depend on the order of joins."""
    while a != b:
        low, high = smaller(a, b), larger(a, b)
        if compare_and_swap(parent, high, high, low):
            return
        a = find(parent, low)  # another thread was first
        b = find(parent, high)


@kernel
def flatten(parent, cells):
    """Point cells straight at their roots, so that most pairs of one cluster are recognised at once."""
    for cell in cells:
        parent[cell] = find(parent, np.int64(cell))
