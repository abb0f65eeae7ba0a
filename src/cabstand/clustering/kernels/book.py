"""Second stage: every point gets the slot of its cell, and every slot that holds a point is marked.

Slots lie in pages of ``2^page_bits`` neighbouring columns of one row, and a page exists only where a point is. Each
thread writes a book of its own. Here the box is small enough for a table of all its pages; for others see
:mod:`cabstand.clustering.kernels.tiles`.

Points are taken in blocks that stay in the first-level cache, one short loop after another: what is arithmetic runs
on vectors, and what jumps about in memory does not wait for it.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.fetch import soon_read
from cabstand.clustering.kernels.jit import inlined, kernel
from cabstand.clustering.kernels.meet import BLOCK, next_block

PAGE_BITS = 5  # binary logarithm of the columns of a page
TILE_BITS = 5  # binary logarithm of the rows of a tile, and of the pages in one of its rows
PATCH_BITS = 2  # of the rows of a patch, which fills a line of the cache, and of the pages across it


@inlined
def _rows_of(flat, origin0, origin1, rows_per_unit, last_row, rows, xs):
    """Find the rows of a block of points, ``y, x, y, x...``, and how far along them they lie."""
    for j in range(len(flat) >> 1):
        rows[j] = min(np.int32((flat[2 * j] - origin0) * rows_per_unit), last_row)
        xs[j] = flat[2 * j + 1] - origin1


@inlined
def _columns_of(n, rows, columns, band_shift, wraps, xs, per_unit, cols):
    """Find the columns of the first `n` points of a block."""
    for j in range(n):
        per_unit[j] = columns[np.uint64(np.int64(rows[j]) >> band_shift)]
    for j in range(n):
        cols[j] = np.int32(xs[j] * per_unit[j])
    if wraps:
        for j in range(n):
            cols[j] = min(cols[j], np.int32(360.0 * per_unit[j] + 0.5) - np.int32(1))


@inlined
def _places_of(n, rows, cols, row_tiles, places):
    """Find where the pages of the first `n` points of a block stand in the table of all pages."""
    of_tile = TILE_BITS - PATCH_BITS
    for j in range(n):
        row = np.int64(rows[j])
        across = np.int64(cols[j]) >> PAGE_BITS
        tile = (row >> TILE_BITS) * row_tiles + (across >> TILE_BITS)
        patch = (row >> PATCH_BITS & (1 << of_tile) - 1) << of_tile | across >> PATCH_BITS & (1 << of_tile) - 1
        inside = (row & (1 << PATCH_BITS) - 1) << PATCH_BITS | across & (1 << PATCH_BITS) - 1
        places[j] = (tile << 2 * of_tile | patch) << 2 * PATCH_BITS | inside


@inlined
def _slots_of(rows, cols, places, key_shift, pages, page_keys, n_pages, slots, flat, ahead):
    """Turn a block's places into slots, opening the pages that are new; return the pages in use.

    Meanwhile the block of points from `ahead` on is fetched.
    """
    for j in range(len(slots)):
        soon_read(flat, np.uint64(2 * (ahead + j)))
        place = np.uint64(places[j])
        page = np.int64(pages[place])
        if page == 0:
            if n_pages == len(page_keys):
                return n_pages + 1
            page_keys[n_pages] = np.int64(rows[j]) << key_shift | np.int64(cols[j]) >> PAGE_BITS
            n_pages += 1
            page = n_pages
            pages[place] = page
        slots[j] = (page - 1) << PAGE_BITS | np.int64(cols[j]) & ((1 << PAGE_BITS) - 1)
    return n_pages


@kernel
def assign(points, start, stop, down, taken, grid, columns, row_tiles, pages, page_keys, filled, slots):
    """Give points of ``start:stop`` their slots and mark these, as many as the other thread leaves.

    Parameters
    ----------
    start, stop, down, taken
        A :class:`cabstand.clustering.kernels.meet.Side`.
    columns : ndarray of float64, one a band
        Columns per unit: the first column of the table of bands.
    row_tiles : int
        Tiles across the box; a tile is 32 rows of 32 pages and fills a page of memory, a patch of it a line of the
        cache: what lies together on the Earth is found together. Of all tiles there are less than 2^21, so that rows,
        columns and places are 32-bit numbers.
    pages : ndarray of int32, shape (tile rows * row_tiles * 1024,)
        Number of each page and one more, 0 where there is none; filled.
    page_keys : ndarray of int64
        Key of each page, ``cell key >> page_bits``; filled.
    filled : ndarray of uint32, one a page
        Bit c stands for slot c; set where a point is.
    slots : ndarray of int32, shape (n,)
        Filled for the points that were taken.

    Returns
    -------
    n_pages : int
        Pages in use; one more than `page_keys` holds if they did not suffice.
    done : int
        Blocks taken.
    """
    flat = points.reshape(-1)
    rows, cols, places = np.empty(BLOCK, np.int32), np.empty(BLOCK, np.int32), np.empty(BLOCK, np.int32)
    xs, per_unit = np.empty(BLOCK), np.empty(BLOCK)
    last_row = np.int32(grid.n_rows - 1)
    key_shift = grid.col_bits - PAGE_BITS
    n_pages = done = 0
    while n_pages <= len(page_keys):
        first, last = next_block(start, stop, down, taken, done)
        if first == last:
            break
        done += 1
        own = slots[first:last]
        ahead = first - BLOCK if down else first + BLOCK
        _rows_of(flat[2 * first : 2 * last], grid.origin0, grid.origin1, grid.rows_per_unit, last_row, rows, xs)
        _columns_of(last - first, rows, columns, grid.band_shift, grid.wraps, xs, per_unit, cols)
        _places_of(last - first, rows, cols, row_tiles, places)
        n_pages = _slots_of(rows, cols, places, key_shift, pages, page_keys, n_pages, own, flat, ahead)
        if n_pages <= len(page_keys):
            for slot in own:
                filled[np.uint64(slot >> PAGE_BITS)] |= np.uint32(1 << (slot & ((1 << PAGE_BITS) - 1)))
    return n_pages, done
