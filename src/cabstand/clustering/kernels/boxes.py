"""Bounding boxes of points, and the quick squared distances between two of them (see :mod:`.metric`).

A box is the least and largest ``y``, then ``x``.
"""

from __future__ import annotations

from cabstand.clustering.kernels.instructions import larger, smaller
from cabstand.clustering.kernels.jit import inlined, part


@part
def box_of(ys, xs, start, stop):
    """Return the bounding box of the points ``start:stop``, of which there is one at least."""
    y0 = y1 = ys[start]
    x0 = x1 = xs[start]
    for i in range(start + 1, stop):
        y0 = smaller(y0, ys[i])
        y1 = larger(y1, ys[i])
        x0 = smaller(x0, xs[i])
        x1 = larger(x1, xs[i])
    return y0, y1, x0, x1


@inlined
def squared_gaps(box_a, box_b, shift, k):
    """Return the smallest and largest quick squared distance between two boxes."""
    y0 = box_b[0] - box_a[1]
    y1 = box_a[0] - box_b[1]
    x0 = box_b[2] - box_a[3] - shift
    x1 = box_a[2] + shift - box_b[3]
    dy = larger(larger(0.0, y0), y1)
    dx = larger(larger(0.0, x0), x1)
    far_y = larger(box_b[1] - box_a[0], box_a[1] - box_b[0])
    far_x = larger(box_b[3] - box_a[2] - shift, box_a[3] + shift - box_b[2])
    return dy * dy + k * dx * dx, far_y * far_y + k * far_x * far_x
