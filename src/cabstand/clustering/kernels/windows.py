"""Which cells can hold a neighbour: one run of cells in each row within reach, found without a search.

Cells are sorted by row and column, so the neighbours of a cell in one row are a run, the points of a run lie side by
side, and from cell to cell the ends of each run only ever move forward.
"""

from __future__ import annotations

import math

import numpy as np

from cabstand.clustering.kernels.jit import kernel


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
def _turned_run(keys, base, first, last, runs, i, slot):
    """Find the run of columns ``first..last`` by search: it lies across the antimeridian."""
    runs[i, slot, 0] = lower_bound(keys, base | first)
    runs[i, slot, 1] = max(lower_bound(keys, (base | last) + 1), np.int64(runs[i, slot, 0]))


@kernel
def row_runs(grid, bands, keys, cells, first, last, away, share, turned, runs, slot):
    """Find the runs in the row `away` from each of ``cells[first:last]`` within `share` of the reach.

    Parameters
    ----------
    keys : ndarray of int64
        Keys of all cells, in order.
    cells : ndarray of int32
        Which cells, in order.
    share : float
        1 for all cells that can hold a neighbour, 0 for those that touch.
    turned : bool
        Whether a run may reach across the antimeridian.
    runs : ndarray of int32, shape (last - first or more, slots, 2)
        First cell and end of the run, filled at `slot`, and if `turned` also at the next two: the parts of
        the run beyond the antimeridian, first westward, then eastward.
    """
    bits = grid.col_bits
    inside = (np.int64(1) << bits) - 1
    n_cells = len(keys)
    reach_column = 2 if -2 < away < 2 else 3
    start = stop = lower_bound(keys, ((keys[cells[first]] >> bits) + away) << bits)
    for i in range(last - first):
        key = keys[np.uint64(cells[np.uint64(first + i)])]
        row = key >> bits
        other = row + away
        runs[i, slot, 0] = 0
        runs[i, slot, 1] = 0
        if turned:
            for side in (slot + 1, slot + 2):
                runs[i, side, 0] = 0
                runs[i, side, 1] = 0
        if other < 0 or other >= grid.n_rows:
            continue
        band = np.uint64(row >> grid.band_shift)
        west = (key & inside) * bands[band, 1]
        reach = bands[band, reach_column] * share
        per_unit = bands[np.uint64(other >> grid.band_shift), 0]
        n_cols = np.int64(360.0 * per_unit + 0.5) if grid.wraps else inside + 1
        low = np.int64(math.floor((west - reach) * per_unit))
        high = np.int64(math.floor((west + bands[band, 1] + reach) * per_unit))
        if grid.wraps and high - low >= n_cols:
            low = 0
            high = n_cols - 1
        base = other << bits
        first_key = base | max(low, 0)
        last_key = base | min(high, n_cols - 1)
        while start < n_cells and keys[np.uint64(start)] < first_key:
            start += 1
        stop = max(start, stop)
        while stop < n_cells and keys[np.uint64(stop)] <= last_key:
            stop += 1
        runs[i, slot, 0] = start
        runs[i, slot, 1] = stop
        if low < 0 and turned:
            _turned_run(keys, base, max(low + n_cols, high + 1), n_cols - 1, runs, i, slot + 1)
        if high >= n_cols and turned:
            _turned_run(keys, base, np.int64(0), min(high - n_cols, low - 1), runs, i, slot + 2)


@kernel
def reach_across(grid, bands, keys, cells, first, last, across):
    """Tell of each of ``cells[first:last]`` whether a neighbour can be on the other side of the antimeridian."""
    inside = (np.int64(1) << grid.col_bits) - 1
    for i in range(first, last):
        key = keys[cells[i]]
        band = np.uint64((key >> grid.col_bits) >> grid.band_shift)
        west = (key & inside) * bands[band, 1]
        reach = max(bands[band, 2], bands[band, 3]) * (1 + 1e-9) + 1e-9
        across[i] = west < reach or west + bands[band, 1] + reach > 360.0


@kernel
def all_runs(grid, bands, keys, cells, first, last, turned, runs):
    """Fill ``runs[first:last]`` with all that can hold a neighbour of ``cells[first:last]``, nearest rows first."""
    if first == last:
        return
    width = 3 if turned else 1
    own = runs[first:last]
    for turn in range(2 * grid.reach_rows + 1):
        away = (turn + 1) >> 1 if turn & 1 else -(turn >> 1)
        row_runs(grid, bands, keys, cells, first, last, away, 1.0, turned, own, turn * width)
