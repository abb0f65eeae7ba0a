"""Collapse identical points into one weighted point."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Collapsed(NamedTuple):
    """Distinct points.

    Attributes
    ----------
    points : ndarray of float64, shape (m, 2)
        Each distinct point once, in the order of first appearance.
    weight : ndarray of float64, shape (m,)
        Total weight of each.
    inverse : ndarray of int64, shape (n,)
        For each input point its index in `points`.
    """

    points: Floats
    weight: Floats
    inverse: NDArray[np.int64]


def collapse(points: Floats, weight: Floats | None = None) -> Collapsed:
    """Merge identical points.

    DBSCAN of the distinct points with their weights, indexed by `inverse`, equals DBSCAN of all points: identical
    points have the same neighbours, and the order of first appearance preserves the numbering of the clusters.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
    weight : ndarray of float64, shape (n,), optional
        1 each by default.
    """
    _, first, inverse = np.unique(points, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    inverse = rank[inverse.reshape(-1)]
    return Collapsed(points[first[order]], np.bincount(inverse, weight, len(order)).astype(np.float64), inverse)
