"""Slots of points spread far and wide: their pages are found by hashing.

Pages lie in tiles of a few rows and columns of pages, so that what is near on the Earth is near in memory, and tiles in
a hash table: far outliers do not cost a table of the whole box.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels.grid import Grid, cell_of
from cabstand.clustering.kernels.instructions import AHEAD, count_ones, prefetch_read
from cabstand.clustering.kernels.jit import inlined, kernel
from cabstand.clustering.kernels.pages import PAGE_BITS, Pages
from cabstand.clustering.kernels.threads import Array, slices

ROW_BITS = 3  # binary logarithm of the rows of a tile
ACROSS_BITS = 3  # and of the pages in one of its rows
TILE_PAGES = 1 << (ROW_BITS + ACROSS_BITS)
SPREAD = 0x9E3779B97F4A7C15  # Fibonacci hashing


class Tiles(NamedTuple):
    """One thread's tiles and pages."""

    hashed: Array  # int32, shape (2^k,): a hash table with the number of each tile plus 1, 0 where it is free
    keys: Array  # int64: key of each tile
    page_numbers: Array  # int32: number of each page of each tile plus 1, 0 where there is none
    page_keys: Array  # as in Pages
    filled: Array


@inlined
def _find_tile(hashed, keys, key):
    """Return where in the hash table a tile is, or the free entry where it would go."""
    mask = np.uint64(len(hashed) - 1)
    h = (np.uint64(key) * np.uint64(SPREAD)) >> (np.uint64(64) - count_ones(mask))
    while hashed[h] != 0 and keys[np.uint64(hashed[h] - 1)] != key:
        h = (h + np.uint64(1)) & mask
    return h


@kernel
def assign(points, grid, tiles, slots, found):
    """Give points their slots, and mark these; return whether there is room for all.

    `found` (int64, shape (2,)) are the numbers of tiles and pages, so far and afterwards.
    """
    hashed, tile_keys, page_numbers, page_keys, filled = tiles
    n_tiles, n_pages = found
    columns = grid.bands[:, 0]
    for i in range(np.uint64(len(points))):
        prefetch_read(points, np.uint64(2) * (i + np.uint64(AHEAD)))
        row, col = cell_of(grid, columns, points[i, 0], points[i, 1])
        page_col = col >> PAGE_BITS
        tile_key = ((row >> ROW_BITS) << grid.col_bits) | (page_col >> ACROSS_BITS)
        h = _find_tile(hashed, tile_keys, tile_key)
        if hashed[h] == 0:
            if n_tiles == len(tile_keys):
                return False
            tile_keys[n_tiles] = tile_key
            n_tiles += 1
            hashed[h] = n_tiles
        entry = (row & ((1 << ROW_BITS) - 1)) << ACROSS_BITS | page_col & ((1 << ACROSS_BITS) - 1)
        entry |= np.int64(hashed[h] - 1) << (ROW_BITS + ACROSS_BITS)
        page = np.int64(page_numbers[np.uint64(entry)]) - 1
        if page < 0:
            if n_pages == len(page_keys):
                return False
            page_keys[n_pages] = (row << (grid.col_bits - PAGE_BITS)) | page_col
            page = n_pages
            n_pages += 1
            page_numbers[entry] = n_pages
        inside = col & ((1 << PAGE_BITS) - 1)
        slots[i] = (page << PAGE_BITS) | inside
        filled[np.uint64(page)] |= np.uint32(1 << inside)
    found[0] = n_tiles
    found[1] = n_pages
    return True


def run(points: Array, grid: Grid, slots: Array, most: int) -> Pages | None:
    """Fill one thread's pages, at most so many, and slots; None if tiles would waste memory."""
    bits = max(15, ((most << PAGE_BITS) // TILE_PAGES).bit_length())
    tiles = Tiles(  # the system provides memory only for what is touched
        hashed=np.zeros(2 << bits, np.int32),
        keys=np.empty(1 << bits, np.int64),
        page_numbers=np.zeros(TILE_PAGES << bits, np.int32),
        page_keys=np.empty(most, np.int64),
        filled=np.zeros(most, np.uint32),
    )
    found = np.zeros(2, np.int64)
    if not all(assign(points[a:b], grid, tiles, slots[a:b], found) for a, b in slices(0, len(points))):
        return None
    n = int(found[1])
    return Pages(tiles.page_keys[:n].copy(), tiles.filled[:n])
