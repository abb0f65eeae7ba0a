"""Which cells can hold a neighbour: one run of cells in each row within reach, found without a search.

Cells are sorted by row and column, so the neighbours of a cell in one row are a run, the points of a run lie side by
side, and from cell to cell the ends of each run only ever move forward.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels.cells import Cells
from cabstand.clustering.kernels.grid import Grid
from cabstand.clustering.kernels.instructions import larger, smaller
from cabstand.clustering.kernels.jit import inlined, kernel, part
from cabstand.clustering.kernels.threads import Array, Workers

MOST_SPANS = 2 + 3 * 7  # of the runs of a cell: three a row, in the rows up to three away


class Neighbours(NamedTuple):
    """Some cells and the runs of cells that can hold a neighbour of their points."""

    cells: Array  # int32, shape (n,)
    runs: Array  # int32, shape (n, runs, 2): first cell and end of each run
    shifts: Array  # float64, shape (runs,): degrees to the side of the antimeridian on which the run is (0, 360, -360)


class RowSearch(NamedTuple):
    """Which runs to look for."""

    away: int  # in the row so many above the cell's own
    share: float  # of the reach: 1 for all cells that can hold a neighbour, 0 for those that touch
    across: bool  # whether a run may reach across the antimeridian
    slot: int  # number of the run; if `across`, the next two are its parts beyond the antimeridian, first westward


@part
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


@part
def _search_run(keys, first_key, last_key, run):
    """Fill `run` by search: it lies across the antimeridian."""
    run[0] = lower_bound(keys, first_key)
    run[1] = larger(lower_bound(keys, last_key + 1), np.int64(run[0]))


@inlined
def _columns_within(grid, bands, key, search):
    """Return the lowest and highest column within reach, and how many columns the row has."""
    row = key >> grid.col_bits
    inside = (np.int64(1) << grid.col_bits) - 1
    band = np.uint64(row >> grid.band_shift)
    west = (key & inside) * bands[band, 1]
    reach = bands[band, 2 if -2 < search.away < 2 else 3] * search.share
    per_unit = bands[np.uint64((row + search.away) >> grid.band_shift), 0]
    n_cols = np.int64(360.0 * per_unit + 0.5) if grid.wraps else inside + 1
    low = np.int64(math.floor((west - reach) * per_unit))
    high = np.int64(math.floor((west + bands[band, 1] + reach) * per_unit))
    if grid.wraps and high - low >= n_cols:
        return np.int64(0), n_cols - 1, n_cols
    return low, high, n_cols


@inlined
def _advance(keys, at, key):
    """Return the first cell from `at` on whose key is not below `key`.

    How many cells further that is cannot be predicted, so four are compared at a time, without a branch.
    """
    moved = 4
    while moved == 4 and at + 4 <= len(keys):
        i = np.uint64(at)
        moved = np.int64(keys[i] < key) + np.int64(keys[i + np.uint64(1)] < key)
        moved += np.int64(keys[i + np.uint64(2)] < key) + np.int64(keys[i + np.uint64(3)] < key)
        at += moved
    while at < len(keys) and keys[np.uint64(at)] < key:
        at += 1
    return at


@part
def row_runs(grid, keys, cells, search, runs):
    """Find the runs of one row for each of `cells`, which are in order."""
    bands, bits, slot = grid.bands, grid.col_bits, search.slot
    start = stop = lower_bound(keys, ((keys[cells[0]] >> bits) + search.away) << bits)
    for i in range(len(cells)):
        key = keys[np.uint64(cells[np.uint64(i)])]
        other = (key >> bits) + search.away
        for side in range(slot, slot + 3 if search.across else slot + 1):
            runs[i, side, 0] = 0
            runs[i, side, 1] = 0
        if other < 0 or other >= grid.n_rows:
            continue
        low, high, n_cols = _columns_within(grid, bands, key, search)
        base = other << bits
        first_key = base | larger(low, 0)
        last_key = base | smaller(high, n_cols - 1)
        start = _advance(keys, start, first_key)
        stop = _advance(keys, larger(start, stop), last_key + 1)
        runs[i, slot, 0] = start
        runs[i, slot, 1] = stop
        if low < 0 and search.across:
            _search_run(keys, base | larger(low + n_cols, high + 1), base | (n_cols - 1), runs[i, slot + 1])
        if high >= n_cols and search.across:
            _search_run(keys, base, base | smaller(high - n_cols, low - 1), runs[i, slot + 2])


@kernel
def reach_across(grid, keys, cells, across):
    """Tell of each of `cells` whether a neighbour can be on the other side of the antimeridian."""
    bands = grid.bands
    inside = (np.int64(1) << grid.col_bits) - 1
    for i in range(len(cells)):
        key = keys[cells[i]]
        band = np.uint64((key >> grid.col_bits) >> grid.band_shift)
        west = (key & inside) * bands[band, 1]
        reach = larger(bands[band, 2], bands[band, 3]) * (1 + 1e-9) + 1e-9
        across[i] = west < reach or west + bands[band, 1] + reach > 360.0


@kernel
def all_runs(grid, keys, neighbours):
    """Fill the runs of `neighbours`, nearest rows first."""
    cells, runs, shifts = neighbours
    n_rows = 2 * grid.reach_rows + 1
    width = len(shifts) // n_rows
    for turn in range(n_rows):
        away = (turn + 1) >> 1 if turn & 1 else -(turn >> 1)
        row_runs(grid, keys, cells, RowSearch(away, 1.0, width > 1, turn * width), runs)


@part
def set_spans(starts, neighbours, i, spans):
    """Turn the runs of cell `i` of these into spans of gathered points, leaving out the cell itself.

    `spans` (int64, shape (MOST_SPANS, 4)) is filled with the first point, end and shift of each span, and with the
    points from this span on, 0 after the last.
    """
    cells, runs, shifts = neighbours
    cell = cells[i]
    n = 0
    for s in range(len(shifts)):
        first = np.int64(runs[i, s, 0])
        last = np.int64(runs[i, s, 1])
        middle = cell if first <= cell < last else last
        for a, b in ((starts[first], starts[middle]), (starts[smaller(middle + 1, last)], starts[last])):
            if a < b:
                spans[n, 0] = a
                spans[n, 1] = b
                spans[n, 2] = np.int64(shifts[s])
                n += 1
    total = np.int64(0)
    spans[n, 3] = 0
    for k in range(n - 1, -1, -1):
        total += spans[k, 1] - spans[k, 0]
        spans[k, 3] = total


def run(grid: Grid, cells: Cells, searched: Array, workers: Workers) -> list[Neighbours]:
    """Find what can hold a neighbour of the cells `searched` (int32, in order); return it in stripes for threads.

    Cells from which a neighbour may lie across the antimeridian are in stripes of their own.
    """
    groups = [(searched, [0.0])]
    if grid.wraps:
        across = np.zeros(len(searched), np.bool_)
        stripes = workers.stripes(len(searched))
        workers.run(reach_across, [(grid, cells.keys, searched[a:b], across[a:b]) for a, b in stripes])
        groups = [(searched[~across], [0.0]), (searched[across], [0.0, 360.0, -360.0])]
    found = []
    for chosen, shifts in groups:
        all_shifts = np.tile(shifts, 2 * grid.reach_rows + 1)
        runs = np.empty((len(chosen), len(all_shifts), 2), np.int32)
        found += [Neighbours(chosen[a:b], runs[a:b], all_shifts) for a, b in workers.stripes(len(chosen))]
    workers.run(all_runs, [(grid, cells.keys, stripe) for stripe in found])
    return found
