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
def collect(points, start, stop, cells, region_bits, keep, heads, staged, marks):
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
    staged : ndarray of float64, shape (kept, 2)
        Filled with coordinates as they came, not projected.
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
            staged[to, 0] = points[i, 0]
            staged[to, 1] = points[i, 1]
            marks[to] = cell << 32 | np.int64(i)


@kernel
def settle(first, last, starts, staged, marks, ys, xs, rows):
    """Put the kept points of the cells ``first:last`` in the order of the cells, those of a cell in input order.

    Parameters
    ----------
    ys, xs : ndarray of float64, shape (kept,)
        Coordinates.
    rows : ndarray of int32, shape (kept,)
        Index in the input.
    """
    places = starts[first:last].copy()
    for k in range(np.uint64(starts[first]), np.uint64(starts[last])):
        cell = np.uint64((marks[k] >> 32) - first)
        place = np.uint64(places[cell])
        places[cell] += 1
        ys[place] = staged[k, 0]
        xs[place] = staged[k, 1]
        rows[place] = marks[k] & 0x7FFFFFFF
