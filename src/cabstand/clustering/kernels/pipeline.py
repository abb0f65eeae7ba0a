"""Runs the stages, on one thread or several, and owns the arrays between them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.kernels import book, border, cells, closest, core, link, number, sample, scatter, weighted
from cabstand.clustering.kernels.grid import Grid

N_SAMPLES = 8  # points that stand for a cell inside a cluster
PAGE_BITS = (5, 2, 0)  # slots of a page; narrower where points are scattered
STRIPES_A_THREAD = 8
SMALL = 20_000  # points below which threads cost more than they save

Array = NDArray[Any]
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


class Kept(NamedTuple):
    """The points that were brought together, cell by cell."""

    starts: Array
    ys: Array
    xs: Array
    rows: Array


def cluster(
    points: Array, grid: Grid, min_samples: int, weights: Array | None, n_threads: int
) -> tuple[Array, Array, int]:
    """Cluster checked points.

    Parameters
    ----------
    points : ndarray of float32 or float64, shape (n, 2), C order
    grid : Grid
    min_samples : int
    weights : ndarray of float64, shape (n,), optional
    n_threads : int

    Returns
    -------
    labels : ndarray of int32, shape (n,)
    core : ndarray of bool, shape (n,)
    n_clusters : int
    """
    n = len(points)
    n_threads = n_threads if n >= SMALL else 1
    labels = np.empty(n, np.int32)  # holds the slots first
    chunks = _cut(n, n_threads)
    with _threads(n_threads) as run:
        page_bits, books = _write_books(points, grid, chunks, labels, run)
        found = _order_cells(books, page_bits)
        stripes = _cut(len(found.keys), 1 if n_threads == 1 else STRIPES_A_THREAD * n_threads)
        starts = _choose(grid, found, min_samples, weights is None, stripes, run)
        kept = _bring(points, found, books, chunks, labels, starts, run)
        stripes = _stripes(starts, len(stripes))
        n_core = _find_core(grid, found, kept, min_samples, weights, stripes, run)
        parent = np.arange(len(found.keys), dtype=np.int32)
        pending = _link(grid, found, kept, n_core, parent, stripes, run)
        if len(pending):
            _close(points, grid, found, books, chunks, labels, kept, n_core, parent, pending, run)
        cell_labels = np.empty(len(found.keys), np.int32)
        n_clusters = number.number(kept.starts, n_core, kept.rows, parent, cell_labels)
        is_core = np.empty(n, np.bool_)
        _label(grid, found, books, chunks, kept, n_core, cell_labels, stripes, labels, is_core, run)
    return labels, is_core, int(n_clusters)


def _cut(n: int, parts: int) -> list[tuple[int, int]]:
    edges = [n * i // parts for i in range(parts + 1)]
    return [(a, b) for a, b in itertools.pairwise(edges) if b > a]


def _stripes(starts: Array, parts: int) -> list[tuple[int, int]]:
    """Cut the cells so that each stripe has about as many kept points."""
    edges = np.searchsorted(starts, np.arange(1, parts) * (int(starts[-1]) / parts))
    cuts = np.unique(np.concatenate([[0], edges, [len(starts) - 1]])).tolist()
    return list(itertools.pairwise(cuts))


@contextmanager
def _threads(n_threads: int) -> Iterator[Map]:
    """Give a function that runs calls on a pool (or in place) and returns their results in order."""
    if n_threads == 1:
        yield lambda function, calls: [function(*call) for call in calls]
        return
    with ThreadPoolExecutor(n_threads, thread_name_prefix="dbscan") as pool:
        yield lambda function, calls: [job.result() for job in [pool.submit(function, *call) for call in calls]]


def _write_books(
    points: Array, grid: Grid, chunks: list[tuple[int, int]], slots: Array, run: Map
) -> tuple[int, list[Book]]:
    for page_bits in PAGE_BITS:
        books = run(_write_book, [(points, a, b, grid, page_bits, slots) for a, b in chunks])
        if all(books):
            return page_bits, books
    raise AssertionError("single slots always fit")


def _write_book(points: Array, start: int, stop: int, grid: Grid, page_bits: int, slots: Array) -> Book | None:
    """Fill a book, growing its hash table; None if pages of this width would waste memory."""
    most = stop - start if page_bits == 0 else max(1 << 20, 2 * (stop - start)) >> page_bits
    page_keys = np.empty(most, np.int64)
    counts = np.zeros(most << page_bits, np.int32)  # the system hands out its memory as it is touched
    n_pages, done, bits = 0, start, 12
    while True:
        hash_keys = np.full(1 << bits, book.EMPTY, np.int64)
        hash_pages = np.empty(1 << bits, np.int32)
        book.rehash(page_keys, n_pages, 64 - bits, hash_keys, hash_pages)
        done, n_pages = book.assign(
            points, done, stop, grid, page_bits, 64 - bits, hash_keys, hash_pages, page_keys, counts, n_pages, slots
        )
        if done == stop:
            return Book(page_keys[:n_pages], counts[: n_pages << page_bits])
        if n_pages == most:
            return None
        bits += 2 if bits < 18 else 1


def _order_cells(books: list[Book], page_bits: int) -> Directory:
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


def _choose(
    grid: Grid, found: Directory, min_samples: int, sampling: bool, stripes: list[tuple[int, int]], run: Map
) -> Array:
    """Lay out the kept points: first place of each cell, and the end."""
    needed = np.zeros(len(found.keys), np.uint8) if sampling else np.ones(len(found.keys), np.uint8)
    if sampling:
        run(sample.mark_needed, [(grid, found.keys, found.sizes, a, b, min_samples, needed) for a, b in stripes])
    starts = np.empty(len(found.keys) + 1, np.int64)
    sample.places(found.sizes, needed, min_samples, N_SAMPLES, starts)
    return starts


def _bring(
    points: Array,
    found: Directory,
    books: list[Book],
    chunks: list[tuple[int, int]],
    slots: Array,
    starts: Array,
    run: Map,
) -> Kept:
    n_kept = int(starts[-1])
    ys, xs, rows = np.empty(n_kept), np.empty(n_kept), np.empty(n_kept, np.int32)
    free = starts[:-1].copy()
    calls = []
    for (a, b), rank, own in zip(chunks, found.ranks, books, strict=True):
        pos, end = np.empty(len(own.counts), np.int32), np.empty(len(own.counts), np.int32)
        cells.take_places(rank, own.counts, found.page_bits, found.cell_of, free, starts[1:], pos, end)
        calls.append((points, a, b, slots, pos, end, ys, xs, rows))
    run(scatter.scatter, calls)
    return Kept(starts, ys, xs, rows)


def _find_core(
    grid: Grid,
    found: Directory,
    kept: Kept,
    min_samples: int,
    weights: Array | None,
    stripes: list[tuple[int, int]],
    run: Map,
) -> Array:
    """Count the core points of each cell and move them to its front."""
    starts, ys, xs, rows = kept
    n_core = np.empty(len(found.keys), np.int32)
    flags = np.empty(len(rows), np.uint8)
    if weights is None:
        run(
            core.find_core,
            [(grid, found.keys, found.sizes, starts, ys, xs, a, b, min_samples, flags, n_core) for a, b in stripes],
        )
    else:
        own = weights[rows]
        up, down = np.empty(len(found.keys)), np.empty(len(found.keys))
        weighted.cell_weights(starts, own, up, down)
        run(
            weighted.find_core_weighted,
            [(grid, found.keys, starts, ys, xs, own, up, down, a, b, min_samples, flags, n_core) for a, b in stripes],
        )
    run(core.core_first, [(found.sizes, starts, ys, xs, rows, flags, n_core, a, b) for a, b in stripes])
    return n_core


def _link(
    grid: Grid,
    found: Directory,
    kept: Kept,
    n_core: Array,
    parent: Array,
    stripes: list[tuple[int, int]],
    run: Map,
) -> Array:
    """Join cells within stripes, then across them; return the pairs that remain open."""
    n_cells = len(found.keys)

    def stripe(first: int, last: int, low: int, high: int) -> Array:
        pending = np.empty((0, 2), np.int32)
        common = (grid, found.keys, kept.starts, n_core, kept.ys, kept.xs, first, last, low, high)
        link.link(*common, 0.0, N_SAMPLES, parent, pending)
        while (n := link.link(*common, 1.0, N_SAMPLES, parent, pending)) > len(pending):
            pending = np.empty((n, 2), np.int32)
        return pending[:n]

    pending = run(stripe, [(a, b, a, b) for a, b in stripes])
    rows = found.keys >> grid.col_bits
    for _, cut in stripes[:-1]:
        first = int(np.searchsorted(rows, rows[cut] - grid.reach_rows))
        pending.append(stripe(first, cut, cut, n_cells))
    pairs = np.concatenate(pending)
    return pairs[: link.still_open(parent, pairs)]


def _close(
    points: Array,
    grid: Grid,
    found: Directory,
    books: list[Book],
    chunks: list[tuple[int, int]],
    slots: Array,
    kept: Kept,
    n_core: Array,
    parent: Array,
    pending: Array,
    run: Map,
) -> None:
    """Settle the open pairs with all core points of their cells; sampled cells are read from the input again."""
    wanted = np.unique(pending)
    whole = np.diff(kept.starts)[wanted] >= found.sizes[wanted]
    lengths = np.zeros(len(found.keys), np.int64)
    lengths[wanted[~whole]] = found.sizes[wanted[~whole]]
    again = _bring(points, found, books, chunks, slots, np.concatenate([[0], np.cumsum(lengths)]), run)
    extra = n_core[wanted[whole]].astype(np.int64)
    begin = again.starts[:-1].copy()
    begin[wanted[whole]] = again.starts[-1] + np.cumsum(extra) - extra
    ys, xs = np.concatenate([again.ys, np.empty(extra.sum())]), np.concatenate([again.xs, np.empty(extra.sum())])
    closest.copy_core(wanted[whole], begin, kept.starts, n_core, kept.ys, kept.xs, ys, xs)
    closest.close_pairs(grid, found.keys, pending, begin, n_core, ys, xs, parent)


def _label(
    grid: Grid,
    found: Directory,
    books: list[Book],
    chunks: list[tuple[int, int]],
    kept: Kept,
    n_core: Array,
    cell_labels: Array,
    stripes: list[tuple[int, int]],
    labels: Array,
    is_core: Array,
    run: Map,
) -> None:
    """Write the answer: slots become labels in place, then the points of mixed cells."""
    values = np.where(n_core == found.sizes, cell_labels, np.int32(-1))
    calls = []
    for (a, b), rank, own in zip(chunks, found.ranks, books, strict=True):
        table = np.empty(len(own.counts), np.int32)
        cells.spread(rank, found.page_bits, found.cell_of, values, table)
        calls.append((a, b, table, labels, is_core))
    run(border.label_slots, calls)
    run(
        border.label_mixed,
        [(grid, found.keys, found.sizes, *kept, n_core, cell_labels, a, b, labels, is_core) for a, b in stripes],
    )
