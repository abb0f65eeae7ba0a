"""Decides whether the core points of two cells that samples could not join are within eps of each other.

Both sets are halved at the median of their longer side, over and over, and pairs of halves whose boxes are too far
apart (or surely near) are dropped (or decide): near-linear also for dense clumps whose edges are just over eps apart,
where comparing all with all would be quadratic. Where the plane is no guide, trees in space do the same.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels import gather, trees
from cabstand.clustering.kernels.boxes import box_of, squared_gaps
from cabstand.clustering.kernels.core import CellPoints
from cabstand.clustering.kernels.gather import Located
from cabstand.clustering.kernels.grid import Grid
from cabstand.clustering.kernels.jit import kernel, part
from cabstand.clustering.kernels.metric import Centre, any_near, row_metric
from cabstand.clustering.kernels.threads import SLICE, Array, Workers, sliced
from cabstand.clustering.kernels.union_find import find, unite
from cabstand.clustering.kernels.within import FAR_APART, NEAR, PAUSED, trees_near

SMALL = 512  # compare all with all below so many pairs
VAGUE = 1.002  # quotient of the squared distances between which a pair is in doubt


@part
def _halve(keys, others, start, stop):
    """Reorder ``start:stop`` of both arrays so that the median of `keys` is in the middle; return the middle."""
    middle = (start + stop) >> 1
    low = start
    high = stop - 1
    while low < high:
        pivot = keys[(low + high) >> 1]
        i = low
        j = high
        while i <= j:
            while keys[i] < pivot:
                i += 1
            while keys[j] > pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                others[i], others[j] = others[j], others[i]
                i += 1
                j -= 1
        if j < middle:
            low = i
        if middle < i:
            high = j
    return middle


@part
def sets_near(ys, xs, shift, metric, stack, top):
    """Tell whether points of two sets are within eps: FAR_APART, NEAR, or PAUSED after much work; and the new `top`.

    `stack` (int64, shape (256, 4)) are `top` pairs of subsets to look at, first and end of each; both are reordered.
    """
    work = 0
    while top > 0 and work < SLICE:
        top -= 1
        a0, a1, b0, b1 = stack[top]
        work += a1 - a0 + b1 - b0 + SMALL
        box_a = box_of(ys, xs, a0, a1)
        box_b = box_of(ys, xs, b0, b1)
        nearest, farthest = squared_gaps(box_a, box_b, shift, metric.k)
        if nearest > metric.above:
            continue
        if farthest <= metric.below:
            return NEAR, 0
        if box_a[0] == box_a[1] and box_a[2] == box_a[3]:
            a1 = a0 + 1  # all alike
        if box_b[0] == box_b[1] and box_b[2] == box_b[3]:
            b1 = b0 + 1
        if (a1 - a0) * (b1 - b0) <= SMALL:
            for p in range(a0, a1):
                if any_near(ys, xs, b0, b1, Centre(ys[p], xs[p], shift), metric):
                    return NEAR, 0
            continue
        split_a = a1 - a0 >= b1 - b0
        y0, y1, x0, x1 = box_a if split_a else box_b
        start = a0 if split_a else b0
        stop = a1 if split_a else b1
        tall = (y1 - y0) * (y1 - y0) >= metric.k * (x1 - x0) * (x1 - x0)
        middle = _halve(ys, xs, start, stop) if tall else _halve(xs, ys, start, stop)
        if split_a:
            stack[top] = (a0, middle, b0, b1)
            stack[top + 1] = (middle, a1, b0, b1)
        else:
            stack[top] = (a0, a1, b0, middle)
            stack[top + 1] = (a0, a1, middle, b1)
        top += 2
    return FAR_APART if top == 0 else PAUSED, top


@kernel
def close_pairs(grid, points, pairs, parent, stack, at):
    """Join every pair of cells (int32, shape (pairs, 2)) that has core points within eps of each other.

    `points` (CellPoints) are all core points of these cells; they are reordered within each cell. Return whether there
    is more to do; see :func:`.threads.sliced`.
    """
    keys, n_core, starts, ys, xs, _ = points
    for i in range(at[0], len(pairs)):
        a = np.int64(pairs[i, 0])
        b = np.int64(pairs[i, 1])
        if find(parent, a) == find(parent, b):
            continue
        ahead = xs[starts[b]] - xs[starts[a]]
        shift = 0.0
        if grid.wraps:
            shift = 360.0 if ahead > 180 else (-360.0 if ahead < -180 else 0.0)
        metric = row_metric(grid, keys[a] >> grid.col_bits)
        if at[1] == 0:
            stack[0] = (starts[a], starts[a] + n_core[a], starts[b], starts[b] + n_core[b])
            at[1] = 1
        verdict, at[1] = sets_near(ys, xs, shift, metric, stack, at[1])
        if verdict == PAUSED:
            at[0] = i
            return True
        if verdict == NEAR:
            unite(parent, find(parent, a), find(parent, b))
    return False


@kernel
def close_trees(positions, grown, reach, pairs, parent, stack, at):
    """Do as :func:`close_pairs` with trees of the core points."""
    for i in range(at[0], len(pairs)):
        a = np.int64(pairs[i, 0])
        b = np.int64(pairs[i, 1])
        if find(parent, a) == find(parent, b):
            continue
        verdict, at[1] = trees_near(positions, grown, (a, b), reach, stack, at[1])
        if verdict == PAUSED:
            at[0] = i
            return True
        if verdict == NEAR:
            unite(parent, find(parent, a), find(parent, b))
    return False


@kernel
def are_vague(grid, keys, pairs, vague):
    """Tell of each pair whether quick distances decide so little that boxes of the plane would be of no use.

    `vague` (bool, one a pair) is filled with the answers.
    """
    for i in range(len(pairs)):
        metric = row_metric(grid, keys[pairs[i, 0]] >> grid.col_bits)
        vague[i] = metric.above > VAGUE * metric.below


@kernel
def copy_core(cells, points, to):
    """Copy the core points of `cells`, which were gathered whole, from one CellPoints to another."""
    _, n_core, starts, ys, xs, _ = points
    _, _, to_starts, to_ys, to_xs, _ = to
    for cell in cells:
        for i in range(n_core[cell]):
            to_ys[to_starts[cell] + i] = ys[starts[cell] + i]
            to_xs[to_starts[cell] + i] = xs[starts[cell] + i]


def run(grid: Grid, source: Located, points: CellPoints, pairs: Array, parent: Array, workers: Workers) -> None:
    """Join the open pairs that belong together; sampled cells are read from the input again."""
    sizes, wanted = source.cells.sizes, np.unique(pairs)
    is_whole = points.starts[wanted + 1] - points.starts[wanted] >= sizes[wanted]
    whole, sampled = wanted[is_whole], wanted[~is_whole]
    starts, lengths = np.empty(len(parent), np.int64), points.n_core[whole].astype(np.int64)
    starts[whole] = np.cumsum(lengths) - lengths
    core = points._replace(starts=starts, ys=np.empty(lengths.sum()), xs=np.empty(lengths.sum()))
    copy_core(whole, points, core)
    if len(sampled):
        lengths = np.zeros(len(parent), np.int64)
        lengths[sampled] = sizes[sampled]
        again = gather.run(source, np.concatenate([[0], np.cumsum(lengths)]), workers)
        starts[sampled] = len(core.ys) + again.starts[sampled]
        core = core._replace(ys=np.concatenate([core.ys, again.ys]), xs=np.concatenate([core.xs, again.xs]))
    vague = np.empty(len(pairs), np.bool_)
    are_vague(grid, core.keys, pairs, vague)
    sliced(close_pairs)(grid, core, pairs[~vague], parent, np.empty((256, 4), np.int64))
    if vague.any():
        sizes, positions = np.zeros(len(parent), np.int32), (core.ys, core.xs)
        sizes[wanted] = core.n_core[wanted]
        grown = trees.build(grid, positions, starts, sizes, workers)
        room = np.empty((256, 6), np.int64)
        sliced(close_trees)(positions, grown, trees.reach_of(grid), pairs[vague], parent, room)
