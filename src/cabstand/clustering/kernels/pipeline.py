"""Runs the stages, on one thread or several, and owns the arrays between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels import (
    border,
    bounds,
    closest,
    core,
    link,
    number,
    sample,
    weighted,
    windows,
)
from cabstand.clustering.kernels.grid import Grid
from cabstand.clustering.kernels.kept import Kept, bring
from cabstand.clustering.kernels.layout import Directory, order_cells, write_books
from cabstand.clustering.kernels.share import Array, Chunks, Map, cut, threads, worth

N_SAMPLES = 8  # points that stand for a cell inside a cluster
LEAST_SAVING = 0.3  # share of the points that sampling must be able to leave out, or it is not tried
MOST_OPEN = 4096  # pairs of cells of a stripe that may stay open before they must be counted first
STRIPES_A_THREAD = 8
STRIPE_BITS = 18  # binary logarithm of the points of a stripe, where that makes more of them


class Work(NamedTuple):
    """What every stage looks at: the input, its grid, its cells, and how to run calls side by side."""

    points: Array
    grid: Grid
    bands: Array
    min_samples: int
    weights: Array | None
    cells: Array  # of each point
    found: Directory
    run: Map


class Runs(NamedTuple):
    """Sparse cells (fewer than `min_samples` points; with weights, all) and where their neighbours are."""

    sparse: Array
    runs: Array
    turns: Array


def find_box(points: Array, n_threads: int) -> Array | None:
    """Find the bounding box (low and high of each column) of points, at least one; None if a coordinate is NaN."""
    n_threads = worth(len(points), n_threads)
    stripes = _cut(len(points), n_threads)
    boxes = np.empty((len(stripes), 4))
    with threads(n_threads) as run:
        bad = run(bounds.bounds, [(points, a, b, box) for (a, b), box in zip(stripes, boxes, strict=True)])
    if any(bad):
        return None
    box: Array = np.where([True, False, True, False], boxes.min(axis=0), boxes.max(axis=0))
    return box


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
    n_threads = worth(n, n_threads)
    labels = np.empty(n, np.int32)  # holds the slots first, then the cells
    with threads(n_threads) as run:
        page_bits, books, chunks = write_books(points, grid, bands, cut(n, n_threads), labels, run)
        found = order_cells(books, page_bits, chunks, labels, run, _parts(n_threads))
        del books
        work = Work(points, grid, bands, min_samples, weights, labels, found, run)
        sparse = _survey(work)
        kept = _bring(work, _choose(work, sparse))
        n_core = _find_core(work, sparse, kept)
        parent = np.arange(len(found.keys), dtype=np.int32)
        pending = _link(work, kept, n_core, parent)
        if len(pending):
            _close(work, kept, n_core, parent, pending)
        cell_labels, n_clusters = number.number(
            kept.starts, n_core, kept.rows, parent, run, _stripes(work, len(parent))
        )
        if n_clusters:
            _mark_border(work, sparse, kept, n_core, cell_labels)
        del sparse, kept  # what they held can hold the mask
        is_core = _label(work, cell_labels)
    return labels, is_core, n_clusters


def _stripes(work: Work, n: int) -> Chunks:
    return _cut(n, len(work.found.chunks))


def _cut(n: int, n_threads: int) -> Chunks:
    """Cut points or cells into stripes that threads take one after another, small enough to end at about one time."""
    return cut(n, 1 if n_threads == 1 else max(_parts(n_threads), n >> STRIPE_BITS))


def _parts(n_threads: int) -> int:
    return 1 if n_threads == 1 else STRIPES_A_THREAD * n_threads


def _survey(work: Work) -> list[Runs]:
    """Find the sparse cells and their neighbours; those that reach across the antimeridian apart from the others."""
    grid, keys, sizes = work.grid, work.found.keys, work.found.sizes
    sparse = sample.listed(sizes < work.min_samples if work.weights is None else np.ones(len(sizes), np.bool_))
    found, groups = [], [(sparse, [0.0])]
    if grid.wraps:
        across = np.zeros(len(sparse), np.bool_)
        stripes = _stripes(work, len(sparse))
        work.run(windows.reach_across, [(grid, work.bands, keys, sparse, a, b, across) for a, b in stripes])
        groups = [(sparse[~across], [0.0]), (sparse[across], [0.0, 360.0, -360.0])]
    for chosen, turns in groups:
        all_turns = np.tile(turns, 2 * grid.reach_rows + 1)
        runs = np.empty((len(chosen), len(all_turns), 2), np.int32)
        ground, turned = (grid, work.bands, keys, chosen), len(turns) > 1
        work.run(windows.all_runs, [(*ground, a, b, turned, runs) for a, b in _stripes(work, len(chosen))])
        found.append(Runs(chosen, runs, all_turns))
    return found


def _choose(work: Work, sparse: list[Runs]) -> Array:
    """Lay out the kept points: first place of each cell, and the end."""
    sizes = work.found.sizes
    spared = sample.spared(sizes, work.min_samples, N_SAMPLES) if work.weights is None else 0
    sampling = spared > LEAST_SAVING * len(work.points)
    needed = np.zeros(len(sizes), np.uint8) if sampling else np.ones(len(sizes), np.uint8)
    for some in sparse if sampling else ():
        work.run(sample.mark_needed, [(some.runs, a, b, needed) for a, b in _stripes(work, len(some.sparse))])
    starts = np.empty(len(sizes) + 1, np.int64)
    sample.places(sizes, needed, work.min_samples, N_SAMPLES, starts)
    return starts


def _bring(work: Work, starts: Array) -> Kept:
    """Bring points together: as many of each cell as it has places."""
    counts, chunks = work.found.counts, work.found.chunks
    return bring(work.points, work.cells, counts, starts, chunks, work.run, _parts(len(chunks)))


def _bring_some(work: Work, chosen: Array) -> Kept:
    """Bring all points of a few cells together."""
    lengths = np.zeros(len(work.found.keys), np.int64)
    lengths[chosen] = work.found.sizes[chosen]
    return _bring(work, np.concatenate([[0], np.cumsum(lengths)]))


def _find_core(work: Work, sparse: list[Runs], kept: Kept) -> Array:
    """Count the core points of each cell and move them to its front."""
    keys, sizes = work.found.keys, work.found.sizes
    starts, ys, xs, rows = kept
    n_core = sizes.copy()
    flags = np.empty(len(rows), np.uint8)
    stripes = [(*some, a, b) for some in sparse for a, b in _stripes(work, len(some.sparse))]
    ground = (work.grid, work.bands, keys, starts, ys, xs)
    if work.weights is None:
        work.run(core.find_core, [(*ground, *stripe, work.min_samples, flags, n_core) for stripe in stripes])
    else:
        own, up, down = work.weights[rows], np.empty(len(keys)), np.empty(len(keys))
        weighted.cell_weights(starts, own, up, down)
        more = (*ground, own, up, down)
        work.run(weighted.find_core_weighted, [(*more, *stripe, work.min_samples, flags, n_core) for stripe in stripes])
    work.run(
        core.core_first, [(sizes, starts, ys, xs, rows, flags, n_core, a, b) for a, b in _stripes(work, len(keys))]
    )
    return n_core


def _link(work: Work, kept: Kept, n_core: Array, parent: Array) -> Array:
    """Join cells by their samples, those that touch first; return the pairs that remain open."""
    ground = (work.grid, work.bands, work.found.keys, kept.starts, n_core, kept.ys, kept.xs)
    filled = sample.listed(n_core > 0)
    stripes, none = [filled[a:b] for a, b in _stripes(work, len(filled))], np.empty((0, 2), np.int32)
    work.run(link.link_cells, [(*ground, chosen, False, N_SAMPLES, parent, none) for chosen in stripes])
    work.run(link.flatten, [(parent, chosen) for chosen in stripes])
    rooms = [np.empty((MOST_OPEN, 2), np.int32) for _ in stripes]
    calls = [(*ground, chosen, True, N_SAMPLES, parent, room) for chosen, room in zip(stripes, rooms, strict=True)]
    n_open = work.run(link.link_cells, calls)
    for i, n in enumerate(n_open):
        if n > MOST_OPEN:  # once more with room for all: by now fewer are open, for all were tried
            rooms[i] = np.empty((n, 2), np.int32)
            n_open[i] = link.link_cells(*ground, stripes[i], True, N_SAMPLES, parent, rooms[i])
    pairs = np.concatenate([none, *(room[:n] for room, n in zip(rooms, n_open, strict=True))])
    work.run(link.flatten, [(parent, chosen) for chosen in stripes] if len(pairs) else [])
    still: Array = pairs[parent[pairs[:, 0]] != parent[pairs[:, 1]]]
    return still


def _close(work: Work, kept: Kept, n_core: Array, parent: Array, pending: Array) -> None:
    """Settle the open pairs with all core points of their cells; sampled cells are read from the input again."""
    wanted, begin = np.unique(pending), np.empty(len(parent), np.int64)
    whole = kept.starts[wanted + 1] - kept.starts[wanted] >= work.found.sizes[wanted]
    here, gone = wanted[whole], wanted[~whole]
    extra = n_core[here].astype(np.int64)
    begin[here] = np.cumsum(extra) - extra
    ys, xs = np.empty(extra.sum()), np.empty(extra.sum())
    closest.copy_core(here, begin, kept.starts, n_core, kept.ys, kept.xs, ys, xs)
    if len(gone):
        again = _bring_some(work, gone)
        begin[gone] = len(ys) + again.starts[gone]
        ys, xs = np.concatenate([ys, again.ys]), np.concatenate([xs, again.xs])
    closest.close_pairs(work.grid, work.bands, work.found.keys, pending, begin, n_core, ys, xs, parent)


def _mark_border(work: Work, sparse: list[Runs], kept: Kept, n_core: Array, cell_labels: Array) -> None:
    """Mark the border points among the cells."""
    ground = (work.points, work.grid, work.bands, work.found.keys, *kept, n_core, cell_labels)
    stripes = [(*some, a, b) for some in sparse for a, b in _stripes(work, len(some.sparse))]
    work.run(border.mark_border, [(*ground, *stripe, work.cells) for stripe in stripes])


def _label(work: Work, cell_labels: Array) -> Array:
    """Write the answer: cells and marks become labels in place; return the core mask."""
    is_core = np.empty(len(work.points), np.bool_)
    work.run(border.label, [(a, b, cell_labels, work.cells, is_core) for a, b in _stripes(work, len(work.points))])
    return is_core
