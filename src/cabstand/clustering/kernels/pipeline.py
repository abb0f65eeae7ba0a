"""Runs the stages, on one thread or several, and owns the arrays between them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels import (
    border,
    cells,
    closest,
    core,
    link,
    number,
    sample,
    scatter,
    weighted,
    windows,
)
from cabstand.clustering.kernels.grid import Grid
from cabstand.clustering.kernels.layout import Array, Book, Chunks, Directory, Map, order_cells, write_books

N_SAMPLES = 8  # points that stand for a cell inside a cluster
LEAST_SAVING = 0.3  # share of the points that sampling must be able to leave out, or it is not tried
STRIPES_A_THREAD = 8
SMALL = 20_000  # points below which threads cost more than they save


class Work(NamedTuple):
    """What every stage looks at: the input, its grid, its cells, and how to run calls side by side."""

    points: Array
    grid: Grid
    bands: Array
    min_samples: int
    weights: Array | None
    slots: Array
    books: list[Book]
    found: Directory
    chunks: Chunks
    run: Map


class Runs(NamedTuple):
    """The sparse cells (fewer than `min_samples` points; with weights, all) and where their neighbours are."""

    sparse: Array
    runs: Array
    turns: Array


class Kept(NamedTuple):
    """The points that were brought together, cell by cell."""

    starts: Array
    ys: Array
    xs: Array
    rows: Array


def cluster(
    points: Array, grid: Grid, bands: Array, min_samples: int, weights: Array | None, n_threads: int
) -> tuple[Array, Array, int]:
    """Cluster checked points.

    Parameters
    ----------
    points : ndarray of float32 or float64, shape (n, 2), C order
    grid : Grid
    bands : ndarray of float64, shape (bands, 4)
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
        page_bits, books = write_books(points, grid, bands, chunks, labels, run)
        found = order_cells(books, page_bits)
        work = Work(points, grid, bands, min_samples, weights, labels, books, found, chunks, run)
        sparse = _survey(work)
        kept = _bring(work, _choose(work, sparse))
        n_core = _find_core(work, sparse, kept)
        parent = np.arange(len(found.keys), dtype=np.int32)
        pending = _link(work, kept, n_core, parent)
        if len(pending):
            _close(work, kept, n_core, parent, pending)
        cell_labels, n_clusters = number.number(kept.starts, n_core, kept.rows, parent)
        is_core = _label(work, sparse, kept, n_core, cell_labels)
    return labels, is_core, int(n_clusters)


