"""Fifth stage: the kept points, brought together cell by cell.

First only their numbers go to their places, then the coordinates follow in that order: reading from far apart in a
row keeps the memory busy, writing to far apart does not.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.cells import DONE, SAMPLED
from cabstand.clustering.kernels.jit import kernel

BLOCK = 1024  # points


@kernel
def collect(start, stop, cells, pos, end, rows):
    """Write the numbers of the kept ones of points ``start:stop`` to the places of their cells, in input order.

    Most points are not kept, and which are cannot be guessed: a block is sieved without asking, then written.

    Parameters
    ----------
    cells : ndarray of int32, one a point
    pos, end : ndarray of int32, one a cell
        Next place and end of this thread's share of each cell, as :func:`cabstand.clustering.kernels.cells.take_places`
        writes them; what is used up becomes DONE.
    rows : ndarray of int32
        Filled with the index of each kept point in the input.
    """
    sieved = np.empty(BLOCK, np.int64)
    for first in range(start, stop, BLOCK):
        own = cells[first : min(first + BLOCK, stop)]
        n = np.uint64(0)
        for j in range(len(own)):
            sieved[n] = j
            n += np.uint64(pos[np.uint64(own[j])] != DONE)
        for j in sieved[:n]:
            cell = np.uint64(own[np.uint64(j)])
            place = np.int64(pos[cell])
            if place >= 0:
                rows[np.uint64(place)] = first + j
                pos[cell] = place + 1
            elif place != DONE:  # else this block has used up the share
                place = SAMPLED - place
                rows[np.uint64(place)] = first + j
                place += 1
                pos[cell] = SAMPLED - place if place < end[cell] else DONE


@kernel
def gather(points, rows, first, last, ys, xs):
    """Copy the coordinates of the kept points ``first:last`` as they came, not projected."""
    for place in range(first, last):
        i = np.uint64(rows[place])
        ys[place] = points[i, 0]
        xs[place] = points[i, 1]
