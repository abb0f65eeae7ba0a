"""Slots of points of which hardly two share a page: each cell is a page, found by sorting."""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels import radix
from cabstand.clustering.kernels.grid import Grid, cell_of
from cabstand.clustering.kernels.instructions import AHEAD, JUMPS_AHEAD, prefetch_read, prefetch_write, smaller
from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.pages import Pages
from cabstand.clustering.kernels.threads import Array, slices


@kernel
def write_keys(points, grid, keys):
    """Fill `keys` (int64) with the key of each point's cell."""
    columns = grid.bands[:, 0]
    for i in range(np.uint64(len(points))):
        prefetch_read(points, np.uint64(2) * (i + np.uint64(AHEAD)))
        row, col = cell_of(grid, columns, points[i, 0], points[i, 1])
        keys[i] = row << grid.col_bits | col


@kernel
def number_keys(keys, order, first, last, n, slots):
    """Give the points of keys ``first:last`` the number of their key among the distinct ones; return how many.

    `keys` are in order, that of point ``order[i]`` at i; the distinct ones, `n` so far, are moved to the front.
    """
    for i in range(np.uint64(first), np.uint64(last)):
        prefetch_write(slots, np.uint64(order[smaller(i + np.uint64(JUMPS_AHEAD), np.uint64(len(order) - 1))]))
        key = keys[i]
        if n == 0 or keys[np.uint64(n - 1)] != key:
            keys[np.uint64(n)] = key
            n += 1
        slots[np.uint64(order[i])] = n - 1
    return n


def run(points: Array, grid: Grid, slots: Array) -> Pages:
    """Fill one thread's pages, which are single cells, and slots."""
    keys = np.empty(len(points), np.int64)
    for a, b in slices(0, len(points)):
        write_keys(points[a:b], grid, keys[a:b])
    keys, order = radix.argsort(keys)
    n = 0
    for a, b in slices(0, len(points)):
        n = number_keys(keys, order, a, b, n, slots)
    return Pages(keys[:n], np.ones(n, np.uint32))
