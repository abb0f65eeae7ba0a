"""Runs the second and third stage: from points to slots, from slots to cells in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.kernels import book, cells, tiles
from cabstand.clustering.kernels.grid import Grid

PAGE_BITS = 4  # binary logarithm of the columns of a page
TILES = (tiles.Tile(PAGE_BITS, 3, 3), tiles.Tile(0, 0, 0))  # the last for points all over the place

Array = NDArray[Any]
Chunks = list[tuple[int, int]]
Map = Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], list[Any]]


class Book(NamedTuple):
    """One thread's slots: the key of each page and the points of each slot."""

    page_keys: Array
    counts: Array


class Directory(NamedTuple):
    """All threads' slots together: its cells, and the page of each page of each book."""

    page_bits: int
    keys: Array
    sizes: Array
    cell_of: Array
    ranks: list[Array]


def write_books(
    points: Array, grid: Grid, bands: Array, chunks: Chunks, slots: Array, run: Map
) -> tuple[int, list[Book]]:
    """Give every point its slot, each chunk of points in a book of its own; return the pages' width and the books."""
    row_tiles = (1 << grid.col_bits >> (PAGE_BITS + 3)) + 1
    if ((grid.n_rows >> 3) + 1) * row_tiles <= max(1 << 17, len(points) >> 6):
        books = run(_write_book, [(points, a, b, grid, bands, row_tiles, slots) for a, b in chunks])
        if all(books):
            return PAGE_BITS, books
    for tile in TILES:
        books = run(_write_book_hashed, [(points, a, b, grid, bands, tile, slots) for a, b in chunks])
        if all(books):
            return tile.page_bits, books
    raise AssertionError("single slots always fit")


def _write_book(
    points: Array, start: int, stop: int, grid: Grid, bands: Array, row_tiles: int, slots: Array
) -> Book | None:
    """Fill a book by a table of all pages of the box; None if there are so few points a page that it wastes memory."""
    most = max(1 << 20, 2 * (stop - start)) >> PAGE_BITS
    page_keys = np.empty(most, np.int64)
    counts = np.zeros(most << PAGE_BITS, np.int32)  # the system hands out its memory as it is touched
    pages = np.zeros(((grid.n_rows >> 3) + 1) * row_tiles << 6, np.int32)
    n = book.assign(points, start, stop, grid, bands, PAGE_BITS, row_tiles, pages, page_keys, counts, slots)
    return Book(page_keys[:n].copy(), counts[: n << PAGE_BITS]) if n <= most else None


def _write_book_hashed(
    points: Array, start: int, stop: int, grid: Grid, bands: Array, tile: tiles.Tile, slots: Array
) -> Book | None:
    """Fill a book by hashing, growing the hash table; None if tiles of this size would waste memory."""
    most = stop - start if tile.page_bits == 0 else max(1 << 20, 2 * (stop - start)) >> tile.page_bits
    tile_places = 1 << (tile.row_bits + tile.across_bits)
    page_keys, tile_keys = np.empty(most, np.int64), np.empty(most, np.int64)
    counts = np.zeros(most << tile.page_bits, np.int32)
    pages = np.zeros(most * tile_places, np.int32)
    used = np.zeros(2, np.int64)
    # When every point may be a page of its own, make room for all at once.
    done, bits = start, 12 if tile.page_bits else max(12, most.bit_length() + 1)
    while True:
        table = np.full((1 << bits, 2), tiles.EMPTY, np.int64)
        tiles.rehash(tile_keys, used[0], 64 - bits, table)
        done = tiles.assign_hashed(
            points, done, stop, grid, bands, tile, 64 - bits, table, tile_keys, pages, page_keys, counts, used, slots
        )
        n_tiles, n = used.tolist()
        if done == stop:
            return Book(page_keys[:n].copy(), counts[: n << tile.page_bits])
        if n == most or n_tiles * tile_places > max(1 << 20, 2 * (stop - start)):
            return None
        bits += 2 if bits < 18 else 1


def order_cells(books: list[Book], page_bits: int) -> Directory:
    """Put the cells of all books in order."""
    if len(books) == 1:
        page_keys, totals = books[0]
        order = np.argsort(page_keys)
        ranks = [np.arange(len(page_keys))]
    else:
        page_keys = np.unique(np.concatenate([b.page_keys for b in books]))
        totals = np.zeros(len(page_keys) << page_bits, np.int32)
        order = np.arange(len(page_keys))
        ranks = [np.searchsorted(page_keys, b.page_keys) for b in books]
        for b, rank in zip(books, ranks, strict=True):
            cells.add_book(rank, b.counts, page_bits, totals)
    n_cells = cells.count_cells(totals)
    keys, sizes = np.empty(n_cells, np.int64), np.empty(n_cells, np.int32)
    cell_of = np.empty(len(totals), np.int32)
    cells.list_cells(page_keys, order, totals, page_bits, keys, sizes, cell_of)
    return Directory(page_bits, keys, sizes, cell_of, ranks)
