"""Collapse identical points into one weighted point."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Collapsed(NamedTuple):
    """Distinct points."""

    points: Floats  # shape (m, 2): each distinct point once, in the order of first appearance
    weight: Floats  # shape (m,): total weight of each
    inverse: NDArray[np.int64]  # shape (n,): for each input point its index in `points`


def collapse(points: Floats, weight: Floats | None = None) -> Collapsed:
    """Merge identical points, shape (n, 2), each of weight 1 by default.

    DBSCAN of the distinct points with their weights, indexed by `inverse`, equals DBSCAN of all points: identical
    points have the same neighbours, and the order of first appearance preserves the numbering of the clusters.
    """
    _, first, inverse = np.unique(points, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    inverse = rank[inverse.reshape(-1)]
    return Collapsed(points[first[order]], np.bincount(inverse, weight, len(order)).astype(np.float64), inverse)
