"""Slots of points by tiles of pages: a tile is found by its position if the box is small, else by hashing.

Points are taken in blocks that stay in the first-level cache, one short loop after another: what is arithmetic is
vectorised, and random accesses do not wait for it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels.grid import Grid
from cabstand.clustering.kernels.instructions import count_ones, larger, prefetch_read, scratch, smaller
from cabstand.clustering.kernels.jit import inlined, kernel
from cabstand.clustering.kernels.pages import PAGE_BITS, Pages
from cabstand.clustering.kernels.threads import BLOCK, SLICE, Array, Side, next_block, sliced

TILE_BITS = 4  # binary logarithm of the rows of a tile, and of the pages in one of its rows
PATCH_BITS = 2  # of the rows of a patch, which fills a cache line, and of the pages across it
LEAST_BITS = 13  # of the tiles that there is room for when they are hashed
LINE_BITS = 2  # of tiles side by side that share a cache line of the hash table
SPREAD = 0x9E3779B97F4A7C15  # Fibonacci hashing


class PageTable(NamedTuple):
    """The pages of all tiles by their position, and one thread's pages by their number.

    A tile is 16 rows of 16 pages, a patch of it a cache line: what is near on the Earth is near in memory. Tiles of a
    large box are hashed, so that far cities and outliers do not cost a table of all that lies between them.
    """

    row_tiles: int  # tiles across the box
    key_shift: int  # of the row in a page's key
    hashed: Array  # int64, shape (2^k, 2): key plus 1 and number of tiles, 0 where it is free; empty for a small box
    numbers: Array  # int32, shape (tiles * 256,): number of each page plus 1, 0 where there is none
    keys: Array  # as in Pages
    filled: Array
    columns_per_unit: Array  # of each band


@inlined
def _rows_of(flat, grid, rows, xs):
    """Find the rows of a block of points, ``y, x, y, x...``, and how far along them they lie."""
    last_row = np.int32(grid.n_rows - 1)
    for j in range(len(rows)):
        rows[j] = smaller(np.int32((flat[2 * j] - grid.origin0) * grid.rows_per_unit), last_row)
        xs[j] = flat[2 * j + 1] - grid.origin1


@inlined
def _columns_of(rows, xs, grid, columns_per_unit, cols):
    """Find the columns of a block of points."""
    per_unit = scratch(1, BLOCK, np.float64)[0]
    for j in range(len(rows)):
        per_unit[j] = columns_per_unit[np.uint64(np.int64(rows[j]) >> grid.band_shift)]
    for j in range(len(rows)):
        cols[j] = np.int32(xs[j] * per_unit[j])
    if grid.wraps:
        for j in range(len(rows)):
            cols[j] = smaller(cols[j], np.int32(360.0 * per_unit[j] + 0.5) - np.int32(1))


@inlined
def _entries_of(rows, cols, row_tiles, entries):
    """Find the entries of the pages of a block of points in a table of all pages of the box."""
    of_tile = TILE_BITS - PATCH_BITS
    for j in range(len(rows)):
        row = np.int64(rows[j])
        across = np.int64(cols[j]) >> PAGE_BITS
        tile = (row >> TILE_BITS) * row_tiles + (across >> TILE_BITS)
        patch = (row >> PATCH_BITS & (1 << of_tile) - 1) << of_tile | across >> PATCH_BITS & (1 << of_tile) - 1
        inside = (row & (1 << PATCH_BITS) - 1) << PATCH_BITS | across & (1 << PATCH_BITS) - 1
        entries[j] = (tile << 2 * of_tile | patch) << 2 * PATCH_BITS | inside


@inlined
def _hash_tiles(hashed, entries, numbers, n_tiles):
    """Replace entries by those in a table of the tiles in the hash table, adding new ones; return the number of tiles.

    It is more than half the size of the hash table if there are too many; then some entries are left as they are.
    Meanwhile the numbers of the pages are prefetched.
    """
    mask = np.uint64(len(hashed) - 1)
    shift = np.uint64(64 + LINE_BITS) - count_ones(mask)
    beside = np.uint64((1 << LINE_BITS) - 1)
    inside = (np.int64(1) << 2 * TILE_BITS) - 1
    for j in range(len(entries)):
        key = (entries[j] >> 2 * TILE_BITS) + 1
        h = (np.uint64(key) >> np.uint64(LINE_BITS)) * np.uint64(SPREAD) >> shift
        h = h << np.uint64(LINE_BITS) | np.uint64(key) & beside
        while hashed[h, 0] != key:
            if hashed[h, 0] == 0:
                if 2 * n_tiles == len(hashed):
                    return n_tiles + 1
                hashed[h, 0] = key
                hashed[h, 1] = n_tiles
                n_tiles += 1
            else:
                h = (h + np.uint64(1)) & mask
        entries[j] = hashed[h, 1] << 2 * TILE_BITS | entries[j] & inside
        prefetch_read(numbers, np.uint64(entries[j]))
    return n_tiles


@inlined
def _find_slots(rows, cols, entries, table, n_pages, slots, upcoming):
    """Find the slots of a block of points, adding pages that are new; return the number of pages.

    Meanwhile the points of the block that comes next are prefetched.
    """
    numbers, keys = table.numbers, table.keys
    for j in range(len(slots)):
        prefetch_read(upcoming, np.uint64(2 * j))
        entry = np.uint64(entries[j])
        page = np.int64(numbers[entry])
        if page == 0:
            if n_pages == len(keys):
                return n_pages + 1
            keys[n_pages] = np.int64(rows[j]) << table.key_shift | np.int64(cols[j]) >> PAGE_BITS
            n_pages += 1
            page = n_pages
            numbers[entry] = page
        slots[j] = (page - 1) << PAGE_BITS | np.int64(cols[j]) & ((1 << PAGE_BITS) - 1)
    return n_pages


@kernel
def assign(flat, side, grid, table, slots, found, at):
    """Give a slice of the points that this side takes their slots, and mark these; return whether there may be more.

    `flat` are the coordinates of all points, ``y, x, y, x...``.
    `found` (int64, shape (2,)) is filled with the numbers of pages and blocks so far. The number of pages is one more
    than `table` has room for if there are too many, or too many tiles.
    """
    filled, columns_per_unit = table.filled, table.columns_per_unit
    room = scratch(3, BLOCK, np.int32)
    all_rows, all_cols = room[0], room[1]
    all_entries = scratch(1, BLOCK, np.int64)[0]
    all_xs = scratch(1, BLOCK, np.float64)[0]
    most, most_tiles = len(table.keys), len(table.hashed) >> 1
    n_pages, n_blocks, n_tiles = at[0], at[1], at[2]
    stop = n_blocks + SLICE // BLOCK
    while n_pages <= most and n_blocks < stop:
        first, last = next_block(side, n_blocks)
        if first == last:
            break
        n_blocks += 1
        own = slots[first:last]
        ahead = larger(first - BLOCK, 0) if side.down else first + BLOCK
        n = last - first
        rows, xs, cols, entries = all_rows[:n], all_xs[:n], all_cols[:n], all_entries[:n]
        _rows_of(flat[2 * first : 2 * last], grid, rows, xs)
        _columns_of(rows, xs, grid, columns_per_unit, cols)
        _entries_of(rows, cols, table.row_tiles, entries)
        if most_tiles > 0:
            n_tiles = _hash_tiles(table.hashed, entries, table.numbers, n_tiles)
            if n_tiles > most_tiles:
                n_pages = most + 1
                break
        n_pages = _find_slots(rows, cols, entries, table, n_pages, own, flat[2 * ahead :])
        if n_pages <= most:
            for slot in own:
                filled[np.uint64(slot >> PAGE_BITS)] |= np.uint32(1 << (slot & ((1 << PAGE_BITS) - 1)))
    found[0] = at[0] = n_pages
    found[1] = at[1] = n_blocks
    at[2] = n_tiles
    return n_pages <= most and n_blocks == stop


def _row_tiles(grid: Grid) -> int:
    return (1 << grid.col_bits >> (PAGE_BITS + TILE_BITS)) + 1


def _n_tiles(grid: Grid) -> int:
    return ((grid.n_rows >> TILE_BITS) + 1) * _row_tiles(grid)


def countable(grid: Grid) -> bool:
    """Tell whether rows and columns are 32-bit numbers, as they must be here."""
    return grid.n_rows < 1 << 31 and grid.col_bits < 31


def _page_table(grid: Grid, n_points: int, most: int) -> PageTable:
    n_tiles, hash_bits = _n_tiles(grid), 0
    if n_tiles << 2 * TILE_BITS > max(1 << 23, n_points << 3):
        hash_bits = max(LEAST_BITS, (most >> TILE_BITS - 1).bit_length()) + 1
        n_tiles = 1 << hash_bits - 1
    return PageTable(  # the system provides memory only for what is touched
        row_tiles=_row_tiles(grid),
        key_shift=grid.col_bits - PAGE_BITS,
        hashed=np.zeros((1 << hash_bits if hash_bits else 0, 2), np.int64),
        numbers=np.zeros(n_tiles << 2 * TILE_BITS, np.int32),
        keys=np.empty(most, np.int64),
        filled=np.zeros(most, np.uint32),
        columns_per_unit=grid.bands[:, 0].copy(),
    )


def run(points: Array, side: Side, grid: Grid, most: int, slots: Array) -> tuple[Pages | None, int]:
    """Fill one thread's pages (None if there are more than `most`, or too many tiles) and slots.

    Return also the blocks it took.
    """
    table, found = _page_table(grid, len(points), most), np.zeros(2, np.int64)
    sliced(assign)(points.reshape(-1), side, grid, table, slots, found)
    n, n_blocks = found.tolist()
    return Pages(table.keys[:n].copy(), table.filled[:n]) if n <= most else None, n_blocks
