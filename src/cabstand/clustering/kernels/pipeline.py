"""Exact DBSCAN: the stages in their order."""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels import cells, closest, core, gather, labels, link, neighbour_cells, sample, slots
from cabstand.clustering.kernels.core import CellPoints
from cabstand.clustering.kernels.gather import Located
from cabstand.clustering.kernels.grid import Grid
from cabstand.clustering.kernels.neighbour_cells import Neighbours
from cabstand.clustering.kernels.threads import Array, Workers, workers


def cluster(
    points: Array, grid: Grid, min_samples: int, weights: Array | None, n_threads: int
) -> tuple[Array, Array, int]:
    """Cluster checked points (float32 or float64, shape (n, 2), C order) with optional weights (float64, shape (n,)).

    Return labels (int32, shape (n,)), the core mask (bool, shape (n,)) and the number of clusters.
    """
    with workers(len(points), n_threads) as pool:
        # To save memory, one array of 4 bytes a point holds the slot of each point at first, then its cell, then a mark
        # if it is a border point, and its label in the end: each stage replaces what the one before wrote.
        slot_of = np.empty(len(points), np.int32)
        page_bits, pages, chunks = slots.run(points, grid, slot_of, pool)
        table = cells.run(page_bits, pages, chunks, slot_of, pool)
        del pages
        source = Located(points, cell_of=slot_of, cells=table)

        sparse = neighbour_cells.run(grid, table, core.sparse_cells(table, min_samples, weights), pool)
        starts = sample.run(table, sparse, min_samples, weights is not None, pool)
        gathered = gather.run(source, starts, pool)

        found = core.run(grid, table, gathered, sparse, min_samples, weights, pool)
        cell_labels, n_clusters = join(grid, source, found, sparse, pool)
        marks = source.cell_of
        del sparse, starts, gathered, found  # their memory can hold the core mask
        return *labels.label_points(cell_labels, marks, pool), n_clusters


def join(grid: Grid, source: Located, found: CellPoints, sparse: list[Neighbours], pool: Workers) -> tuple[Array, int]:
    """Join the cells of core points to clusters, and mark border points; return the cells' labels and their number."""
    parent, open_pairs = link.run(grid, found, pool)
    if len(open_pairs):
        closest.run(grid, source, found, open_pairs, parent, pool)
    cell_labels, n_clusters = labels.number_clusters(found, parent, pool)
    del parent  # what comes next needs the most memory
    if n_clusters:
        labels.mark_border(grid, source, found, sparse, cell_labels, pool)
    return cell_labels, n_clusters
