"""Seventh stage: cells whose core points are within eps of each other belong together.

Union-find over cells, by all threads at once. A parent stands before its children and nothing that has one becomes a
root again, so whatever a thread reads of another's work, old or new, lies on the way to the root; only giving a root a
parent must not happen twice. Touching cells are tried first, with a few points each: inside a cluster that joins nearly
everything, and whoever is joined already is never measured. A pair of cells that its samples could not join, and that
nothing else joined meanwhile, is left open for :mod:`cabstand.clustering.kernels.closest`.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.atomic import swap
from cabstand.clustering.kernels.jit import inlined, kernel
from cabstand.clustering.kernels.metric import exactly_near, row_metric
from cabstand.clustering.kernels.windows import row_runs

APART, JOINED, OPEN = 0, 1, 2
BLOCK = 1024  # cells whose runs are found together: they stay in the second-level cache


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
        low, high = min(a, b), max(a, b)
        if swap(parent, high, high, low):
            return
        a = find(parent, low)  # another thread was quicker
        b = find(parent, high)


@kernel
def samples_near(starts, n_core, ys, xs, a, b, turn, k, below, above, sin2, n_samples):
    """Compare the first core points of cells a and b: JOINED, APART (these are all their points) or OPEN."""
    na = min(np.int64(n_core[a]), n_samples, starts[a + 1] - starts[a])
    nb = min(np.int64(n_core[b]), n_samples, starts[b + 1] - starts[b])
    for p in range(np.uint64(starts[a]), np.uint64(starts[a] + na)):
        for q in range(np.uint64(starts[b]), np.uint64(starts[b] + nb)):
            dy = ys[q] - ys[p]
            dx = xs[q] - xs[p] - turn
            d = dy * dy + k * dx * dx
            if d <= below or (d <= above and exactly_near(ys[p], xs[p], ys[q], xs[q], sin2)):
                return JOINED
    return APART if na == n_core[a] and nb == n_core[b] else OPEN


@kernel
def link(
    grid,
    bands,
    keys,
    starts,
    n_core,
    ys,
    xs,
    cells,
    runs,
    turns,
    whole,
    n_samples,
    parent,
    pending,
    n_pending,
):
    """Join cells with those after them.

    Parameters
    ----------
    cells : ndarray of int32
        Cells with a core point.
    runs : ndarray of int32, shape (cells, slots, 2)
        Their neighbours in their own row and the next ones.
    whole : bool
        Whether to keep pairs that stay open (in the second turn, when all that touch were tried).
    parent : ndarray of int32, one a cell
    pending : ndarray of int32, shape (most, 2)
        Filled with pairs that stayed open, from `n_pending` on.

    Returns
    -------
    int
        How many pairs stayed open, which may be more than `pending` holds.
    """
    measured_row = np.int64(-1)
    k = below = above = 0.0
    for i in range(len(cells)):
        cell = np.int64(cells[i])
        for s in range(len(turns)):
            for other in range(np.int64(runs[i, s, 0]), np.int64(runs[i, s, 1])):
                # Pairs of one row are met once; across the antimeridian the lower cell is met last.
                if parent[other] == parent[cell] or n_core[other] == 0 or (other <= cell and turns[s] == 0.0):
                    continue
                a = find(parent, cell)
                b = find(parent, other)
                if a == b:
                    continue
                row = keys[cell] >> grid.col_bits
                if row != measured_row:
                    k, below, above = row_metric(grid, bands, row)
                    measured_row = row
                verdict = samples_near(
                    starts, n_core, ys, xs, cell, other, turns[s], k, below, above, grid.sin2, n_samples
                )
                if verdict == JOINED:
                    unite(parent, a, b)
                elif verdict == OPEN and whole:
                    if n_pending < len(pending):
                        pending[n_pending, 0] = cell
                        pending[n_pending, 1] = other
                    n_pending += 1
    return n_pending


@kernel
def link_cells(grid, bands, keys, starts, n_core, ys, xs, cells, whole, n_samples, parent, pending):
    """Find the forward neighbours of `cells` block by block and :func:`link` them; see there.

    The first turn (`whole` false) tries cells that touch, in this row and the next; the second all within reach.
    """
    width = 3 if grid.wraps else 1
    rows_on = grid.reach_rows if whole else 1
    runs = np.empty((BLOCK, (rows_on + 1) * width, 2), np.int32)
    turns = np.zeros((rows_on + 1) * width)
    for slot in range(width - 1, len(turns), width):
        if grid.wraps:
            turns[slot - 1] = 360.0
            turns[slot] = -360.0
    n_pending = np.int64(0)
    for first in range(0, len(cells), BLOCK):
        last = min(first + BLOCK, len(cells))
        for d in range(rows_on + 1):
            row_runs(grid, bands, keys, cells, first, last, d, 1.0 if whole else 0.0, grid.wraps, runs, d * width)
        n_pending = link(
            grid,
            bands,
            keys,
            starts,
            n_core,
            ys,
            xs,
            cells[first:last],
            runs,
            turns,
            whole,
            n_samples,
            parent,
            pending,
            n_pending,
        )
    return n_pending


@kernel
def flatten(parent, cells):
    """Point cells straight at their roots, so that most pairs of one cluster are seen at a glance."""
    for cell in cells:
        parent[cell] = find(parent, np.int64(cell))