def _cut(n: int, parts: int) -> Chunks:
    edges = [n * i // parts for i in range(parts + 1)]
    return [(a, b) for a, b in itertools.pairwise(edges) if b > a]


def _stripes(work: Work, n: int) -> Chunks:
    return _cut(n, 1 if len(work.chunks) == 1 else STRIPES_A_THREAD * len(work.chunks))


@contextmanager
def _threads(n_threads: int) -> Iterator[Map]:
    """Give a function that runs calls on a pool (or in place) and returns their results in order."""
    if n_threads == 1:
        yield lambda function, calls: [function(*call) for call in calls]
        return
    with ThreadPoolExecutor(n_threads, thread_name_prefix="dbscan") as pool:
        yield lambda function, calls: [job.result() for job in [pool.submit(function, *call) for call in calls]]


def _survey(work: Work) -> Runs:
    """Find the sparse cells and their neighbours."""
    grid, keys, sizes = work.grid, work.found.keys, work.found.sizes
    few = sizes < work.min_samples if work.weights is None else np.ones(len(sizes), np.bool_)
    sparse = np.flatnonzero(few).astype(np.int32)
    n_rows = 2 * grid.reach_rows + 1
    turns = np.tile([0.0, 360.0, -360.0], n_rows) if grid.wraps else np.zeros(n_rows)
    runs = np.empty((len(sparse), len(turns), 2), np.int32)
    work.run(windows.all_runs, [(grid, work.bands, keys, sparse, a, b, runs) for a, b in _stripes(work, len(sparse))])
    return Runs(sparse, runs, turns)


def _choose(work: Work, sparse: Runs) -> Array:
    """Lay out the kept points: first place of each cell, and the end."""
    sizes = work.found.sizes
    spare = int(np.maximum(sizes[sizes >= work.min_samples] - N_SAMPLES, 0).sum()) if work.weights is None else 0
    sampling = spare > LEAST_SAVING * len(work.points)
    needed = np.zeros(len(sizes), np.uint8) if sampling else np.ones(len(sizes), np.uint8)
    if sampling:
        work.run(sample.mark_needed, [(sparse.runs, a, b, needed) for a, b in _stripes(work, len(sparse.sparse))])
    starts = np.empty(len(sizes) + 1, np.int64)
    sample.places(sizes, needed, work.min_samples, N_SAMPLES, starts)
    return starts


def _bring(work: Work, starts: Array) -> Kept:
    """Bring points together: as many of each cell as it has places."""
    rows = np.empty(int(starts[-1]), np.int32)
    free = starts[:-1].copy()
    calls = []
    for (a, b), rank, own in zip(work.chunks, work.found.ranks, work.books, strict=True):
        pos, end = np.empty(len(own.counts), np.int32), np.empty(len(own.counts), np.int32)
        cells.take_places(rank, own.counts, work.found.page_bits, work.found.cell_of, free, starts[1:], pos, end)
        calls.append((a, b, work.slots, pos, end, rows))
    work.run(scatter.collect, calls)
    ys, xs = np.empty(len(rows)), np.empty(len(rows))
    work.run(scatter.gather, [(work.points, rows, a, b, ys, xs) for a, b in _cut(len(rows), len(work.chunks))])
    return Kept(starts, ys, xs, rows)


def _find_core(work: Work, sparse: Runs, kept: Kept) -> Array:
    """Count the core points of each cell and move them to its front."""
    keys, sizes = work.found.keys, work.found.sizes
    starts, ys, xs, rows = kept
    n_core = sizes.copy()
    flags = np.empty(len(rows), np.uint8)
    stripes = _stripes(work, len(sparse.sparse))
    ground = (work.grid, work.bands, keys, starts, ys, xs)
    if work.weights is None:
        work.run(core.find_core, [(*ground, *sparse, a, b, work.min_samples, flags, n_core) for a, b in stripes])
    else:
        own, up, down = work.weights[rows], np.empty(len(keys)), np.empty(len(keys))
        weighted.cell_weights(starts, own, up, down)
        more = (*ground, own, up, down, sparse.runs, sparse.turns)
        work.run(weighted.find_core_weighted, [(*more, a, b, work.min_samples, flags, n_core) for a, b in stripes])
    work.run(
        core.core_first, [(sizes, starts, ys, xs, rows, flags, n_core, a, b) for a, b in _stripes(work, len(keys))]
    )
    return n_core


def _link(work: Work, kept: Kept, n_core: Array, parent: Array) -> Array:
    """Join cells within stripes, then across them; return the pairs that remain open."""
    keys = work.found.keys
    ground = (work.grid, work.bands, keys, kept.starts, n_core, kept.ys, kept.xs)
    filled = np.flatnonzero(n_core > 0).astype(np.int32)

    def stripe(chosen: Array, low: int, high: int) -> Array:
        none = np.empty((0, 2), np.int32)
        link.link_cells(*ground, chosen, low, high, False, N_SAMPLES, parent, none)
        link.flatten(parent, chosen)
        n = link.link_cells(*ground, chosen, low, high, True, N_SAMPLES, parent, none)
        if not n:
            return none
        pending = np.empty((n, 2), np.int32)  # by now fewer are open, for all were tried
        return pending[: link.link_cells(*ground, chosen, low, high, True, N_SAMPLES, parent, pending)]

    cuts = [0, *(int(filled[a]) for a, _ in _stripes(work, len(filled))[1:]), len(keys)]
    places = np.searchsorted(filled, cuts)
    pending = work.run(
        stripe, [(filled[places[i] : places[i + 1]], cuts[i], cuts[i + 1]) for i in range(len(cuts) - 1)]
    )
    for cut in cuts[1:-1]:
        near = np.searchsorted(keys, ((keys[cut] >> work.grid.col_bits) - work.grid.reach_rows) << work.grid.col_bits)
        chosen = filled[np.searchsorted(filled, near) : np.searchsorted(filled, cut)]
        pending.append(stripe(chosen, cut, len(keys)))
    pairs = np.concatenate(pending)
    return pairs[: link.still_open(parent, pairs)]


def _close(work: Work, kept: Kept, n_core: Array, parent: Array, pending: Array) -> None:
    """Settle the open pairs with all core points of their cells; sampled cells are read from the input again."""
    sizes = work.found.sizes
    wanted = np.unique(pending)
    whole = np.diff(kept.starts)[wanted] >= sizes[wanted]
    lengths = np.zeros(len(sizes), np.int64)
    lengths[wanted[~whole]] = sizes[wanted[~whole]]
    again = _bring(work, np.concatenate([[0], np.cumsum(lengths)]))
    extra = n_core[wanted[whole]].astype(np.int64)
    begin = again.starts[:-1].copy()
    begin[wanted[whole]] = again.starts[-1] + np.cumsum(extra) - extra
    ys, xs = np.concatenate([again.ys, np.empty(extra.sum())]), np.concatenate([again.xs, np.empty(extra.sum())])
    closest.copy_core(wanted[whole], begin, kept.starts, n_core, kept.ys, kept.xs, ys, xs)
    closest.close_pairs(work.grid, work.bands, work.found.keys, pending, begin, n_core, ys, xs, parent)


def _label(work: Work, sparse: Runs, kept: Kept, n_core: Array, cell_labels: Array) -> Array:
    """Write the answer: slots become labels in place, then the points of sparse cells; return the core mask."""
    labels, is_core = work.slots, np.empty(len(work.points), np.bool_)
    values = np.where(n_core == work.found.sizes, cell_labels, np.int32(-1))
    calls = []
    for (a, b), rank, own in zip(work.chunks, work.found.ranks, work.books, strict=True):
        table = np.empty(len(own.counts), np.int32)
        cells.spread(rank, work.found.page_bits, work.found.cell_of, values, table)
        calls.append((a, b, table, labels, is_core))
    work.run(border.label_slots, calls)
    if not n_core.any():
        return is_core
    ground = (work.points, work.grid, work.bands, work.found.keys, *kept, n_core, cell_labels, *sparse)
    work.run(border.label_mixed, [(*ground, a, b, labels, is_core) for a, b in _stripes(work, len(sparse.sparse))])
    return is_core
