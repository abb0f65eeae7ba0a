"""Fifth stage: the points that later stages measure, gathered cell by cell.

In two steps, as a radix sort would: all points are gone through in their order, and those to gather noted in the region
of their cell; then each region, small enough for the second-level cache, is put in the order of its cells, and only
now are the coordinates read.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels.cells import Cells
from cabstand.clustering.kernels.instructions import AHEAD, JUMPS_AHEAD, LINE, SHORT, prefetch_read, prefetch_write
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


@kernel
def set_quotas(counts, starts, first, last, quotas, totals):
    """Decide how many points of each of the cells ``first:last`` each thread gathers, and how many of all of them.

    Of a sampled cell each gathers about as many as the others, if it has them; the first thread that has any gathers
    its first, which is the first of all.

    `counts` are the points of each thread in each cell; `starts` (see :class:`Gathered`) leave room for few points of a
    sampled cell and for none of some. `quotas` (uint8, shape (threads, cells)) are filled with ALL or how many.
    """
    totals[:] = 0
    n_threads = np.int32(len(counts))
    for cell in range(np.uint64(first), np.uint64(last)):
        left = starts[cell + np.uint64(1)] - starts[cell]
        rest = np.int64(0)
        for t in range(n_threads):
            rest += counts[t, cell]
        if rest == left:
            for t in range(n_threads):
                quotas[t, cell] = ALL if counts[t, cell] > 0 else 0
                totals[t] += counts[t, cell]
            continue
        for t in range(n_threads):
            rest -= counts[t, cell]
            even = (np.uint32(left) + n_threads - t - 1) // (n_threads - t)
            quota = min(np.int64(counts[t, cell]), max(np.int64(even), left - rest))
            quotas[t, cell] = quota
            totals[t] += quota
            left -= quota


@kernel
def note(first, cell_of, region_bits, quotas, heads, notes):
    """Note the points to gather in their regions.

    Most points are not gathered, and which are cannot be predicted: a block is sieved without branches, then written.

    `first` is the index in the input of this thread's first point, and `cell_of` are the cells of its points. `quotas`
    (uint8, one a cell) are this thread's and counted down. `heads` (int64, one a region) say where its next note goes
    and move on. `notes` (int64, shape (gathered,)) are filled with the cell, 32 bits up, and the index in the input.
    """
    sieved = np.empty(SHORT, np.int32)
    for start in range(0, len(cell_of), SHORT):
        own = cell_of[start : min(start + SHORT, len(cell_of))]
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
def sort_regions(points, edges, notes, gathered):
    """Put the noted points of regions in the order of their cells, those of a cell in input order.

    `edges` are the first cell of each region, and the end. `notes` share the memory of ``gathered.ys``.
    """
    starts, ys, xs, rows = gathered
    flat = points.reshape(-1)
    begins = starts[edges]
    noted = np.empty(np.diff(begins).max(), np.int64)
    for r in range(len(edges) - 1):
        n = begins[r + 1] - begins[r]
        noted[:n] = notes[begins[r] : begins[r + 1]]
        first_cell = edges[r]
        heads = starts[first_cell : edges[r + 1]].copy()
        for k in range(np.uint64(n)):
            later = noted[min(k + np.uint64(JUMPS_AHEAD), np.uint64(n - 1))]
            prefetch_read(flat, np.uint64(2 * (later & 0x7FFFFFFF)))
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
    workers.run(set_quotas, [(cells.counts, starts, a, b, quotas, total) for (a, b), total in regions])
    # A thread's notes in a region come after those of the threads before it.
    heads = np.ascontiguousarray((np.cumsum(totals).reshape(totals.shape) - totals).T)
    gathered = Gathered(starts, np.empty(n), np.empty(n), np.empty(n, np.int32))
    notes = gathered.ys.view(np.int64)  # the coordinates of a region replace its notes
    own = zip(cells.chunks, quotas, heads, strict=True) if n else ()
    workers.run(_note_all, [(a, cell_of[a:b], region_bits, quota, head, notes) for (a, b), quota, head in own])
    stripes = cut(len(totals), max(workers.n_stripes, n // SLICE))
    workers.run(sort_regions, [(points, edges[a : b + 1], notes, gathered) for a, b in stripes])
    return gathered
