"""Seventh stage: cells whose core points are within eps of each other belong together.

Touching cells are tried first, with a few points each: inside a cluster that joins nearly everything, and cells that
are joined already are never measured. A pair of cells that its samples could not join, and that nothing else joined
meanwhile, is left open for :mod:`cabstand.clustering.kernels.closest`.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.cells import listed
from cabstand.clustering.kernels.core import CellPoints
from cabstand.clustering.kernels.grid import Grid
from cabstand.clustering.kernels.instructions import smaller
from cabstand.clustering.kernels.jit import kernel, part
from cabstand.clustering.kernels.metric import Centre, cell_metric, is_near, row_metric
from cabstand.clustering.kernels.neighbour_cells import Neighbours, RowSearch, row_runs
from cabstand.clustering.kernels.sample import N_SAMPLES
from cabstand.clustering.kernels.threads import Array, Workers
from cabstand.clustering.kernels.union_find import find, flatten, unite

APART, JOINED, OPEN = 0, 1, 2
BLOCK = 1024  # cells whose runs are found together: they stay in the second-level cache
MOST_OPEN = 4096  # pairs of cells of a stripe that may stay open before they must be counted first


@part
def samples_near(points, a, b, shift, metric):
    """Compare the first core points of cells a and b: JOINED, APART (these are all their points) or OPEN."""
    _, n_core, starts, ys, xs, _ = points
    na = smaller(smaller(np.int64(n_core[a]), N_SAMPLES), starts[a + 1] - starts[a])
    nb = smaller(smaller(np.int64(n_core[b]), N_SAMPLES), starts[b + 1] - starts[b])
    for p in range(np.uint64(starts[a]), np.uint64(starts[a] + na)):
        centre = Centre(ys[p], xs[p], shift)
        for q in range(np.uint64(starts[b]), np.uint64(starts[b] + nb)):
            if is_near(centre, ys[q], xs[q], metric):
                return JOINED
    return APART if na == n_core[a] and nb == n_core[b] else OPEN


@part
def link(grid, points, neighbours, parent, pairs, n_open):
    """Join cells with those after them; return how many pairs are open now.

    `neighbours` are of cells with a core point, in their own row and the next ones. Pairs that stay open are written to
    `pairs` (int32, shape (room, 2)) from `n_open` on, as many as there is room for.
    """
    cells, runs, shifts = neighbours
    keys, n_core = points.keys, points.n_core
    metric = row_metric(grid, np.int64(0))
    for i in range(len(cells)):
        cell = np.int64(cells[i])
        for s in range(len(shifts)):
            for other in range(np.int64(runs[i, s, 0]), np.int64(runs[i, s, 1])):
                # Pairs of one row are met once; across the antimeridian the lower cell is met last.
                if parent[other] == parent[cell] or n_core[other] == 0 or (other <= cell and shifts[s] == 0.0):
                    continue
                a = find(parent, cell)
                b = find(parent, other)
                if a == b:
                    continue
                metric = cell_metric(grid, keys[cell], metric)
                verdict = samples_near(points, cell, other, shifts[s], metric)
                if verdict == JOINED:
                    unite(parent, a, b)
                elif verdict == OPEN:
                    if n_open < len(pairs):
                        pairs[n_open, 0] = cell
                        pairs[n_open, 1] = other
                    n_open += 1
    return n_open


@kernel
def link_cells(grid, points, neighbours, touching, parent, pairs):
    """Find the forward neighbours of cells block by block and :func:`link` them; see there.

    If `touching`, only cells that touch are tried, in this row and the next; otherwise all within reach. Of
    `neighbours` there are all cells, and the runs of a block, which are overwritten.
    """
    cells, runs, shifts = neighbours
    width = 3 if grid.wraps else 1
    n_rows = len(shifts) // width
    n_open = np.int64(0)
    for first in range(0, len(cells), BLOCK):
        own = cells[first : first + BLOCK]
        for away in range(n_rows):
            search = RowSearch(away, 0.0 if touching else 1.0, grid.wraps, away * width)
            row_runs(grid, points.keys, own, search, runs)
        n_open = link(grid, points, Neighbours(own, runs, shifts), parent, pairs, n_open)
    return n_open


def _forward(grid: Grid, cells: Array, n_rows: int) -> Neighbours:
    """Return the cells with room for the runs of a block of them, in their own row and the next ones."""
    shifts = np.tile([0.0, 360.0, -360.0] if grid.wraps else [0.0], n_rows)
    return Neighbours(cells, np.empty((BLOCK, len(shifts), 2), np.int32), shifts)


def run(grid: Grid, points: CellPoints, workers: Workers) -> tuple[Array, Array]:
    """Join cells by their samples.

    Return the forest of cells (int32, shape (cells,), see :mod:`cabstand.clustering.kernels.union_find`) and the pairs
    of cells that remain open (int32, shape (open, 2)).
    """
    parent = np.arange(len(points.keys), dtype=np.int32)
    filled = listed(points.n_core > 0)
    stripes, none = [filled[a:b] for a, b in workers.stripes(len(filled))], np.empty((0, 2), np.int32)
    workers.run(link_cells, [(grid, points, _forward(grid, stripe, 2), True, parent, none) for stripe in stripes])
    workers.run(flatten, [(parent, stripe) for stripe in stripes])
    rooms = [np.empty((MOST_OPEN, 2), np.int32) for _ in stripes]
    ahead = [_forward(grid, stripe, grid.reach_rows + 1) for stripe in stripes]
    calls = [(grid, points, cells, False, parent, room) for cells, room in zip(ahead, rooms, strict=True)]
    n_open = workers.run(link_cells, calls)
    for i, n in enumerate(n_open):
        if n > MOST_OPEN:  # once more with room for all: by now fewer are open, for all were tried
            rooms[i] = np.empty((n, 2), np.int32)
            n_open[i] = link_cells(grid, points, ahead[i], False, parent, rooms[i])
    pairs = np.concatenate([none, *(room[:n] for room, n in zip(rooms, n_open, strict=True))])
    workers.run(flatten, [(parent, stripe) for stripe in stripes] if len(pairs) else [])
    return parent, pairs[parent[pairs[:, 0]] != parent[pairs[:, 1]]]
