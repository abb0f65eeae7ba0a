"""Fifth stage: the kept points, brought together cell by cell.

First only their numbers go to their places, then the coordinates follow in that order: reading from far apart in a
row keeps the memory busy, writing to far apart does not.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.jit import kernel


@kernel
def collect(start, stop, slots, pos, end, rows):
    """Write the numbers of the kept ones of points ``start:stop`` to the places of their cells, in input order.

    Parameters
    ----------
    pos, end : ndarray of int32, one a slot
        Next place and end of this thread's share of each cell; the place is -1 once the share is used up.
    rows : ndarray of int32
        Filled with the index of each kept point in the input.
    """
    for i in range(np.uint64(start), np.uint64(stop)):
        slot = np.uint64(slots[i])
        place = np.int64(pos[slot])
        if place >= 0:
            rows[np.uint64(place)] = i
            place += 1
            pos[slot] = place if place < end[slot] else -1


@kernel
def gather(points, rows, first, last, ys, xs):
    """Copy the coordinates of the kept points ``first:last`` as they came, not projected."""
    for place in range(first, last):
        i = np.uint64(rows[place])
        ys[place] = points[i, 0]
        xs[place] = points[i, 1]
