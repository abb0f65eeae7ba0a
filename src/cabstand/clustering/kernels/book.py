"""Second stage: every point gets the slot of its cell, and every slot a count.

Slots lie in pages of ``2^page_bits`` neighbouring columns of one row, and a page exists only where a point is. Each
thread writes a book of its own. Here the box is small enough for a table of all its pages; for others see
:mod:`cabstand.clustering.kernels.tiles`.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.jit import inlined, kernel

PAGE_BITS = 4  # binary logarithm of the columns of a page


@inlined
def _assign(points, start, stop, grid, bands, wraps, row_tiles, pages, page_keys, counts, slots):
    origin0, origin1, per_unit0 = grid.origin0, grid.origin1, grid.rows_per_unit
    last_row = grid.n_rows - 1
    last_col = (np.int64(1) << grid.col_bits) - 1
    inside = (1 << PAGE_BITS) - 1
    n_pages = 0
    for i in range(np.uint64(start), np.uint64(stop)):  # unsigned: no index counts from the end
        row = min(np.int64((points[i, 0] - origin0) * per_unit0), last_row)
        per_unit = bands[np.uint64(row >> grid.band_shift), 0]
        if wraps:
            last_col = np.int64(360.0 * per_unit + 0.5) - 1
        col = min(np.int64((points[i, 1] - origin1) * per_unit), last_col)
        page_col = col >> PAGE_BITS
        tile = (row >> 3) * row_tiles + (page_col >> 3)
        place = np.uint64(tile << 6 | (row & 7) << 3 | page_col & 7)
        page = np.int64(pages[place])
        if page == 0:
            if n_pages == len(page_keys):
                return n_pages + 1
            page_keys[n_pages] = (row << (grid.col_bits - PAGE_BITS)) | page_col
            n_pages += 1
            pages[place] = n_pages
            page = n_pages
        slot = ((page - 1) << PAGE_BITS) | (col & inside)
        slots[i] = slot
        counts[np.uint64(slot)] += 1
    return n_pages


@kernel
def assign(points, start, stop, grid, bands, row_tiles, pages, page_keys, counts, slots):
    """Give points ``start:stop`` their slots and count them.

    Parameters
    ----------
    row_tiles : int
        Tiles across the box; a tile is 8 rows of 8 pages, which lie together in memory.
    pages : ndarray of int32, shape (tile rows * row_tiles * 64,)
        Number of each page and one more, 0 where there is none; filled.
    page_keys : ndarray of int64
        Key of each page, ``cell key >> page_bits``; filled.
    counts : ndarray of int32
        Points of each slot, page after page; added to.
    slots : ndarray of int32, shape (n,)
        Filled for ``start:stop``.

    Returns
    -------
    int
        Pages in use; one more than `page_keys` holds if they did not suffice.
    """
    if grid.wraps:  # two loops: asking at every point costs a tenth
        return _assign(points, start, stop, grid, bands, True, row_tiles, pages, page_keys, counts, slots)
    return _assign(points, start, stop, grid, bands, False, row_tiles, pages, page_keys, counts, slots)
