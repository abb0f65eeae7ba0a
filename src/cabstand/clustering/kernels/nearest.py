"""Nearest core points, by the tree of :mod:`cabstand.clustering.point_tree`, whose answers these are.

That module decides by NumPy's sines, which no other code computes to the last bit. So a point is answered here only if
rounding cannot matter: the core point found is surely within reach, and the others are surely further away or of the
same cluster. It is left to that module where it does, beside a pole and the antimeridian, and where eps is so large
that short series would not do.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from cabstand.clustering.kernels.jit import inlined, kernel
from cabstand.clustering.kernels.metric import RADIANS
from cabstand.clustering.kernels.threads import Array, slices

FAN = 4
DEEPEST = 64  # nodes that wait during a search, at most: three for each of the levels of a tree
SLICE = 1 << 18  # points that a call of the kernel answers at most
MOST_REACH = 0.18  # degrees: up to this the series below are exact to the last bits
MOST_LATITUDE = 80.0
SURELY = 1e-9  # relative difference of reduced distances from the reach that rounding cannot make
APART = 1e-12  # and from each other
SLACK = 1e-12  # degrees by which boxes may be too small
FOUND_NONE, ASK = -1, -2


class Tree(NamedTuple):
    """A PointTree as kernels take it: its nodes are numbered as those of a heap, the leaves last."""

    points: Array  # float64, shape (n, 2)
    tags: Array  # int32, shape (n,)
    starts: Array  # int64, shape (leaves + 1,)
    boxes: Array  # float64, shape (inner nodes, 16): low y of the 4 children, low x, high y, high x


class Search(NamedTuple):
    """What counts as near, in reduced distances (see `cabstand.clustering.metrics`), and when to be sure."""

    spherical: bool
    strict: bool  # whether the point found must be the only nearest one, not just its cluster
    degrees: float  # reach, in units of the plane on a plane
    sure: float  # reduced distance up to which points are within reach
    most: float  # and beyond which they are not


class Query(NamedTuple):
    """A point, and how far from it others may be."""

    y: float
    x: float
    cosine: float  # of its latitude
    sine: float
    high: float  # largest difference of the first coordinate, and of the second
    wide: float
    k: float  # least weight of the second in a reduced distance
    scale: float  # least reduced distance of 1 squared degree


@inlined
def _query(y, x, search):
    """Return the Query of a point; it reaches nowhere if it is beside a pole or the antimeridian."""
    if not search.spherical:
        return Query(y, x, 1.0, 0.0, search.degrees, search.degrees, 1.0, 1.0)
    far = abs(y) + search.degrees
    edge = math.cos(far * RADIANS)
    wide = search.degrees / edge * (1 + 1e-6) + SLACK
    if not (far <= MOST_LATITUDE and abs(x) + wide <= 180.0):
        return Query(y, x, 1.0, 0.0, -1.0, -1.0, 1.0, 1.0)
    half = 0.5 * RADIANS
    cosine = math.cos(y * RADIANS)
    scale = half * half * (1 - wide * wide * half * half)
    return Query(y, x, cosine, math.sin(y * RADIANS), search.degrees + SLACK, wide, cosine * edge, scale)


@inlined
def _reduced(query, y, x, spherical):
    """Return the reduced distance of a near point."""
    dy = y - query.y
    dx = x - query.x
    if not spherical:
        return dy * dy + dx * dx
    dy *= 0.5 * RADIANS
    dx *= 0.5 * RADIANS
    yy = dy * dy
    xx = dx * dx
    over_y = dy * (1 - yy / 6 * (1 - yy / 20 * (1 - yy / 42)))
    over_x = dx * (1 - xx / 6 * (1 - xx / 20 * (1 - xx / 42)))
    level = 1 - yy / 2 * (1 - yy / 12 * (1 - yy / 30))
    cosine = query.cosine * (1 - 2 * over_y * over_y) - query.sine * (2 * over_y * level)
    return over_y * over_y + query.cosine * cosine * over_x * over_x


@inlined
def _gap(low, high, at):
    """Return how far a coordinate is from a side of a box, at least."""
    below, above = low - at, at - high
    gap = (below if below > above else above) - SLACK
    return gap if gap > 0.0 else 0.0


@inlined
def _least(query, box, child):
    """Return a reduced distance that no point in the box of a child is nearer than."""
    dy = _gap(box[child], box[child + 8], query.y)
    dx = _gap(box[child + 4], box[child + 12], query.x)
    return (dy * dy + query.k * dx * dx) * query.scale


@inlined
def _push_children(query, boxes, node, limit, waiting, bounds, top):
    """Let the children of a node that may hold something nearer than `limit` wait, the nearest on top."""
    first = top
    for child in range(FAN):
        bound = _least(query, boxes[node], child)
        if bound <= limit:
            at = top
            while at > first and bounds[at - 1] < bound:
                bounds[at] = bounds[at - 1]
                waiting[at] = waiting[at - 1]
                at -= 1
            bounds[at] = bound
            waiting[at] = FAN * node + 1 + child
            top += 1
    return top


@inlined
def _search_leaf(query, tree, search, leaf, best, index, doubt):
    """Go on with a search in a leaf: return the least reduced distance, whose it is, and whether it is in doubt."""
    points, tags = tree.points, tree.tags
    for i in range(tree.starts[leaf], tree.starts[leaf + 1]):
        y, x = points[i, 0], points[i, 1]
        if abs(y - query.y) > query.high or abs(x - query.x) > query.wide:
            continue
        reduced = _reduced(query, y, x, search.spherical)
        if reduced > best * (1 + APART):
            continue
        if index < 0 or reduced < best * (1 - APART):
            doubt = False
        elif search.strict or tags[i] != tags[index]:
            doubt = True
        if index < 0 or reduced < best:
            best, index = reduced, i
    return best, index, doubt


@kernel
def find_nearest(queries, tree, search, found, waiting, bounds):
    """Fill `found` (int64) with the nearest core point of each query, FOUND_NONE, or ASK; all queries are finite.

    `waiting` (int64, shape (DEEPEST,)) and `bounds` (float64) are only room to work in.
    """
    n_inner = len(tree.boxes)
    for q in range(len(queries)):
        query = _query(queries[q, 0], queries[q, 1], search)
        if query.high < 0:
            far = search.spherical and abs(query.y) > 90.0
            found[q] = FOUND_NONE if far else ASK
            continue
        best, index, doubt = search.most * (1 + SURELY), np.int64(-1), False
        waiting[0], bounds[0], top = 0, 0.0, 1
        while top > 0:
            top -= 1
            node = waiting[top]
            if bounds[top] > best * (1 + APART):
                continue
            if node >= n_inner:
                best, index, doubt = _search_leaf(query, tree, search, node - n_inner, best, index, doubt)
            else:
                top = _push_children(query, tree.boxes, node, best * (1 + APART), waiting, bounds, top)
        if index >= 0 and (doubt or best > search.sure * (1 - SURELY)):
            index = np.int64(ASK)
        found[q] = index


def run(queries: Array, tree: Tree, search: Search) -> Any:
    """Return what :func:`find_nearest` finds."""
    found, waiting, bounds = np.empty(len(queries), np.int64), np.empty(DEEPEST, np.int64), np.empty(DEEPEST)
    for a, b in slices(0, len(queries), SLICE):
        find_nearest(queries[a:b], tree, search, found[a:b], waiting, bounds)
    return found
