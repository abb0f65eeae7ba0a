"""Points at one place as one weighted point."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Collapsed(NamedTuple):
    """Distinct places.

    Attributes
    ----------
    points : ndarray of float64, shape (m, 2)
        Each place once, in the order of first appearance.
    weight : ndarray of float64, shape (m,)
        Weight that stands there.
    place : ndarray of int64, shape (n,)
        For each input point the index of its place.
    """

    points: Floats
    weight: Floats
    place: NDArray[np.int64]


def collapse(points: Floats, weight: Floats | None = None) -> Collapsed:
    """Merge identical points.

    DBSCAN of the places with their weights, spread back over `place`, is DBSCAN of the points: all points of a place
    have the same neighbours, and the order of first appearance keeps that of the clusters' lowest core points.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
    weight : ndarray of float64, shape (n,), optional
        One each by default.
    """
    _, first, inverse = np.unique(points, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    place = rank[inverse.reshape(-1)]
    return Collapsed(points[first[order]], np.bincount(place, weight, len(order)).astype(np.float64), place)
