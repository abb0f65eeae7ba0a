"""Fifth stage: the points that later stages measure, gathered cell by cell.

In two steps, as a radix sort would: all points are gone through in their order, and those to gather noted in the region
of their cell; then each region, small enough for the second-level cache, is put in the order of its cells, and only
now are the coordinates read.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from cabstand.clustering.kernels.cells import Cells
from cabstand.clustering.kernels.instructions import (
    AHEAD,
    JUMPS_AHEAD,
    LINE,
    SHORT,
    prefetch_read,
    prefetch_write,
    scratch,
    smaller,
)
from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.threads import SLICE, Array, Workers, cut, slices

ALL = 255  # as a quota: every point of the cell
REGION_BITS = 12  # binary logarithm of the cells of a region
NOTES_PER_LINE = np.uint64(LINE // 8)


class Located(NamedTuple):
    """The input, and which cell each point is in."""

    points: Array  # float32 or float64, shape (n, 2)
    cell_of: Array  # int32, shape (n,)
    cells: Cells


class Gathered(NamedTuple):
    """Points cell by cell."""

    starts: Array  # int64, shape (cells + 1,): first gathered point of each cell, and the end
    ys: Array  # float64: coordinates
    xs: Array
    rows: Array  # int32: index in the input


def _set_quotas(counts: Array, starts: Array, quotas: Array, totals: Array) -> None:
    """Decide how many points of each of some cells each thread gathers, and how many of all of them.

    Of a sampled cell each gathers about as many as the others, if it has them; the first thread that has any gathers
    its first, which is the first of all.

    `counts` are the points of each thread in each cell; `starts` (see :class:`Gathered`) leave room for few points of a
    sampled cell and for none of some. `quotas` (uint8, shape (threads, cells)) are filled with ALL or how many.
    """
    left, rest = np.diff(starts), counts.sum(axis=0, dtype=np.int64)
    whole = left == rest
    for t, own in enumerate(counts):
        rest -= own
        even = -(-left // (len(counts) - t))
        quota = np.where(whole, own, np.minimum(own, np.maximum(even, left - rest)))
        quotas[t] = np.where(whole, np.where(own > 0, ALL, 0), quota)
        totals[t] = quota.sum()
        left -= quota


@kernel
def note(first, cell_of, region_bits, quotas, heads, notes):
    """Note the points to gather in their regions.

    Most points are not gathered, and which are cannot be predicted: a block is sieved without branches, then written.

    `first` is the index in the input of this thread's first point, and `cell_of` are the cells of its points. `quotas`
    (uint8, one a cell) are this thread's and counted down. `heads` (int64, one a region) say where its next note goes
    and move on. `notes` (int64, shape (gathered,)) are filled with the cell, 32 bits up, and the index in the input.
    """
    sieved = scratch(1, SHORT, np.int32)[0]
    for start in range(0, len(cell_of), SHORT):
        own = cell_of[start : smaller(start + SHORT, len(cell_of))]
        n = np.uint64(0)
        for j in range(len(own)):
            prefetch_read(own, np.uint64(j + AHEAD))
            sieved[n] = j
            n += np.uint64(quotas[np.uint64(own[j])] != 0)
        for j in sieved[:n]:
            cell = np.int64(own[np.uint64(j)])
            left = quotas[np.uint64(cell)]
            if left == 0:
                continue  # this block has used up the quota
            quotas[np.uint64(cell)] = left - np.uint8(left != ALL)
            region = np.uint64(cell >> region_bits)
            to = np.uint64(heads[region])
            heads[region] += 1
            prefetch_write(notes, to + NOTES_PER_LINE)
            notes[to] = cell << 32 | first + start + j


@kernel
def sort_regions(points, edges, notes, gathered, heads, noted):
    """Put the noted points of regions in the order of their cells, those of a cell in input order.

    `edges` are the first cell of each region, and the end. `notes` share the memory of ``gathered.ys``. `heads` and
    `noted` (int64) have room for the cells of a region and for its notes.
    """
    starts, ys, xs, rows = gathered
    for r in range(len(edges) - 1):
        first_cell = edges[r]
        begin = starts[first_cell]
        n = np.uint64(starts[edges[r + 1]] - begin)
        for i in range(edges[r + 1] - first_cell):
            heads[i] = starts[first_cell + i]
        for k in range(n):
            noted[k] = notes[np.uint64(begin) + k]
        for k in range(n):
            later = noted[smaller(k + np.uint64(JUMPS_AHEAD), np.uint64(n - np.uint64(1)))]
            prefetch_read(points, np.uint64(2 * (later & 0x7FFFFFFF)))
            about = np.uint64(heads[np.uint64((later >> 32) - first_cell)])
            prefetch_write(ys, about)
            prefetch_write(xs, about)
            prefetch_write(rows, about)
            cell = np.uint64((noted[k] >> 32) - first_cell)
            to = np.uint64(heads[cell])
            heads[cell] += 1
            row = np.uint64(noted[k] & 0x7FFFFFFF)
            ys[to] = points[row, 0]
            xs[to] = points[row, 1]
            rows[to] = row


def _note_all(first: int, cell_of: Array, region_bits: int, quotas: Array, heads: Array, notes: Array) -> None:
    """Call :func:`note` for all points."""
    for a, b in slices(0, len(cell_of)):
        note(first + a, cell_of[a:b], region_bits, quotas, heads, notes)


def run(source: Located, starts: Array, workers: Workers, region_bits: int = REGION_BITS) -> Gathered:
    """Gather as many points of each cell as there is room for, the first of the input among them.

    `starts` are those of :class:`Gathered`, with room for all points of a cell or for less than `ALL`.
    """
    points, cell_of, cells = source
    n, n_cells = int(starts[-1]), len(cells.keys)
    edges = np.array([*range(0, n_cells, 1 << region_bits), n_cells])
    quotas = np.empty(cells.counts.shape, np.uint8)
    totals = np.empty((len(edges) - 1, len(quotas)), np.int64)
    regions = zip(itertools.pairwise(edges.tolist()), totals, strict=True)
    calls = [(cells.counts[:, a:b], starts[a : b + 1], quotas[:, a:b], total) for (a, b), total in regions]
    workers.run(_set_quotas, calls)
    # A thread's notes in a region come after those of the threads before it.
    heads = np.ascontiguousarray((np.cumsum(totals).reshape(totals.shape) - totals).T)
    gathered = Gathered(starts, np.empty(n), np.empty(n), np.empty(n, np.int32))
    notes = gathered.ys.view(np.int64)  # the coordinates of a region replace its notes
    own = zip(cells.chunks, quotas, heads, strict=True) if n else ()
    workers.run(_note_all, [(a, cell_of[a:b], region_bits, quota, head, notes) for (a, b), quota, head in own])
    stripes = cut(len(totals), max(workers.n_stripes, n // SLICE))
    calls = [_sorting(points, edges[a : b + 1], notes, gathered) for a, b in stripes]
    workers.run(sort_regions, calls)
    return gathered


def _sorting(points: Array, edges: Array, notes: Array, gathered: Gathered) -> tuple[Any, ...]:
    """Return the arguments of :func:`sort_regions` for a stripe of regions, with room to work in."""
    n_cells, n_notes = np.diff(edges).max(initial=0), np.diff(gathered.starts[edges]).max(initial=0)
    return points, edges, notes, gathered, np.empty(n_cells, np.int64), np.empty(n_notes, np.int64)
