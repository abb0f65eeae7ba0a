"""Second stage for points all over the place: hardly two share a page, so each cell is one, found by sorting."""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.fetch import AHEAD, JUMPS_AHEAD, soon_read, soon_written
from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.tiles import cell_of


@kernel
def write_keys(points, start, stop, grid, bands, keys):
    """Write the key of the cell of each of the points ``start:stop``.

    Parameters
    ----------
    keys : ndarray of int64, shape (stop - start,)
        Filled.
    """
    flat = points.reshape(-1)
    for i in range(np.uint64(start), np.uint64(stop)):
        soon_read(flat, np.uint64(2) * (i + np.uint64(AHEAD)))
        row, col = cell_of(points, i, grid, bands)
        keys[i - np.uint64(start)] = row << grid.col_bits | col


@kernel
def number_keys(keys, order, slots):
    """Give numbers to the different keys, and tell every point the number of its own.

    Parameters
    ----------
    keys : ndarray of int64, shape (n,)
        In order; the different ones are moved to its beginning.
    order : ndarray of int32, shape (n,)
        Which point each key is of.
    slots : ndarray of int32, shape (n,)
        Filled.

    Returns
    -------
    int
        How many are different.
    """
    n = np.int64(0)
    for i in range(np.uint64(len(keys))):
        soon_written(slots, np.uint64(order[min(i + np.uint64(JUMPS_AHEAD), np.uint64(len(order) - 1))]))
        key = keys[i]
        if n == 0 or keys[np.uint64(n - 1)] != key:
            keys[np.uint64(n)] = key
            n += 1
        slots[np.uint64(order[i])] = n - 1
    return n
