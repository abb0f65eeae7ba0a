"""Which cells can hold a neighbour: at most a handful of runs of cells, found without a search.

Cells are sorted by row and column, so the neighbours of a cell in one row are a run, the points of a run lie side by
side, and as the cell moves on, the start of each run only ever moves forward.
"""

from __future__ import annotations

import math

import numpy as np

from cabstand.clustering.kernels.jit import inlined, kernel


@kernel
def lower_bound(keys, key):
    """Find the first cell whose key is not below `key`."""
    low = 0
    high = len(keys)
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def start_cursors(grid, keys, cell, cursors):
    """Put the cursors of all rows where a sweep from `cell` on begins."""
    row = keys[cell] >> grid.col_bits
    for i in range(len(cursors)):
        cursors[i] = lower_bound(keys, (row + i - grid.reach_rows) << grid.col_bits)


@inlined
def _add_run(runs, turns, n_runs, start, stop, turn):
    if stop > start:
        runs[n_runs, 0] = start
        runs[n_runs, 1] = stop
        turns[n_runs] = turn
        n_runs += 1
    return n_runs


@kernel
def _turned_run(grid, keys, row, first, last):
    """Find the run of columns ``first..last`` of a row by search: it lies across the antimeridian."""
    base = row << grid.col_bits
    return lower_bound(keys, base | first), lower_bound(keys, (base | last) + 1)


@kernel
def row_runs(grid, keys, cell, away, reach, cursors, runs, turns, n_runs):
    """Add the run (or two) of cells in the row `away` from the cell's own that reach within `reach` of it."""
    bits = grid.col_bits
    row = keys[cell] >> bits
    col = keys[cell] & ((np.int64(1) << bits) - 1)
    other = row + away
    if other < 0 or other >= grid.n_rows:
        return n_runs
    own = grid.cols_per_unit[row >> grid.band_shift]
    per_unit = grid.cols_per_unit[other >> grid.band_shift]
    n_cols = np.int64(360.0 * per_unit + 0.5) if grid.wraps else np.int64(1) << bits
    first = np.int64(math.floor((col / own - reach) * per_unit))
    last = np.int64(math.floor(((col + 1) / own + reach) * per_unit))
    if grid.wraps and last - first >= n_cols:
        first = 0
        last = n_cols - 1
    base = other << bits
    start = cursors[away + grid.reach_rows]
    low = base | max(first, 0)
    while start < len(keys) and keys[start] < low:
        start += 1
    cursors[away + grid.reach_rows] = start
    stop = start
    high = base | min(last, n_cols - 1)
    while stop < len(keys) and keys[stop] <= high:
        stop += 1
    n_runs = _add_run(runs, turns, n_runs, start, stop, 0.0)
    if grid.wraps and first < 0:
        start, stop = _turned_run(grid, keys, other, max(first + n_cols, last + 1), n_cols - 1)
        n_runs = _add_run(runs, turns, n_runs, start, stop, 360.0)
    if grid.wraps and last >= n_cols:
        start, stop = _turned_run(grid, keys, other, 0, min(last - n_cols, first - 1))
        n_runs = _add_run(runs, turns, n_runs, start, stop, -360.0)
    return n_runs


@kernel
def neighbour_runs(grid, keys, cell, cursors, runs, turns):
    """List the runs of cells that can hold a neighbour of a point of `cell`, nearest rows first.

    Parameters
    ----------
    cursors : ndarray of int64, shape (2 reach_rows + 1,)
        Where the run of each row began for an earlier cell; moved forward.
    runs : ndarray of int64, shape (4 reach_rows + 2, 2)
        Filled with first cell and end of each run.
    turns : ndarray of float64
        Filled with the degrees to add to a longitude of `cell` to compare it with those of the run.

    Returns
    -------
    int
        How many runs there are.
    """
    band = (keys[cell] >> grid.col_bits) >> grid.band_shift
    n_runs = row_runs(grid, keys, cell, 0, grid.near[band], cursors, runs, turns, 0)
    for away in range(1, grid.reach_rows + 1):
        reach = grid.near[band] if away == 1 else grid.far[band]
        n_runs = row_runs(grid, keys, cell, away, reach, cursors, runs, turns, n_runs)
        n_runs = row_runs(grid, keys, cell, -away, reach, cursors, runs, turns, n_runs)
    return n_runs
