"""Fifth stage: the kept points, brought together cell by cell."""

from __future__ import annotations

from cabstand.clustering.kernels.jit import kernel


@kernel
def scatter(points, start, stop, slots, pos, end, ys, xs, rows):
    """Copy the kept ones of points ``start:stop`` to the places of their cells, in input order.

    Parameters
    ----------
    pos, end : ndarray of int32, one a slot
        Next place and end of this thread's share of each cell; -1 when it is used up.
    ys, xs : ndarray of float64
        Filled with the coordinates as they came, not projected.
    rows : ndarray of int32
        Filled with the index of each kept point in the input.
    """
    for i in range(start, stop):
        slot = slots[i]
        place = pos[slot]
        if place >= 0:
            ys[place] = points[i, 0]
            xs[place] = points[i, 1]
            rows[place] = i
            place += 1
            pos[slot] = place if place < end[slot] else -1
