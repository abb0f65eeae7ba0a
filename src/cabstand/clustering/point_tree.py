"""Nearest neighbours in plain NumPy: a packed R-tree over points in Z-order.

The points are sorted along a Z-order curve and cut into equal runs, the leaves; each node bounds the four below it by a
box of latitude and longitude, so the tree adapts to any density.

All queries of a batch are answered together: the leaf at a query's own position on the curve gives an upper bound of
the distance, then all branches whose box meets the window of this bound around the query are followed down, one level
at a time. `cabstand.clustering.metrics.windows` takes care of poles and the antimeridian.

Kamel, Faloutsos: On packing R-trees, CIKM 1993.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering import metrics
from cabstand.clustering.z_order import Codes, z_codes
from cabstand.errors import DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FAN = 4
LEAF_POINTS = 16
MOST_PAIRS = 1 << 19  # pairs of query and node (or query and point) compared at once: bounds the memory of a batch
_FAR = np.iinfo(np.int32).max


@dataclass(frozen=True)
class PointTree:
    """Points in tree order with the boxes over them."""

    points: Floats  # shape (n, 2): latitude and longitude in degrees, or x and y
    tags: NDArray[np.int32]  # shape (n,): returned for the nearest point; among equally near ones the lowest tag wins
    metric: str
    _starts: Ints  # first point of each leaf, and n
    _codes: Codes  # position on the curve of each leaf's first point
    _levels: tuple[Floats, ...]  # boxes from the root's children to the leaves: (parents, 2, 2, children)

    @classmethod
    def build(cls, points: Floats, tags: NDArray[np.int32], metric: str) -> PointTree:
        """Build the boxes over points in the order of `z_codes`; DataError if they are in another order."""
        codes = z_codes(points, metric)
        if (codes[1:] < codes[:-1]).any():
            raise DataError("points are not in Z-order", where="hotspot index")
        depth = 0
        while FAN**depth * LEAF_POINTS < len(points):
            depth += 1
        starts = np.arange(FAN**depth + 1) * len(points) // FAN**depth
        if not len(points):
            return cls(points, tags, metric, starts, codes, ())
        at = metrics.wrapped(points, metric)
        boxes = np.stack([ufunc.reduceat(at, starts[:-1]) for ufunc in (np.minimum, np.maximum)], axis=1)
        return cls(points, tags, metric, starts, codes[starts[:-1]], _levels(boxes, depth))

    def nodes(self) -> tuple[Floats, Ints]:
        """Return the boxes of the children of each inner node, shape (nodes, 16), from the root on, and `_starts`.

        The children of node k are 4k + 1 to 4k + 4; a node beyond the inner ones is a leaf.
        """
        inner = [level.reshape(-1, 4 * FAN) for level in self._levels if level.shape[-1] == FAN]
        return np.concatenate([np.empty((0, 4 * FAN)), *inner]), self._starts

    def nearest(self, queries: Floats, reach: metrics.Reach) -> tuple[NDArray[np.int32], Floats]:
        """Return the tag of the nearest point to each of `queries`, finite, shape (m, 2), and its reduced distance.

        They are -1 and infinity where no point is within `reach`. What is in doubt there is decided as in the
        clustering, so that a point which the clustering finds near is found here, and no other.
        """
        tags = np.full(len(queries), -1, np.int32)
        reduced = np.full(len(queries), np.inf)
        if len(self.points):
            at = metrics.wrapped(queries, self.metric)
            bound = self._first_bound(queries)
            bound[bound > reach.sure] = reach.most
            stack = [np.arange(len(queries))]
            while stack:
                chosen = stack.pop()
                pairs = self._open_leaves(at[chosen], bound[chosen], chosen)
                if pairs is None:  # too many at once
                    stack += np.array_split(chosen, 2)
                else:
                    self._search_leaves(queries, reach, bound, pairs, tags, reduced)
        return tags, reduced

    def _first_bound(self, queries: Floats) -> Floats:
        """Return the reduced distance to the best point of the leaf at the query's own position on the curve."""
        leaf = np.searchsorted(self._codes, z_codes(queries, self.metric, like=self.points), side="right") - 1
        found, _ = self._leaf_distances(queries, np.maximum(leaf, 0))
        nearest: Floats = found.min(axis=1)
        return nearest

    def _open_leaves(self, at: Floats, bound: Floats, chosen: Ints) -> tuple[Ints, Ints] | None:
        """Return the pairs (query, leaf) that may hold something as near as the bound; None if there are too many."""
        owner, low, high = metrics.windows(at, bound, self.metric)
        window, node = np.arange(len(owner)), np.zeros(len(owner), np.int64)
        for boxes in self._levels:
            if len(node) * FAN > MOST_PAIRS and len(chosen) > 1:
                return None
            box, below, above = boxes[node], high[window], low[window]
            meets = (box[:, 0, 0] <= below[:, :1]) & (box[:, 0, 1] <= below[:, 1:])
            meets &= (box[:, 1, 0] >= above[:, :1]) & (box[:, 1, 1] >= above[:, 1:])
            row, column = np.nonzero(meets)
            window, node = window[row], node[row] * FAN + column
        return chosen[owner[window]], node

    def _search_leaves(
        self,
        queries: Floats,
        reach: metrics.Reach,
        bound: Floats,
        pairs: tuple[Ints, Ints],
        tags: NDArray[np.int32],
        reduced: Floats,
    ) -> None:
        """Compare queries with every point of their open leaves; record the nearest, the lowest tag among equals."""
        step = MOST_PAIRS // (2 * LEAF_POINTS)
        for first in range(0, len(pairs[0]), step):
            query, leaf = (part[first : first + step] for part in pairs)
            found, index = self._leaf_distances(queries[query], leaf)
            found[found > bound[query][:, None]] = np.inf
            self._drop_far(queries[query], reach, found, index)
            heads = np.flatnonzero(np.diff(query, prepend=-1))  # pairs of one query are adjacent
            least = np.minimum.reduceat(found.min(axis=1), heads)
            per_pair = np.repeat(least, np.diff(heads, append=len(query)))
            is_best = (found == per_pair[:, None]) & np.isfinite(found)
            tag = np.minimum.reduceat(np.where(is_best, self.tags[index], _FAR).min(axis=1), heads)
            _keep_better(query[heads], least, tag, tags, reduced)

    def _drop_far(self, queries: Floats, reach: metrics.Reach, found: Floats, index: Ints) -> None:
        """Make infinite those reduced distances in doubt that are not within reach."""
        row, column = np.nonzero((found > reach.sure) & (found <= reach.most))
        if len(row):
            far = ~metrics.is_within(queries[row], self.points[index[row, column]], reach.sin2)
            found[row[far], column[far]] = np.inf

    def _leaf_distances(self, queries: Floats, leaf: Ints) -> tuple[Floats, Ints]:
        """Return reduced distances of each query to the points of its leaf, infinite in the padding, and the points."""
        first, last = self._starts[leaf], self._starts[leaf + 1]
        index = first[:, None] + np.arange((last - first).max())
        outside = index >= last[:, None]
        index[outside] = 0
        found = metrics.reduced(queries[:, None], self.points[index], self.metric)
        found[outside] = np.inf
        return found, index


def _keep_better(query: Ints, least: Floats, tag: NDArray[np.int32], tags: NDArray[np.int32], reduced: Floats) -> None:
    old = reduced[query]
    better = (least < old) | ((least == old) & np.isfinite(least) & (tag < tags[query]))
    reduced[query[better]] = least[better]
    tags[query[better]] = tag[better]


def _levels(boxes: Floats, depth: int) -> tuple[Floats, ...]:
    """Return the boxes of all levels from those of the leaves, (leaves, 2, 2), siblings adjacent in memory."""
    levels: list[Floats] = []
    while True:
        siblings = boxes.reshape(-1, min(FAN, len(boxes)), 2, 2).transpose(0, 2, 3, 1)
        levels.insert(0, np.ascontiguousarray(siblings))
        if len(levels) >= depth:
            return tuple(levels)
        boxes = np.stack([siblings[:, 0].min(axis=-1), siblings[:, 1].max(axis=-1)], axis=1)
