"""Exact DBSCAN block by block: cluster each block with its halo, merge across boundaries, relabel border points.

The clustering of one block is right as far as it reaches: every point it calls a core point is one, and it sees every
link between two core points of which one is its own. What is missing is which clusters of two blocks are parts of one.
Core points that several blocks hold (`SHARED`) tell, and need not be matched one by one: those in one small cell of
space, of diameter at most eps, are neighbours of each other and so in one cluster. So a block reports the pairs (cell,
cluster) along its boundary; their number grows with the boundary's length over eps, not with the points.

Labels equal those of one run over all points: clusters are numbered by their lowest core point, and a border point
takes the lowest-numbered cluster within its reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.blocks import SHARED
from cabstand.clustering.dbscan import Clustering, dbscan
from cabstand.clustering.metrics import chord, unit_sphere
from cabstand.clustering.rows import group_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Density:
    """The density that makes a cluster."""

    eps_m: float  # radius of a neighbourhood
    min_samples: int  # points in the neighbourhood of a core point

    def cluster(self, points: Floats) -> Clustering:
        """Cluster points on one thread."""
        return dbscan(points, self.eps_m, self.min_samples)


@dataclass(frozen=True)
class LocalClusters:
    """The clusters of one block, as far as the merge needs them."""

    lowest: Ints  # shape (k,): lowest id of a core point of each cluster
    cells: Ints  # shape (m, 3): cells along the boundary that contain core points
    clusters: Labels  # shape (m,): cluster of the core points in each of these cells


def local_clusters(
    points: Floats, ids: Ints, flags: NDArray[np.uint8], found: Clustering, density: Density
) -> LocalClusters:
    """Return what the merge needs of a block's clustering.

    The points of the block and its halo, shape (n, 2), are in ascending order of their ids, which are the same in each
    block; flags are `OWNED` and `SHARED`.
    """
    lowest = np.full(found.n_clusters, np.iinfo(np.int64).max)
    np.minimum.at(lowest, found.labels[found.core], ids[found.core])
    boundary = np.flatnonzero(found.core & ((flags & SHARED) > 0))
    at = unit_sphere(points[boundary])
    # In a cube of this side no two points are further apart than eps; 1 % is left for rounding.
    side = 0.99 * chord(density.eps_m) / np.sqrt(3)
    rows = np.concatenate([np.floor(at / side).astype(np.int64), found.labels[boundary, None]], axis=1)
    order, starts = group_rows(rows)
    rows = rows[order[starts]]
    return LocalClusters(lowest, rows[:, :-1], rows[:, -1].astype(np.int32))


def merge(blocks: Sequence[LocalClusters]) -> tuple[list[Labels], int]:
    """Join the clusters of all blocks.

    Return for each block the final number of each of its clusters, and the number of clusters in all.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first = np.cumsum([0, *(len(block.lowest) for block in blocks)])
    node = np.concatenate([block.clusters + start for block, start in zip(blocks, first, strict=False)])
    cells = np.concatenate([block.cells for block in blocks])
    order = np.lexsort(cells.T)
    node, cells = node[order], cells[order]
    same = np.flatnonzero((cells[1:] == cells[:-1]).all(axis=1))
    links = coo_array((np.ones(len(same), bool), (node[same], node[same + 1])), shape=(first[-1], first[-1]))
    n_clusters, component = connected_components(links, directed=False)
    lowest = np.full(n_clusters, np.iinfo(np.int64).max)
    np.minimum.at(lowest, component, np.concatenate([block.lowest for block in blocks]))
    number = np.empty(n_clusters, np.int32)
    number[np.argsort(lowest)] = np.arange(n_clusters, dtype=np.int32)
    return np.split(number[component], first[1:-1]), int(n_clusters)


def relabel(points: Floats, found: Clustering, numbers: Labels, density: Density) -> Labels:
    """Return the final label of each point of a block; those of its halo may be wrong, other blocks own them.

    A border point must take the lowest *final* number within its reach, but the block chose by its own numbers. Where
    the final `numbers` of its clusters, shape (k,), are in another order, the block is clustered once more with its
    core points in the final order, so that its own numbers follow the final ones.
    """
    final = np.append(numbers, np.int32(-1))[found.labels]
    if (np.diff(numbers) >= 0).all():
        return final
    order = np.argsort(np.where(found.core, final, np.iinfo(np.int32).max), kind="stable")
    again = density.cluster(points[order])
    final_of = np.full(again.n_clusters + 1, -1, np.int32)
    n_core = np.count_nonzero(found.core)
    final_of[again.labels[:n_core]] = final[order[:n_core]]
    labels = np.empty_like(final)
    labels[order] = final_of[again.labels]
    return labels
