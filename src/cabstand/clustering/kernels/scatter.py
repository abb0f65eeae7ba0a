"""Fifth stage: the kept points, brought together cell by cell.

In two steps, as a radix sort would: all points are gone through in their order, and the kept ones noted in the region
of their cell; then each region, small enough for the second-level cache, is put in the order of its cells, and only
now are the coordinates fetched.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.fetch import AHEAD, JUMPS_AHEAD, LINE, SHORT, soon_read, soon_written
from cabstand.clustering.kernels.jit import kernel

ALL = 255  # in `keep`: every point of the cell
MARKS_A_LINE = np.uint64(LINE // 8)


@kernel
def share_places(counts, starts, first, last, keep, kept):
    """Say how many points each thread keeps of each of the cells ``first:last``, and how many it keeps of all of them.

    Of a sampled cell each keeps about as many as the others, if it has them; the first that has any keeps its first,
    which is the first of all.

    Parameters
    ----------
    counts : ndarray of int32, shape (threads, cells)
        Points of each thread in each cell.
    starts : ndarray of int64, one a cell and one more
        First place of each cell; of a sampled cell only the first few points have one, of some cells none.
    keep : ndarray of uint8, shape (threads, cells)
        Filled: the first so many points of this thread (less than ALL), or ALL.
    kept : ndarray of int64, shape (threads,)
        Filled.
    """
    kept[:] = 0
    n_threads = np.int32(len(counts))
    for cell in range(np.uint64(first), np.uint64(last)):
        left = starts[cell + np.uint64(1)] - starts[cell]
        rest = np.int64(0)
        for t in range(n_threads):
            rest += counts[t, cell]
        if rest == left:
            for t in range(n_threads):
                keep[t, cell] = ALL if counts[t, cell] > 0 else 0
                kept[t] += counts[t, cell]
            continue
        for t in range(n_threads):
            rest -= counts[t, cell]
            even = (np.uint32(left) + n_threads - t - 1) // (n_threads - t)
            share = min(np.int64(counts[t, cell]), max(np.int64(even), left - rest))
            keep[t, cell] = share
            kept[t] += share
            left -= share


@kernel
def collect(start, stop, cells, region_bits, keep, heads, marks):
    """Note the kept ones of points ``start:stop`` in their regions.

    Most points are not kept, and which are cannot be guessed: a block is sieved without asking, then written.

    Parameters
    ----------
    cells : ndarray of int32, one a point
    region_bits : int
        Binary logarithm of the cells of a region.
    keep : ndarray of uint8, one a cell
        What this thread keeps; counted down.
    heads : ndarray of int64, one a region
        This thread's next place in each region; moved on.
    marks : ndarray of int64, shape (kept,)
        Filled, region by region, with the cell, 32 bits up, and the index in the input.
    """
    sieved = np.empty(SHORT, np.int32)
    for first in range(start, stop, SHORT):
        own = cells[first : min(first + SHORT, stop)]
        n = np.uint64(0)
        for j in range(len(own)):
            soon_read(own, np.uint64(j + AHEAD))
            sieved[n] = j
            n += np.uint64(keep[np.uint64(own[j])] != 0)
        for j in sieved[:n]:
            cell = np.int64(own[np.uint64(j)])
            left = keep[np.uint64(cell)]
            if left == 0:
                continue  # this block has used up the share
            keep[np.uint64(cell)] = left - np.uint8(left != ALL)
            region = np.uint64(cell >> region_bits)
            to = np.uint64(heads[region])
            heads[region] += 1
            soon_written(marks, to + MARKS_A_LINE)
            marks[to] = cell << 32 | first + j


@kernel
def settle(points, edges, first, last, starts, marks, ys, xs, rows):
    """Put the kept points of regions ``first:last`` in the order of their cells, those of a cell in input order.

    Parameters
    ----------
    edges : ndarray of int64, one a region and one more
        First cell of each region, and the end.
    marks : ndarray of int64, shape (kept,)
        What :func:`collect` has noted.
    ys, xs : ndarray of float64, shape (kept,)
        Filled with the coordinates.
    rows : ndarray of int32, shape (kept,)
        Filled with the index in the input.
    """
    flat = points.reshape(-1)
    begins = starts[edges[first : last + 1]]
    for r in range(last - first):
        begin, end = begins[r], begins[r + 1]
        cells = edges[first + r]
        places = starts[cells : edges[first + r + 1]].copy()
        for k in range(np.uint64(begin), np.uint64(end)):
            later = marks[min(k + np.uint64(JUMPS_AHEAD), np.uint64(end - 1))]
            soon_read(flat, np.uint64(2 * (later & 0x7FFFFFFF)))
            about = np.uint64(places[np.uint64((later >> 32) - cells)])
            soon_written(ys, about)
            soon_written(xs, about)
            soon_written(rows, about)
            mark = marks[k]
            cell = np.uint64((mark >> 32) - cells)
            place = np.uint64(places[cell])
            places[cell] += 1
            row = np.uint64(mark & 0x7FFFFFFF)
            ys[place] = points[row, 0]
            xs[place] = points[row, 1]
            rows[place] = row
