"""Answers the questions of a CoreIndex by compiled code, wherever that is sure to agree with it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering import metrics
from cabstand.clustering.core_index import CoreIndex
from cabstand.clustering.inputs import read_only
from cabstand.clustering.kernels import nearest

Labels = NDArray[np.int32]
Floats = NDArray[np.float64]


class Predictor:
    """Finds clusters and distances exactly as :meth:`CoreIndex.query` does."""

    def __init__(self, index: CoreIndex) -> None:
        self._index = index
        boxes, starts = index.tree.nodes()
        none = np.int32(-1)  # at index -1, for points that have no core point
        self._tree = nearest.Tree(index.points, np.append(index.clusters, none), starts, boxes)
        self._searches = {strict: _search(index, strict) for strict in (False, True)}

    def labels(self, points: NDArray[np.floating]) -> Labels:
        """Return the cluster of each of `points`, finite, shape (m, 2)."""
        queries, nearest_of, asked = self._find(points, strict=False)
        labels: Labels = self._tree.tags[nearest_of]
        if len(asked):
            labels[asked], _ = self._index.query(queries[asked])
        return labels

    def labels_and_distances(self, points: NDArray[np.floating]) -> tuple[Labels, Floats]:
        """Return also the distance of each point to its core point, NaN where there is none."""
        queries, nearest_of, asked = self._find(points, strict=True)
        labels, distance = self._tree.tags[nearest_of], np.full(len(queries), np.nan)
        hit = np.flatnonzero(nearest_of >= 0)
        reduced = metrics.reduced(queries[hit], self._tree.points[nearest_of[hit]], self._index.metric)
        distance[hit] = np.minimum(metrics.to_distance(reduced, self._index.metric), self._index.eps_m)
        if len(asked):
            labels[asked], distance[asked] = self._index.query(queries[asked])
        return labels, distance

    def _find(
        self, points: NDArray[np.floating], *, strict: bool
    ) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
        """Return the points as float64, the nearest core point of each, and for which the index must be asked."""
        queries: Floats = read_only(np.asarray(points, np.float64))
        search = self._searches[strict]
        found = np.full(len(queries), nearest.ASK) if search is None else nearest.run(queries, self._tree, search)
        asked = np.flatnonzero(found == nearest.ASK)
        found[asked] = nearest.FOUND_NONE
        return queries, found, asked


def _search(index: CoreIndex, strict: bool) -> nearest.Search | None:
    """Return what compiled code has to look for; None if it cannot be sure of any answer."""
    reach, spherical = metrics.reach(index.eps_m, index.metric), index.metric == "haversine"
    widest = reach.most * (1 + nearest.SURELY)
    angle = 2 * math.degrees(math.asin(math.sqrt(min(widest, 1.0)))) if spherical else math.sqrt(widest)
    degrees = angle * (1 + 1e-6)
    if not len(index) or (spherical and (degrees > nearest.MOST_REACH or np.abs(index.points[:, 1]).max() > 180)):
        return None
    return nearest.Search(spherical, strict, degrees, reach.sure, reach.most)
