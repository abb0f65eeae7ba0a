"""Runs the fifth stage: the kept points, brought together cell by cell."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels import scatter
from cabstand.clustering.kernels.share import Array, Chunks, Map, cut

REGION_BITS = 12  # binary logarithm of the cells of a region


class Kept(NamedTuple):
    """The points that were brought together, cell by cell."""

    starts: Array
    ys: Array
    xs: Array
    rows: Array


def bring(
    points: Array,
    cells: Array,
    counts: Array,
    starts: Array,
    chunks: Chunks,
    run: Map,
    parts: int,
    bits: int = REGION_BITS,
) -> Kept:
    """Bring points together: as many of each cell as it has places, the first of the input among them.

    Parameters
    ----------
    points : ndarray of float32 or float64, shape (n, 2)
    cells : ndarray of int32, shape (n,)
        The cell of each point.
    counts : ndarray of int32, shape (threads, cells)
        Points of each thread's chunk in each cell.
    starts : ndarray of int64, shape (cells + 1,)
        First place of each cell, and the end: places for all of its points or for less than `scatter.ALL`.
    chunks : list of (int, int)
        Each thread's points.
    parts : int
        Into how many stretches the regions are cut.
    """
    n, n_cells = int(starts[-1]), counts.shape[1]
    edges = np.array([*range(0, n_cells, 1 << bits), n_cells])
    keep, kept = np.empty(counts.shape, np.uint8), np.empty((len(edges) - 1, len(counts)), np.int64)
    stretches = zip(itertools.pairwise(edges.tolist()), kept, strict=True)
    run(scatter.share_places, [(counts, starts, a, b, keep, own) for (a, b), own in stretches])
    # A thread's places in a region come after those of the threads before it.
    heads = np.ascontiguousarray((np.cumsum(kept).reshape(kept.shape) - kept).T)
    found, marks = Kept(starts, np.empty(n), np.empty(n), np.empty(n, np.int32)), np.empty(n, np.int64)
    own = zip(chunks, keep, heads, strict=True) if n else ()
    run(scatter.collect, [(a, b, cells, bits, left, to, marks) for (a, b), left, to in own])
    run(scatter.settle, [(points, edges, a, b, starts, marks, *found[1:]) for a, b in cut(len(kept), parts)])
    return found
