"""What the trees of cells answer: how much is within eps of a point, and whether two cells have points within eps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels.instructions import larger, scratch
from cabstand.clustering.kernels.jit import inlined, kernel, part
from cabstand.clustering.kernels.metric import Centre, exactly_near
from cabstand.clustering.kernels.threads import Array
from cabstand.clustering.kernels.trees import LEAF

STEPS = 1 << 22  # nodes and points that a call of a kernel goes through at most
FAR_APART, NEAR, PAUSED = 0, 1, 2


class Query(NamedTuple):
    """A point whose surroundings are searched: its coordinates, and its position in space."""

    y: float
    x: float
    a: float
    b: float
    c: float


class Masses(NamedTuple):
    """Weights: of points, as they were before they were put in the order of the trees, and of all points of nodes."""

    own: Array
    nodes: Array


@kernel
def weigh(trees, cells, masses):
    """Fill the weights of all nodes of the trees of cells."""
    starts, sizes, roots, _, _, _, order = trees
    own, nodes = masses
    stack = scratch(64, 3, np.int64)
    for cell in cells:
        stack[0] = (0, starts[cell], starts[cell] + sizes[cell])
        top = 1
        while top > 0:
            top -= 1
            node, start, stop = stack[top]
            total = 0.0
            for i in range(start, stop):
                total += own[order[i]]
            nodes[roots[cell] + node] = total
            if stop - start > LEAF:
                middle = (start + stop) >> 1
                stack[top] = (2 * node + 1, start, middle)
                stack[top + 1] = (2 * node + 2, middle, stop)
                top += 2


@inlined
def _gaps(box, query):
    """Smallest and largest squared distance of a point from a box."""
    nearest = farthest = 0.0
    for axis in range(3):
        q = query[axis + 2]
        low = box[axis] - q
        high = q - box[axis + 3]
        gap = larger(larger(0.0, low), high)
        far = larger(-low, -high)
        nearest += gap * gap
        farthest += far * far
    return nearest, farthest


@inlined
def _is_within(positions, trees, query, i, reach):
    """Tell whether point `i` of the trees is within reach of a point."""
    space = trees.space
    a = space[i, 0] - query.a
    b = space[i, 1] - query.b
    c = space[i, 2] - query.c
    d = a * a + b * b + c * c
    if d <= reach.below:
        return True
    if d > reach.above:
        return False
    source = trees.order[i]
    return exactly_near(Centre(query.y, query.x, 0.0), positions[0][source], positions[1][source], reach.sin2)


@part
def mass_within(positions, trees, masses, cell, query, reach, enough, stack):
    """Sum what is within reach of a point in the tree of a cell, until it is `enough`; return also the steps it took.

    Without weights (`masses` are empty) points are counted. `positions` are the two arrays that the trees were built
    from; `stack` (int64, shape (64, 3)) is only room to work in.
    """
    weighted = len(masses.own) > 0
    root = trees.roots[cell]
    stack[0] = (0, trees.starts[cell], trees.starts[cell] + trees.sizes[cell])
    top, total, steps = 1, 0.0, 0
    while top > 0 and total < enough:
        top -= 1
        node, start, stop = stack[top]
        steps += 1
        nearest, farthest = _gaps(trees.boxes[root + node], query)
        if nearest > reach.above:
            continue
        if farthest <= reach.below or (trees.alike[root + node] and _is_within(positions, trees, query, start, reach)):
            total += masses.nodes[root + node] if weighted else np.float64(stop - start)
        elif trees.alike[root + node]:
            continue
        elif stop - start <= LEAF:
            steps += stop - start
            for i in range(start, stop):
                if _is_within(positions, trees, query, i, reach):
                    total += masses.own[trees.order[i]] if weighted else 1.0
        else:
            middle = (start + stop) >> 1
            stack[top] = (2 * node + 2, middle, stop)
            stack[top + 1] = (2 * node + 1, start, middle)
            top += 2
    return total, steps


@inlined
def _box_gaps(box, other):
    """Smallest and largest squared distance between the points of two boxes."""
    nearest = farthest = 0.0
    for axis in range(3):
        above = other[axis] - box[axis + 3]
        below = box[axis] - other[axis + 3]
        gap = larger(larger(0.0, above), below)
        far = larger(other[axis + 3] - box[axis], box[axis + 3] - other[axis])
        nearest += gap * gap
        farthest += far * far
    return nearest, farthest


@part
def _leaves_near(positions, trees, ranges, reach):
    """Compare all points of two leaves."""
    _, a0, a1, _, b0, b1 = ranges
    ys, xs = positions
    space, order = trees.space, trees.order
    for i in range(a0, a1):
        query = Query(ys[order[i]], xs[order[i]], space[i, 0], space[i, 1], space[i, 2])
        for j in range(b0, b1):
            if _is_within(positions, trees, query, j, reach):
                return True
    return False


@inlined
def _push_halves(stack, top, pair):
    """Push the two pairs that halving the larger node of a pair makes; return the new top."""
    node_a, a0, a1, node_b, b0, b1 = pair
    if a1 - a0 >= b1 - b0:
        middle = (a0 + a1) >> 1
        stack[top] = (2 * node_a + 1, a0, middle, node_b, b0, b1)
        stack[top + 1] = (2 * node_a + 2, middle, a1, node_b, b0, b1)
    else:
        middle = (b0 + b1) >> 1
        stack[top] = (node_a, a0, a1, 2 * node_b + 1, b0, middle)
        stack[top + 1] = (node_a, a0, a1, 2 * node_b + 2, middle, b1)
    return top + 2


@part
def trees_near(positions, trees, cells, reach, stack, top):
    """Tell whether points of two cells are within reach: FAR_APART, NEAR, or PAUSED after many steps; and the new top.

    `stack` (int64, shape (128, 6)) are pairs of nodes to look at, each with its first point and end; `top` is how many
    they are, 0 to begin with the roots.
    """
    a, b = cells
    starts, sizes, roots, boxes = trees.starts, trees.sizes, trees.roots, trees.boxes
    if top == 0:
        stack[0] = (0, starts[a], starts[a] + sizes[a], 0, starts[b], starts[b] + sizes[b])
        top = 1
    for _ in range(STEPS >> 8):
        if top == 0:
            return FAR_APART, top
        top -= 1
        node_a, a0, a1, node_b, b0, b1 = stack[top]
        if trees.alike[roots[a] + node_a]:
            a1 = a0 + 1
        if trees.alike[roots[b] + node_b]:
            b1 = b0 + 1
        nearest, farthest = _box_gaps(boxes[roots[a] + node_a], boxes[roots[b] + node_b])
        if nearest > reach.above:
            continue
        if farthest <= reach.below:
            return NEAR, 0
        if a1 - a0 <= LEAF and b1 - b0 <= LEAF:
            if _leaves_near(positions, trees, (node_a, a0, a1, node_b, b0, b1), reach):
                return NEAR, 0
        else:
            top = _push_halves(stack, top, (node_a, a0, a1, node_b, b0, b1))
    return PAUSED, top
