"""Fifth stage: the kept points, brought together cell by cell.

In two steps, as a radix sort would: the points are read once, in their order, and the kept ones appended to the region
of their cell; then each region, small enough for the second-level cache, is put in the order of its cells.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.jit import kernel

ALL = 255  # in `keep`: every point of the cell
BLOCK = 1024  # points


@kernel
def share_places(counts, starts, first, last, keep, kept):
    """Say how many points each thread keeps of each of the cells ``first:last``, and how many it keeps of all of them.

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
    for cell in range(np.uint64(first), np.uint64(last)):
        left = starts[cell + np.uint64(1)] - starts[cell]
        total = np.int64(0)
        for t in range(len(counts)):
            total += counts[t, cell]
        whole = total == left
        for t in range(len(counts)):
            share = min(np.int64(counts[t, cell]), left)
            keep[t, cell] = ALL if whole and share > 0 else share
            kept[t] += share
            left -= share


@kernel
def collect(points, start, stop, cells, region_bits, keep, heads, ys, xs, marks):
    """Append the kept ones of points ``start:stop`` to their regions.

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
    ys, xs : ndarray of float64, shape (kept,)
        Filled with the coordinates, region by region.
    marks : ndarray of int64, shape (kept,)
        Filled with the cell, 32 bits up, and the index in the input.
    """
    sieved = np.empty(BLOCK, np.int64)
    for first in range(start, stop, BLOCK):
        own = cells[first : min(first + BLOCK, stop)]
        n = np.uint64(0)
        for j in range(len(own)):
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
            i = np.uint64(first + j)
            ys[to] = points[i, 0]
            xs[to] = points[i, 1]
            marks[to] = cell << 32 | np.int64(i)


@kernel
def settle(edges, first, last, starts, ys, xs, marks, rows):
    """Put the kept points of regions ``first:last`` in the order of their cells, those of a cell in input order.

    Parameters
    ----------
    edges : ndarray of int64, one a region and one more
        First cell of each region, and the end.
    ys, xs : ndarray of float64, shape (kept,)
        Coordinates; reordered within each region.
    rows : ndarray of int32, shape (kept,)
        Filled with the index in the input.
    """
    begins = starts[edges[first : last + 1]]
    most = 0
    for r in range(last - first):
        most = max(most, begins[r + 1] - begins[r])
    own_ys, own_xs = np.empty(most), np.empty(most)
    for r in range(last - first):
        begin, end = begins[r], begins[r + 1]
        own_ys[: end - begin] = ys[begin:end]
        own_xs[: end - begin] = xs[begin:end]
        cells = edges[first + r]
        places = starts[cells : edges[first + r + 1]].copy()
        for k in range(np.uint64(end - begin)):
            mark = marks[np.uint64(begin) + k]
            cell = np.uint64((mark >> 32) - cells)
            place = np.uint64(places[cell])
            places[cell] += 1
            ys[place] = own_ys[k]
            xs[place] = own_xs[k]
            rows[place] = mark & 0x7FFFFFFF
