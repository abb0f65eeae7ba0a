"""Trees over the points of cells, for neighbourhoods that hold many points of few cells.

Points are in space (on the unit sphere, or on the plane) and the points of a cell are halved at the median of their
longest side until a few are left, so that a node is a stretch of them and needs only its box. A box that is within eps
of a point counts as a whole, one that is out of reach is skipped; only what is on the edge is compared. That is as true
beside a pole and for an eps of half the Earth as anywhere, where a plane is no guide.

Bentley: Multidimensional binary search trees, CACM 1975.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels.grid import Grid
from cabstand.clustering.kernels.instructions import larger, smaller
from cabstand.clustering.kernels.jit import inlined, kernel, part
from cabstand.clustering.kernels.metric import RADIANS
from cabstand.clustering.kernels.threads import SLICE, Array, Workers, sliced

LEAF = 16  # points of a leaf at most
DEEPEST = 64  # nodes that wait while a tree is built or gone through depth first, at most


class Trees(NamedTuple):
    """The trees of some cells; node k of a cell has the children 2k + 1 and 2k + 2, each half of its points."""

    starts: Array  # int64, shape (cells,): first point of each cell's tree
    sizes: Array  # int32, shape (cells,): points in it; 0 where there is no tree
    roots: Array  # int64, shape (cells,)
    boxes: Array  # float64, shape (nodes, 6): lowest corner, highest corner
    alike: Array  # bool, shape (nodes,): whether all points of a node have the same coordinates
    space: Array  # float64, shape (points, 3)
    order: Array  # int64, shape (points,): index into the arrays of coordinates that the trees were built from


class Reach(NamedTuple):
    """Squared straight distances up to which points are near and beyond which they are not, as in Metric."""

    below: float
    above: float
    sin2: float


def reach_of(grid: Grid) -> Reach:
    """Return the Reach of eps in space."""
    if not grid.spherical:
        return Reach(grid.eps2, grid.eps2, grid.sin2)
    guard = 4 * grid.rounding + 1e-12  # rounding of coordinates in space, and of the arithmetic
    return Reach(4 * grid.sin2 * (1 - guard), 4 * grid.sin2 * (1 + guard), grid.sin2)


@inlined
def in_space(spherical, y, x):
    """Return the position of a point in space."""
    if not spherical:
        return y, x, 0.0
    flat = math.cos(y * RADIANS)
    return math.sin(y * RADIANS), flat * math.cos(x * RADIANS), flat * math.sin(x * RADIANS)


@kernel
def place(spherical, ys, xs, firsts, cells, trees):
    """Place the points of cells in space; the points of a cell are side by side in `ys` and `xs` from `firsts` on."""
    starts, sizes, _, _, _, space, order = trees
    for cell in cells:
        for i in range(sizes[cell]):
            source, to = firsts[cell] + i, starts[cell] + i
            a, b, c = in_space(spherical, ys[source], xs[source])
            space[to, 0] = a
            space[to, 1] = b
            space[to, 2] = c
            order[to] = source


@part
def _swap(space, order, i, j):
    order[i], order[j] = order[j], order[i]
    for axis in range(3):
        space[i, axis], space[j, axis] = space[j, axis], space[i, axis]


@part
def _halve(space, order, axis, start, stop):
    """Reorder ``start:stop`` so that the median along an axis is in the middle; return the middle."""
    middle = (start + stop) >> 1
    low, high = start, stop - 1
    while low < high:
        pivot = space[(low + high) >> 1, axis]
        i, j = low, high
        while i <= j:
            while space[i, axis] < pivot:
                i += 1
            while space[j, axis] > pivot:
                j -= 1
            if i <= j:
                _swap(space, order, i, j)
                i += 1
                j -= 1
        if j < middle:
            low = i
        if middle < i:
            high = j
    return middle


@part
def _set_box(space, start, stop, box):
    """Fill the box of ``start:stop``; return its longest axis."""
    longest, length = 0, -1.0
    for axis in range(3):
        low = high = space[start, axis]
        for i in range(start + 1, stop):
            low = smaller(low, space[i, axis])
            high = larger(high, space[i, axis])
        box[axis] = low
        box[axis + 3] = high
        if high - low > length:
            longest, length = axis, high - low
    return longest


@part
def _are_alike(positions, order, start, stop):
    """Tell whether the points ``start:stop`` have the same coordinates."""
    ys, xs = positions
    for i in range(start + 1, stop):
        if ys[order[i]] != ys[order[start]] or xs[order[i]] != xs[order[start]]:
            return False
    return True


@kernel
def grow(positions, cells, trees, stack, at):
    """Build the trees of cells, a slice of the work at a time; return whether there is more.

    `stack` (int64, shape (DEEPEST, 3)) are nodes to build: number, first point, end. See :func:`.threads.sliced`.
    """
    starts, sizes, roots, boxes, alike, space, order = trees
    work = 0
    while work < SLICE:
        if at[1] == 0:  # the tree is complete
            if at[0] == len(cells):
                return False
            cell = cells[at[0]]
            at[0] += 1
            at[1] = 1
            at[2] = roots[cell]
            stack[0] = (0, starts[cell], starts[cell] + sizes[cell])
        at[1] -= 1
        node, start, stop = stack[at[1]]
        work += stop - start
        box = boxes[at[2] + node]
        axis = _set_box(space, start, stop, box)
        alike[at[2] + node] = box[axis] == box[axis + 3] and _are_alike(positions, order, start, stop)
        if stop - start > LEAF:
            middle = _halve(space, order, axis, start, stop)
            stack[at[1]] = (2 * node + 1, start, middle)
            stack[at[1] + 1] = (2 * node + 2, middle, stop)
            at[1] += 2
    return True


def _grow(positions: tuple[Array, Array], cells: Array, trees: Trees) -> None:
    sliced(grow)(positions, cells, trees, np.empty((DEEPEST, 3), np.int64))


def build(grid: Grid, positions: tuple[Array, Array], firsts: Array, sizes: Array, workers: Workers) -> Trees:
    """Build a tree over the points of each cell that has any.

    Parameters
    ----------
    positions : tuple of ndarray of float64
        First and second coordinates.
    firsts, sizes : ndarray of int, shape (cells,)
        First point of each cell there, and how many of its points go into its tree.
    """
    wanted = np.flatnonzero(sizes)
    lengths = sizes.astype(np.int64)
    # Of each tree all leaves are equally deep, so that halving down to LEAF never leads beyond its nodes.
    depth = np.ceil(np.log2(np.maximum(-(-lengths // LEAF), 1))).astype(np.int64)
    nodes = np.where(lengths > 0, (2 << depth) - 1, 0)
    n = int(lengths.sum())
    trees = Trees(
        starts=np.cumsum(lengths) - lengths,
        sizes=sizes,
        roots=np.cumsum(nodes) - nodes,
        boxes=np.empty((int(nodes.sum()), 6)),
        alike=np.empty(int(nodes.sum()), np.bool_),
        space=np.empty((n, 3)),
        order=np.empty(n, np.int64),
    )
    # A few cells hold most of the points: large and small ones in turn make even stripes.
    wanted = wanted[np.argsort(lengths[wanted])]
    # Copies, because numba compiles a kernel once more for arrays that are not contiguous.
    parts = [wanted[i :: workers.n_stripes].copy() for i in range(workers.n_stripes)]
    workers.run(place, [(grid.spherical, *positions, firsts, part, trees) for part in parts])
    workers.run(_grow, [(positions, part, trees) for part in parts])
    return trees
