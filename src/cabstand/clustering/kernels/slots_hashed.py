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
from cabstand.clustering.kernels.threads import Array

ROW_BITS = 3  # binary logarithm of the rows of a tile
ACROSS_BITS = 3  # and of the pages in one of its rows
TILE_PAGES = 1 << (ROW_BITS + ACROSS_BITS)
EMPTY = -1
SPREAD = 0x9E3779B97F4A7C15  # Fibonacci hashing


class Tiles(NamedTuple):
    """One thread's tiles and pages."""

    hashed: Array  # int64, shape (2^k, 2): key of a tile (EMPTY where free) and its number
    keys: Array  # int64: key of each tile
    page_numbers: Array  # int32: number of each page of each tile plus 1, 0 where there is none
    page_keys: Array  # as in Pages
    filled: Array
    used: Array  # int64, shape (2,): tiles and pages in use


@inlined
def _find_tile(hashed, key):
    """Return where in the hash table a tile is, or the free place where it would go."""
    mask = np.uint64(len(hashed) - 1)
    h = (np.uint64(key) * np.uint64(SPREAD)) >> (np.uint64(64) - count_ones(mask))
    while hashed[h, 0] != key and hashed[h, 0] != EMPTY:
        h = (h + np.uint64(1)) & mask
    return h


@kernel
def assign(points, first, grid, tiles, slots):
    """Give points from the `first` on their slots, and mark these.

    Return the first point that was not done: ``len(points)`` if all were, else a table is full.
    """
    hashed, tile_keys, page_numbers, page_keys, filled, used = tiles
    n_tiles, n_pages = used
    flat, columns = points.reshape(-1), grid.bands[:, 0]
    for i in range(np.uint64(first), np.uint64(len(points))):
        prefetch_read(flat, np.uint64(2) * (i + np.uint64(AHEAD)))
        row, col = cell_of(grid, columns, points[i, 0], points[i, 1])
        page_col = col >> PAGE_BITS
        tile_key = ((row >> ROW_BITS) << grid.col_bits) | (page_col >> ACROSS_BITS)
        h = _find_tile(hashed, tile_key)
        if hashed[h, 0] == EMPTY:
            if 2 * n_tiles >= len(hashed) or n_tiles == len(tile_keys):
                break
            hashed[h, 0] = tile_key
            hashed[h, 1] = n_tiles
            tile_keys[n_tiles] = tile_key
            n_tiles += 1
        entry = (row & ((1 << ROW_BITS) - 1)) << ACROSS_BITS | page_col & ((1 << ACROSS_BITS) - 1)
        entry |= hashed[h, 1] << (ROW_BITS + ACROSS_BITS)
        page = np.int64(page_numbers[np.uint64(entry)]) - 1
        if page < 0:
            if n_pages == len(page_keys):
                break
            page_keys[n_pages] = (row << (grid.col_bits - PAGE_BITS)) | page_col
            page = n_pages
            n_pages += 1
            page_numbers[entry] = n_pages
        inside = col & ((1 << PAGE_BITS) - 1)
        slots[i] = (page << PAGE_BITS) | inside
        filled[np.uint64(page)] |= np.uint32(1 << inside)
    else:
        i = np.uint64(len(points))
    used[0] = n_tiles
    used[1] = n_pages
    return np.int64(i)


@kernel
def rehash(tile_keys, hashed):
    """Fill an empty hash table with these tiles."""
    for tile in range(len(tile_keys)):
        h = _find_tile(hashed, tile_keys[tile])
        hashed[h, 0] = tile_keys[tile]
        hashed[h, 1] = tile


def run(points: Array, grid: Grid, slots: Array, most: int) -> Pages | None:
    """Fill one thread's pages, at most so many, and slots; None if tiles would waste memory."""
    tiles = Tiles(
        hashed=np.empty((0, 2), np.int64),
        keys=np.empty(most, np.int64),
        page_numbers=np.zeros(most * TILE_PAGES, np.int32),
        page_keys=np.empty(most, np.int64),
        filled=np.zeros(most, np.uint32),
        used=np.zeros(2, np.int64),
    )
    done, bits = 0, 12
    while True:
        tiles = tiles._replace(hashed=np.full((1 << bits, 2), EMPTY, np.int64))
        rehash(tiles.keys[: tiles.used[0]], tiles.hashed)
        done = assign(points, done, grid, tiles, slots)
        n_tiles, n = tiles.used.tolist()
        if done == len(points):
            return Pages(tiles.page_keys[:n].copy(), tiles.filled[:n])
        if n == most or n_tiles * TILE_PAGES > max(1 << 20, most << PAGE_BITS):
            return None
        bits += 2 if bits < 18 else 1
