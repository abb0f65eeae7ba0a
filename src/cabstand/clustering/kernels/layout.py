"""Runs the second and third stage: from points to slots, from slots to cells in order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.kernels import book, cells, order, tiles
from cabstand.clustering.kernels.book import PAGE_BITS
from cabstand.clustering.kernels.grid import Grid

TILES = (tiles.Tile(PAGE_BITS, 3, 3), tiles.Tile(0, 0, 0))  # the last for points all over the place

Array = NDArray[Any]
Chunks = list[tuple[int, int]]
Map = Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], list[Any]]


class Book(NamedTuple):
    """One thread's slots: the key of each page and the points of each slot."""

    page_keys: Array
    counts: Array


class Directory(NamedTuple):
    """All threads' slots together, and the cells; see :mod:`cabstand.clustering.kernels.cells`."""

    page_bits: int
    keys: Array
    sizes: Array
    where: Array
    counts: Array
    first_cell: Array
    filled: Array
    stretches: Chunks  # of pages, to share out
    own: list[slice]  # the slots of each book


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
    n = book.assign(points, start, stop, grid, bands, row_tiles, pages, page_keys, counts, slots)
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


def order_cells(books: list[Book], page_bits: int, run: Map, parts: int) -> Directory:
    """Put the cells of all books in order; `parts` says into how many stretches of pages the work is cut."""
    edges = np.cumsum([0, *(len(b.page_keys) for b in books)])
    orders = run(order.ranked, [(b.page_keys,) for b in books])
    if len(books) == 1:
        counts, where = books[0].counts, orders[0].reshape(1, -1)
        page_keys = books[0].page_keys[orders[0]]
    else:
        counts = np.concatenate([b.counts for b in books])
        all_keys = np.concatenate([b.page_keys for b in books])
        all_orders = np.concatenate([o + np.int32(a) for o, a in zip(orders, edges[:-1], strict=True)])
        page_keys, where = np.empty(len(all_keys), np.int64), np.empty((len(books), len(all_keys)), np.int32)
        n_pages = cells.merge_pages(all_keys, all_orders, edges, page_keys, where)
        page_keys, where = page_keys[:n_pages], np.ascontiguousarray(where[:, :n_pages])
    stretches = cut(len(page_keys), parts)
    first_cell = np.zeros(len(page_keys) + 1, np.int32)
    filled = np.empty(len(page_keys), np.int32)
    run(cells.count_cells, [(where, counts, page_bits, a, b, filled, first_cell[1:]) for a, b in stretches])
    np.cumsum(first_cell, out=first_cell)
    keys, sizes = np.empty(int(first_cell[-1]), np.int64), np.empty(int(first_cell[-1]), np.int32)
    ground = (where, counts, page_bits, page_keys, first_cell)
    run(cells.list_cells, [(*ground, a, b, keys, sizes) for a, b in stretches])
    own = [slice(a << page_bits, b << page_bits) for a, b in itertools.pairwise(edges.tolist())]
    return Directory(page_bits, keys, sizes, where, counts, first_cell, filled, stretches, own)


def cut(n: int, parts: int) -> Chunks:
    """Cut ``0:n`` into so many stretches, none of them empty."""
    edges = [n * i // parts for i in range(parts + 1)]
    return [(a, b) for a, b in itertools.pairwise(edges) if b > a]
