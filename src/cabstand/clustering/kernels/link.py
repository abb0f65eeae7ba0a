"""Seventh stage: cells whose core points are within eps of each other belong together.

Union-find over cells. Touching cells are tried first, with a few points each: inside a cluster that joins nearly
everything, and whoever is joined already is never measured. A pair of cells that its samples could not join, and that
nothing else joined meanwhile, is left open for :mod:`cabstand.clustering.kernels.closest`.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.jit import inlined, kernel
from cabstand.clustering.kernels.metric import any_near, row_metric
from cabstand.clustering.kernels.windows import row_runs, start_cursors

APART, JOINED, OPEN = 0, 1, 2


@inlined
def find(parent, cell):
    """Find the root, halving the path on the way."""
    while parent[cell] != cell:
        parent[cell] = parent[parent[cell]]
        cell = parent[cell]
    return cell


@inlined
def unite(parent, a, b):
    """Join two roots under the lower one, so that the answer does not depend on the order of joins."""
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


@kernel
def samples_near(grid, starts, n_core, ys, xs, a, b, turn, measure, n_samples):
    """Compare the first core points of cells a and b: JOINED, APART (these are all their points) or OPEN."""
    k, below, above = measure
    na = min(np.int64(n_core[a]), n_samples, starts[a + 1] - starts[a])
    nb = min(np.int64(n_core[b]), n_samples, starts[b + 1] - starts[b])
    for p in range(starts[a], starts[a] + na):
        if any_near(ys, xs, starts[b], starts[b] + nb, ys[p], xs[p], turn, k, below, above, grid.sin2):
            return JOINED
    return APART if na == n_core[a] and nb == n_core[b] else OPEN


@kernel
def link(grid, keys, starts, n_core, ys, xs, first, last, low, high, reach_share, n_samples, parent, pending):
    """Join the cells ``first:last`` with those after them.

    Parameters
    ----------
    low, high : int
        Only partners in ``low:high`` are tried: a stripe keeps to itself while others work beside it.
    reach_share : float
        0 tries cells that touch, in this row and the next; 1 all within reach.
    parent : ndarray of int32, one a cell
    pending : ndarray of int32, shape (most, 2)
        Filled with pairs that stayed open.

    Returns
    -------
    int
        How many pairs stayed open, which may be more than `pending` holds.
    """
    cursors = np.empty(2 * grid.reach_rows + 1, np.int64)
    runs = np.empty((4 * grid.reach_rows + 2, 2), np.int64)
    turns = np.empty(4 * grid.reach_rows + 2)
    start_cursors(grid, keys, first, cursors)
    rows_on = 1 if reach_share == 0 else grid.reach_rows
    measure = row_metric(grid, keys[first] >> grid.col_bits)
    measured_row = keys[first] >> grid.col_bits
    n_pending = 0
    for cell in range(first, last):
        if n_core[cell] == 0:
            continue
        row = keys[cell] >> grid.col_bits
        band = row >> grid.band_shift
        n_runs = 0
        for away in range(rows_on + 1):
            reach = grid.near[band] if away < 2 else grid.far[band]
            n_runs = row_runs(grid, keys, cell, away, reach * reach_share, cursors, runs, turns, n_runs)
        for r in range(n_runs):
            for other in range(max(runs[r, 0], low), min(runs[r, 1], high)):
                # Pairs of one row are met once; across the antimeridian the lower cell is met last.
                if n_core[other] == 0 or (other <= cell and turns[r] == 0.0) or parent[other] == parent[cell]:
                    continue
                a = find(parent, cell)
                b = find(parent, other)
                if a == b:
                    continue
                if row != measured_row:
                    measure = row_metric(grid, row)
                    measured_row = row
                verdict = samples_near(grid, starts, n_core, ys, xs, cell, other, turns[r], measure, n_samples)
                if verdict == JOINED:
                    unite(parent, a, b)
                elif verdict == OPEN and reach_share > 0:
                    if n_pending < len(pending):
                        pending[n_pending, 0] = cell
                        pending[n_pending, 1] = other
                    n_pending += 1
    return n_pending


@kernel
def still_open(parent, pending):
    """Keep the pairs that nothing joined meanwhile; return how many."""
    kept = 0
    for i in range(len(pending)):
        a = pending[i, 0]
        b = pending[i, 1]
        if find(parent, a) != find(parent, b):
            pending[kept, 0] = a
            pending[kept, 1] = b
            kept += 1
    return kept
