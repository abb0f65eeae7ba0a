"""Second stage for points spread far and wide: the pages of a book are found by hashing.

Pages lie in tiles of a few rows and columns of pages, so that what lies together on the Earth lies together in
memory, and tiles in a hash table: far outliers do not cost a table of the whole box. For points that hardly share a
page see :mod:`cabstand.clustering.kernels.singles`.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.book import PAGE_BITS
from cabstand.clustering.kernels.fetch import AHEAD, soon_read
from cabstand.clustering.kernels.jit import inlined, kernel

ROW_BITS = 3  # binary logarithm of the rows of a tile
ACROSS_BITS = 3  # and of the pages in one of its rows
EMPTY = -1
SPREAD = 0x9E3779B97F4A7C15  # Fibonacci hashing


@inlined
def cell_of(points, i, grid, bands):
    """Return the row and the column of a point's cell."""
    row = min(np.int64((points[i, 0] - grid.origin0) * grid.rows_per_unit), grid.n_rows - 1)
    per_unit = bands[np.uint64(row >> grid.band_shift), 0]
    last_col = np.int64(360.0 * per_unit + 0.5) - 1 if grid.wraps else (np.int64(1) << grid.col_bits) - 1
    return row, min(np.int64((points[i, 1] - grid.origin1) * per_unit), last_col)


@kernel
def assign_hashed(
    points, start, stop, grid, bands, hash_shift, table, tile_keys, pages, page_keys, filled, used, slots
):
    """Give points ``start:stop`` their slots and mark these.

    Parameters
    ----------
    hash_shift : int
        64 minus the binary logarithm of the hash table's size.
    table : ndarray of int64, shape (size, 2)
        The hash table: key of a tile (EMPTY where free) and its number.
    tile_keys : ndarray of int64
        Key of each tile.
    pages : ndarray of int32
        For each place in each tile its page and one more; 0 where there is none.
    page_keys, filled, slots : ndarray
        As in :func:`cabstand.clustering.kernels.book.assign`.
    used : ndarray of int64, shape (2,)
        Tiles and pages in use; updated.

    Returns
    -------
    int
        The first point that was not done: `stop` if all were, else a table is full.
    """
    mask = np.uint64(len(table) - 1)
    n_tiles, n_pages = used
    flat = points.reshape(-1)
    for i in range(np.uint64(start), np.uint64(stop)):
        soon_read(flat, np.uint64(2) * (i + np.uint64(AHEAD)))
        row, col = cell_of(points, i, grid, bands)
        page_col = col >> PAGE_BITS
        tile_key = ((row >> ROW_BITS) << grid.col_bits) | (page_col >> ACROSS_BITS)
        h = (np.uint64(tile_key) * np.uint64(SPREAD)) >> np.uint64(hash_shift)
        while table[h, 0] != tile_key and table[h, 0] != EMPTY:
            h = (h + np.uint64(1)) & mask
        if table[h, 0] == EMPTY:
            if 2 * n_tiles >= len(table) or n_tiles == len(tile_keys):
                break
            table[h, 0] = tile_key
            table[h, 1] = n_tiles
            tile_keys[n_tiles] = tile_key
            n_tiles += 1
        place = (row & ((1 << ROW_BITS) - 1)) << ACROSS_BITS | page_col & ((1 << ACROSS_BITS) - 1)
        place |= table[h, 1] << (ROW_BITS + ACROSS_BITS)
        page = np.int64(pages[np.uint64(place)]) - 1
        if page < 0:
            if n_pages == len(page_keys):
                break
            page_keys[n_pages] = (row << (grid.col_bits - PAGE_BITS)) | page_col
            page = n_pages
            n_pages += 1
            pages[place] = n_pages
        inside = col & ((1 << PAGE_BITS) - 1)
        slots[i] = (page << PAGE_BITS) | inside
        filled[np.uint64(page)] |= np.uint32(1 << inside)
    else:
        i = np.uint64(stop)
    used[0] = n_tiles
    used[1] = n_pages
    return np.int64(i)


@kernel
def rehash(tile_keys, n_tiles, hash_shift, table):
    """Fill a larger hash table with the tiles there are."""
    mask = np.uint64(len(table) - 1)
    for tile in range(n_tiles):
        h = (np.uint64(tile_keys[tile]) * np.uint64(SPREAD)) >> np.uint64(hash_shift)
        while table[h, 0] != EMPTY:
            h = (h + np.uint64(1)) & mask
        table[h, 0] = tile_keys[tile]
        table[h, 1] = tile
