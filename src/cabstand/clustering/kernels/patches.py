"""Patches: the gathered points once more, those of full cells cut into small pieces of ground.

Two pieces of ground are mostly near each other as a whole, or far: what is between the corners of their boxes decides,
and only where the circle of eps crosses a piece are its points compared one by one. Subtraction and multiplication
round monotonically, so that no quick distance of two points is beyond those of the corners; what rounding there is
across the antimeridian, the guard of the metric covers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels.boxes import box_of, squared_gaps
from cabstand.clustering.kernels.gather import Gathered
from cabstand.clustering.kernels.instructions import scratch, smaller
from cabstand.clustering.kernels.jit import inlined, kernel, part
from cabstand.clustering.kernels.threads import Array, Workers

LEAST_POINTS = 16  # of a patch, on average
MOST_SIDE = 16  # patches along a side of a cell
N_EDGES = MOST_SIDE * MOST_SIDE + 1  # of the patches of a cell
MOST_OPEN = 1024  # spans of patches that the circles around the points of one patch may cross; MOST_SPANS at least


class Patches(NamedTuple):
    """Points patch by patch within each cell, so that a cell has the same places as in Gathered."""

    keys: Array  # int64, shape (cells,)
    starts: Array  # int64, shape (cells + 1,): first point of each cell, and the end
    first: Array  # int64, shape (cells + 1,): first patch of each cell, and the end
    edges: Array  # int64, shape (patches + 1,): first point of each patch, and the end
    boxes: Array  # float64, shape (patches, 4): see :mod:`.boxes`; not filled if a patch is empty
    ys: Array
    xs: Array
    places: Array  # int32: where each point is among the gathered ones


@inlined
def _piece(y, x, box, side):
    """Return the number of the piece of a box that a point is in, row by row."""
    row = np.int64((y - box[0]) / (box[1] - box[0]) * side) if box[1] > box[0] else 0
    column = np.int64((x - box[2]) / (box[3] - box[2]) * side) if box[3] > box[2] else 0
    return smaller(row, side - 1) * side + smaller(column, side - 1)


@kernel
def fill_patches(ys, xs, sides, patches, first_cell, last_cell):
    """Sort the points of some cells into their patches: `sides` squared in each cell. Fill the patches' boxes."""
    _, starts, first, edges, boxes, own_ys, own_xs, places = patches
    heads = scratch(1, N_EDGES, np.int64)[0]
    for cell in range(first_cell, last_cell):
        a, b, side, patch = starts[cell], starts[cell + 1], sides[cell], first[cell]
        box = box_of(ys, xs, a, b)
        for i in range(side * side + 1):
            heads[i] = 0
        for p in range(a, b):
            heads[_piece(ys[p], xs[p], box, side) + 1] += 1
        heads[0] = a
        for i in range(side * side):
            heads[i + 1] += heads[i]
            edges[patch + i] = heads[i]
        for p in range(a, b):
            piece = _piece(ys[p], xs[p], box, side)
            to = heads[piece]
            heads[piece] += 1
            own_ys[to] = ys[p]
            own_xs[to] = xs[p]
            places[to] = p
        for i in range(side * side):
            if edges[patch + i] < heads[i]:
                boxes[patch + i] = box_of(own_ys, own_xs, edges[patch + i], heads[i])


@part
def open_spans(patches, patch, neighbours, i, metric, spans):
    """Find what a patch of cell `i` of these is near to as a whole, and what is neither near nor far.

    Return how many points of other cells are near, -1 without room for all spans, and how many patches were looked at.
    `spans` is filled as by :func:`.neighbour_cells.set_spans`, with what is open.
    """
    cells, runs, shifts = neighbours
    _, _, first, edges, boxes, _, _, _ = patches
    box = boxes[patch]
    near = total = n = tested = np.int64(0)
    for s in range(len(shifts)):
        shift = shifts[s]
        tested += first[np.uint64(runs[i, s, 1])] - first[np.uint64(runs[i, s, 0])]
        end = np.int64(-1)  # of the last span, which the next patch may continue
        for other in range(first[np.uint64(runs[i, s, 0])], first[np.uint64(runs[i, s, 1])]):
            size = edges[other + 1] - edges[other]
            if size == 0 or first[cells[i]] <= other < first[cells[i] + 1]:
                continue
            nearest, farthest = squared_gaps(box, boxes[np.uint64(other)], shift, metric.k)
            if nearest > metric.above:
                continue
            if farthest <= metric.below:
                near += size
                continue
            total += size
            if edges[other] != end:
                if n + 1 == len(spans):
                    return np.int64(-1), tested
                spans[n, 0] = edges[other]
                spans[n, 2] = np.int64(shift)
                n += 1
            end = edges[other + 1]
            spans[n - 1, 1] = end
    for k in range(n):
        spans[k, 3] = total
        total -= spans[k, 1] - spans[k, 0]
    spans[n, 3] = 0
    return near, tested


def run(keys: Array, gathered: Gathered, workers: Workers) -> Patches:
    """Cut the cells of gathered points, which have these keys, into patches."""
    starts, ys, xs, _ = gathered
    sides = np.clip(np.sqrt(np.diff(starts) / LEAST_POINTS).astype(np.int64), 1, MOST_SIDE)
    first = np.zeros(len(sides) + 1, np.int64)
    np.cumsum(sides * sides, out=first[1:])
    n, n_patches = len(ys), int(first[-1])
    edges = np.full(n_patches + 1, n, np.int64)
    patches = Patches(
        keys, starts, first, edges, np.empty((n_patches, 4)), np.empty(n), np.empty(n), np.empty(n, np.int32)
    )
    stripes = workers.stripes(len(sides))
    workers.run(fill_patches, [(ys, xs, sides, patches, a, b) for a, b in stripes])
    return patches
