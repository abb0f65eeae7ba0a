"""Runs the second and third stage: from points to slots, from slots to cells in order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels import book, cells, order, singles, tiles
from cabstand.clustering.kernels.book import PAGE_BITS, TILE_BITS
from cabstand.clustering.kernels.grid import Grid
from cabstand.clustering.kernels.meet import Side, met, sides
from cabstand.clustering.kernels.share import Array, Chunks, Map, cut

SLOTS_A_POINT = 2  # in one book, beyond which pages are not worth their memory: each may see all of the points' pages
FULL_BOOKS = 4  # so many books may be as large; more share their room


class Book(NamedTuple):
    """One thread's slots: the key of each page, and which of its slots hold a point."""

    page_keys: Array
    filled: Array


class Directory(NamedTuple):
    """The cells in order: key, points, and the points (shape (threads, cells)) of each thread's chunk of the input."""

    keys: Array
    sizes: Array
    counts: Array
    chunks: Chunks


def write_books(
    points: Array, grid: Grid, bands: Array, chunks: Chunks, slots: Array, run: Map
) -> tuple[int, list[Book], Chunks]:
    """Give every point its slot, each thread's in a book of its own.

    `chunks` says what each thread is to do; returned are the pages' width, the books, and what each has done.
    """
    row_tiles = (1 << grid.col_bits >> (PAGE_BITS + TILE_BITS)) + 1
    most = max(1 << 20, SLOTS_A_POINT * len(points) * min(FULL_BOOKS, len(chunks)) // len(chunks)) >> PAGE_BITS
    if ((grid.n_rows >> TILE_BITS) + 1) * row_tiles <= max(1 << 13, len(points) >> 7):
        columns, ways = bands[:, 0].copy(), sides(chunks)
        done = run(_write_book, [(points, way, grid, columns, row_tiles, most, slots) for way in ways])
        books = [book for book, _ in done if book]
        if len(books) == len(done):
            return PAGE_BITS, books, met(ways, [n for _, n in done])
    books = run(_write_book_hashed, [(points, a, b, grid, bands, most, slots) for a, b in chunks])
    if all(books):
        return PAGE_BITS, books, chunks
    return 0, run(_write_book_of_singles, [(points, a, b, grid, bands, slots) for a, b in chunks]), chunks


def _write_book(
    points: Array, way: Side, grid: Grid, columns: Array, row_tiles: int, most: int, slots: Array
) -> tuple[Book | None, int]:
    """Fill a book (None if it takes more than `most` pages) by a table of all pages of the box; count its blocks."""
    page_keys = np.empty(most, np.int64)
    filled = np.zeros(most, np.uint32)  # the system hands out its memory as it is touched
    pages = np.zeros(((grid.n_rows >> TILE_BITS) + 1) * row_tiles << 2 * TILE_BITS, np.int32)
    n, done = book.assign(points, *way, grid, columns, row_tiles, pages, page_keys, filled, slots)
    return Book(page_keys[:n].copy(), filled[:n]) if n <= most else None, done


def _write_book_hashed(
    points: Array, start: int, stop: int, grid: Grid, bands: Array, most: int, slots: Array
) -> Book | None:
    """Fill a book of at most so many pages by hashing, growing the table; None if tiles would waste memory."""
    tile_places = 1 << (tiles.ROW_BITS + tiles.ACROSS_BITS)
    page_keys, tile_keys = np.empty(most, np.int64), np.empty(most, np.int64)
    filled = np.zeros(most, np.uint32)
    pages = np.zeros(most * tile_places, np.int32)
    used = np.zeros(2, np.int64)
    done, bits = start, 12
    while True:
        table = np.full((1 << bits, 2), tiles.EMPTY, np.int64)
        tiles.rehash(tile_keys, used[0], 64 - bits, table)
        done = tiles.assign_hashed(
            points, done, stop, grid, bands, 64 - bits, table, tile_keys, pages, page_keys, filled, used, slots
        )
        n_tiles, n = used.tolist()
        if done == stop:
            return Book(page_keys[:n].copy(), filled[:n])
        if n == most or n_tiles * tile_places > max(1 << 20, most << PAGE_BITS):
            return None
        bits += 2 if bits < 18 else 1


def _write_book_of_singles(points: Array, start: int, stop: int, grid: Grid, bands: Array, slots: Array) -> Book:
    """Fill a book whose pages are single cells, in order."""
    keys = np.empty(stop - start, np.int64)
    singles.write_keys(points, start, stop, grid, bands, keys)
    keys, of = order.ranked(keys)
    n = singles.number_keys(keys, of, slots[start:stop])
    return Book(keys[:n], np.ones(n, np.uint32))


def order_cells(books: list[Book], page_bits: int, chunks: Chunks, slots: Array, run: Map, parts: int) -> Directory:
    """Put the cells of all books in order, and turn every point's slot into its cell, in place.

    `parts` says into how many stretches of pages the work is cut.
    """
    ranks = run(order.ranked, [(b.page_keys,) for b in books])
    edges = np.cumsum([0, *(len(b.page_keys) for b in books)])
    page_keys, where = _merge(ranks, edges, run, parts)
    marks = np.concatenate([b.filled for b in books])
    stretches = cut(len(page_keys), parts)
    first_cell, filled = np.zeros(len(page_keys) + 1, np.int32), np.empty(len(page_keys), np.uint32)
    run(cells.fill_pages, [(where, marks, a, b, filled, first_cell[1:]) for a, b in stretches])
    np.cumsum(first_cell, out=first_cell)
    keys, words = np.empty(int(first_cell[-1]), np.int64), np.empty(len(marks), np.int64)
    ground = (where, page_bits, page_keys, filled, first_cell)
    run(cells.list_cells, [(*ground, a, b, keys, words) for a, b in stretches])
    counts = np.zeros((len(books), len(keys)), np.int32)
    ways, ends, calls = sides(chunks), [b for _, b in chunks], []
    for t, way in enumerate(ways):
        before = t - way.down  # the book of the stretch's first points
        calls.append((*way, page_bits, ends[before], words, *edges[before : before + 2], slots, counts[t]))
    done = run(cells.to_cells, calls)
    sizes = counts[0] if len(books) == 1 else counts.sum(axis=0, dtype=np.int32)
    return Directory(keys, sizes, counts, met(ways, done))


def _merge(ranks: list[tuple[Array, Array]], edges: Array, run: Map, parts: int) -> tuple[Array, Array]:
    """Merge the pages of several books, one range of keys apart from the others; return keys and `where`."""
    if len(ranks) == 1:
        keys, pages = ranks[0]
        return keys, pages.reshape(1, -1)
    keys = np.concatenate([keys for keys, _ in ranks])
    pages = np.concatenate([order + np.int32(a) for (_, order), a in zip(ranks, edges[:-1], strict=True)])
    longest = max((keys for keys, _ in ranks), key=len)
    lowest = [longest[a] for a, _ in cut(len(longest), parts)[1:]]
    heads = np.stack([np.r_[0, np.searchsorted(keys, lowest), len(keys)] for keys, _ in ranks], axis=1)
    at = heads.sum(axis=1).tolist()  # room for each range, should no two books share a page
    heads += edges[:-1]
    page_keys, where = np.empty(len(keys), np.int64), np.empty((len(ranks), len(keys)), np.int32)
    calls = [(keys, pages, heads[i], heads[i + 1], at[i], page_keys, where) for i in range(len(at) - 1)]
    filled = [slice(a, a + n) for a, n in zip(at, run(cells.merge_pages, calls), strict=False)]
    return np.concatenate([page_keys[f] for f in filled]), np.concatenate([where[:, f] for f in filled], axis=1)
