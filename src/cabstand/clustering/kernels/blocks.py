"""Blocks: the gathered points once more, those of full cells cut into small pieces of ground.

Two pieces of ground are mostly near each other as a whole, or far: what is between the corners of their boxes decides,
and only where the circle of eps crosses a piece are its points compared one by one. Subtraction and multiplication
round monotonically, so that no quick distance of two points is beyond those of the corners, to the last bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels.gather import Gathered
from cabstand.clustering.kernels.instructions import larger, scratch, smaller
from cabstand.clustering.kernels.jit import inlined, kernel, part
from cabstand.clustering.kernels.threads import Array, Workers

LEAST_POINTS = 16  # of a block, on average
MOST_SIDE = 16  # blocks along a side of a cell
N_EDGES = MOST_SIDE * MOST_SIDE + 1  # of the blocks of a cell
MOST_OPEN = 1024  # spans of blocks that the circles around the points of one block may cross; MOST_SPANS at least


class Blocks(NamedTuple):
    """Points block by block within each cell, so that a cell has the same places as in Gathered."""

    keys: Array  # int64, shape (cells,)
    starts: Array  # int64, shape (cells + 1,): first point of each cell, and the end
    first: Array  # int64, shape (cells + 1,): first block of each cell, and the end
    edges: Array  # int64, shape (blocks + 1,): first point of each block, and the end
    boxes: Array  # float64, shape (blocks, 4): least and largest `y`, then `x`; of no points if a block is empty
    ys: Array
    xs: Array
    places: Array  # int32: where each point is among the gathered ones


@part
def _fill_box(ys, xs, first, last, box):
    box[0] = box[2] = np.inf
    box[1] = box[3] = -np.inf
    for p in range(first, last):
        box[0] = smaller(box[0], ys[p])
        box[1] = larger(box[1], ys[p])
        box[2] = smaller(box[2], xs[p])
        box[3] = larger(box[3], xs[p])


@inlined
def _piece(y, x, box, side):
    """Return the number of the piece of a box that a point is in, row by row."""
    row = np.int64((y - box[0]) / (box[1] - box[0]) * side) if box[1] > box[0] else 0
    column = np.int64((x - box[2]) / (box[3] - box[2]) * side) if box[3] > box[2] else 0
    return smaller(row, side - 1) * side + smaller(column, side - 1)


@kernel
def fill_blocks(ys, xs, sides, blocks, first_cell, last_cell):
    """Sort the points of some cells into their blocks: `sides` squared in each cell. Fill the blocks' boxes."""
    _, starts, first, edges, boxes, own_ys, own_xs, places = blocks
    heads, box = scratch(1, N_EDGES, np.int64)[0], scratch(1, 4, np.float64)[0]
    for cell in range(first_cell, last_cell):
        a, b, side, block = starts[cell], starts[cell + 1], sides[cell], first[cell]
        _fill_box(ys, xs, a, b, box)
        for i in range(side * side + 1):
            heads[i] = 0
        for p in range(a, b):
            heads[_piece(ys[p], xs[p], box, side) + 1] += 1
        heads[0] = a
        for i in range(side * side):
            heads[i + 1] += heads[i]
            edges[block + i] = heads[i]
        for p in range(a, b):
            piece = _piece(ys[p], xs[p], box, side)
            to = heads[piece]
            heads[piece] += 1
            own_ys[to] = ys[p]
            own_xs[to] = xs[p]
            places[to] = p
        for i in range(side * side):
            _fill_box(own_ys, own_xs, edges[block + i], heads[i], boxes[block + i])


@inlined
def _nearest(low, high, other_low, other_high):
    """Return the least distance along an axis between two stretches of it."""
    return larger(larger(other_low - high, low - other_high), 0.0)


@inlined
def _furthest(low, high, other_low, other_high):
    return larger(other_high - low, high - other_low)


@part
def open_spans(blocks, block, neighbours, i, metric, spans):
    """Find what a block of cell `i` of these is near to as a whole, and what is neither near nor far.

    Return how many points of other cells are near, -1 without room for all spans, and how many blocks were looked at.
    `spans` is filled as by :func:`.neighbour_cells.set_spans`, with what is open.
    """
    cells, runs, shifts = neighbours
    _, _, first, edges, boxes, _, _, _ = blocks
    south, north, west, east = boxes[block, 0], boxes[block, 1], boxes[block, 2], boxes[block, 3]
    near = total = n = tested = np.int64(0)
    for s in range(len(shifts)):
        shift = shifts[s]
        tested += first[np.uint64(runs[i, s, 1])] - first[np.uint64(runs[i, s, 0])]
        end = np.int64(-1)  # of the last span, which the next block may continue
        for other in range(first[np.uint64(runs[i, s, 0])], first[np.uint64(runs[i, s, 1])]):
            if first[cells[i]] <= other < first[cells[i] + 1] or edges[other] == edges[other + 1]:
                continue
            box = boxes[np.uint64(other)]
            dy = _nearest(south, north, box[0], box[1])
            dx = _nearest(west + shift, east + shift, box[2], box[3])
            if dy * dy + metric.k * dx * dx > metric.above:
                continue
            size = edges[other + 1] - edges[other]
            dy = _furthest(south, north, box[0], box[1])
            dx = _furthest(west + shift, east + shift, box[2], box[3])
            if dy * dy + metric.k * dx * dx <= metric.below:
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


def run(keys: Array, gathered: Gathered, workers: Workers) -> Blocks:
    """Cut the cells of gathered points, which have these keys, into blocks."""
    starts, ys, xs, _ = gathered
    sides = np.clip(np.sqrt(np.diff(starts) / LEAST_POINTS).astype(np.int64), 1, MOST_SIDE)
    first = np.zeros(len(sides) + 1, np.int64)
    np.cumsum(sides * sides, out=first[1:])
    n, n_blocks = len(ys), int(first[-1])
    edges = np.full(n_blocks + 1, n, np.int64)
    blocks = Blocks(
        keys, starts, first, edges, np.empty((n_blocks, 4)), np.empty(n), np.empty(n), np.empty(n, np.int32)
    )
    stripes = workers.stripes(len(sides))
    workers.run(fill_blocks, [(ys, xs, sides, blocks, a, b) for a, b in stripes])
    return blocks
