"""Second stage: every point gets the slot of its cell, and every slot a count.

Slots lie in pages of ``2^page_bits`` neighbouring columns of one row, and a page exists only where a point is, found
by a small hash table: neither far outliers nor points all over the Earth cost a table of the whole box. Each thread
writes a book of its own.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.jit import inlined, kernel

EMPTY = -1


@inlined
def _home(page_key, hash_shift):
    """Fibonacci hashing: the first place to look for a page."""
    return np.int64((np.uint64(page_key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(hash_shift))


@kernel
def assign(points, start, stop, grid, page_bits, hash_shift, hash_keys, hash_pages, page_keys, counts, n_pages, slots):
    """Give points ``start:stop`` their slots and count them.

    Parameters
    ----------
    page_bits : int
        Binary logarithm of the slots of a page.
    hash_shift : int
        64 minus the binary logarithm of the hash table's size.
    hash_keys : ndarray of int64, hash_pages : ndarray of int32
        The hash table: key of the page (EMPTY where free) and its number.
    page_keys : ndarray of int64
        Key of each page; its length is the most pages there may be.
    counts : ndarray of int32
        Points of each slot, page after page.
    n_pages : int
        Pages in use already.
    slots : ndarray of int32, shape (n,)
        Filled for ``start:stop``.

    Returns
    -------
    tuple of int
        The first point that was not done (`stop` if all were; else a table is full) and the pages in use.
    """
    mask = len(hash_keys) - 1
    most = min(len(page_keys), len(hash_keys) // 2)
    inside = (1 << page_bits) - 1
    last_row = grid.n_rows - 1
    n_cols = np.int64(1) << grid.col_bits
    for i in range(start, stop):
        row = min(np.int64((points[i, 0] - grid.origin0) * grid.rows_per_unit), last_row)
        per_unit = grid.cols_per_unit[row >> grid.band_shift]
        if grid.wraps:
            n_cols = np.int64(360.0 * per_unit + 0.5)
        col = min(np.int64((points[i, 1] - grid.origin1) * per_unit), n_cols - 1)
        key = (row << grid.col_bits) | col
        page_key = key >> page_bits
        h = _home(page_key, hash_shift)
        while hash_keys[h] != page_key:
            if hash_keys[h] == EMPTY:
                if n_pages == most:
                    return i, n_pages
                hash_keys[h] = page_key
                hash_pages[h] = n_pages
                page_keys[n_pages] = page_key
                n_pages += 1
                break
            h = (h + 1) & mask
        slot = (np.int64(hash_pages[h]) << page_bits) | (key & inside)
        slots[i] = slot
        counts[slot] += 1
    return stop, n_pages


@kernel
def rehash(page_keys, n_pages, hash_shift, hash_keys, hash_pages):
    """Fill a larger hash table with the pages there are."""
    mask = len(hash_keys) - 1
    for page in range(n_pages):
        h = _home(page_keys[page], hash_shift)
        while hash_keys[h] != EMPTY:
            h = (h + 1) & mask
        hash_keys[h] = page_keys[page]
        hash_pages[h] = page
