"""Last stages: clusters are numbered by their lowest core point, and every point gets its label.

A core point has the label of its cell, and a lone point of a cell without core points has none. Only the border points
have to be looked up among the gathered ones: each takes the lowest-numbered cluster that has a core point within eps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels import costly
from cabstand.clustering.kernels.core import CellPoints
from cabstand.clustering.kernels.costly import MOST_COST, TREE_QUERY, is_costly, none_noted, note_costly, take_noted
from cabstand.clustering.kernels.gather import Located
from cabstand.clustering.kernels.grid import Grid
from cabstand.clustering.kernels.instructions import (
    SHORT,
    atomic_min,
    larger,
    prefetch_read,
    prefetch_write,
    prefetch_write_lines,
    scratch,
    smaller,
)
from cabstand.clustering.kernels.jit import inlined, kernel, part
from cabstand.clustering.kernels.metric import Centre, any_near, cell_metric, row_metric
from cabstand.clustering.kernels.neighbour_cells import Neighbours
from cabstand.clustering.kernels.threads import Array, Workers, sliced
from cabstand.clustering.kernels.union_find import find

NONE = np.iinfo(np.int32).max
CELLS_AHEAD = 8  # their points are prefetched before it is their turn


class CellLabels(NamedTuple):
    """The label of each cell, and a running count of labels, which tells whether a run of cells has any."""

    own: Array  # int32, shape (cells,): of its core points, -1 where there are none
    n_before: Array  # int32, shape (cells + 1,): cells before this one that have a label


@kernel
def lowest_cores(points, first, last, parent, lowest):
    """Lower the lowest core point of clusters by those of cells ``first:last``; point these straight at their roots.

    The core points of a cell come first and in input order, so its first is its lowest. `lowest` (int32, one a cell) is
    meaningful at roots.
    """
    _, n_core, starts, _, _, rows = points
    for cell in range(first, last):
        if n_core[cell] > 0:
            root = find(parent, cell)
            parent[cell] = root
            row = rows[starts[cell]]
            if row < lowest[root]:
                atomic_min(lowest, root, row)


def _label_cells(n_core: Array, parent: Array, ranks: Array, labels: Array) -> None:
    """Label cells: the rank of their cluster (its root's), or -1 where no point is core."""
    labels[:] = np.where(n_core > 0, ranks[parent], -1)


def number_clusters(points: CellPoints, parent: Array, workers: Workers) -> tuple[Array, int]:
    """Label every cell; return the labels (int32, -1 where no point is core) and the number of clusters."""
    labels, lowest = np.empty(len(parent), np.int32), np.full(len(parent), NONE, np.int32)
    stripes = workers.stripes(len(parent))
    workers.run(lowest_cores, [(points, a, b, parent, lowest) for a, b in stripes])
    roots = np.flatnonzero(lowest != NONE)
    ranks = lowest  # a root's lowest core point is replaced by its rank
    ranks[roots[np.argsort(lowest[roots])]] = np.arange(len(roots), dtype=np.int32)
    workers.run(_label_cells, [(points.n_core[a:b], parent[a:b], ranks, labels[a:b]) for a, b in stripes])
    return labels, len(roots)


@part
def _lowest_label(points, cell_labels, neighbours, i, best, position, metric):
    """Find the lowest label among `best` (-1: none) and the clusters with a core point within eps of a point.

    The point is in cell `i` of `neighbours`, at `position` (y, x). Return also about how many points were compared.
    """
    compared = np.int64(0)
    _, n_core, starts, ys, xs, _ = points
    _, runs, shifts = neighbours
    for s in range(len(shifts)):
        first = np.int64(runs[i, s, 0])
        last = np.int64(runs[i, s, 1])
        centre = Centre(position[0], position[1], shifts[s])
        n_better = 0
        for cell in range(np.uint64(first), np.uint64(last)):
            n_better += (cell_labels[cell] >= 0) & ((best < 0) | (cell_labels[cell] < best))
        if n_better == 0:
            continue
        if not any_near(ys, xs, starts[first], starts[last], centre, metric):
            compared += starts[last] - starts[first]
            continue
        for cell in range(first, last):
            label = cell_labels[cell]
            if label >= 0 and (best < 0 or label < best):
                a = starts[cell]
                if any_near(ys, xs, a, a + n_core[cell], centre, metric):
                    best = label
                else:
                    compared += n_core[cell]
    return best, compared


@part
def _has_better(cell_labels, runs, i, own):
    """Tell whether any cell in the runs has a label that would beat `own` (-1: none)."""
    for s in range(runs.shape[1]):
        for cell in range(runs[i, s, 0], runs[i, s, 1]):
            if cell_labels[cell] >= 0 and (own < 0 or cell_labels[cell] < own):
                return True
    return False


@inlined
def _any_core(n_before, runs, i):
    """Tell whether any cell in the runs has core points, without a branch on how long a run is."""
    n = 0
    for s in range(runs.shape[1]):
        n += n_before[np.uint64(runs[i, s, 1])] - n_before[np.uint64(runs[i, s, 0])]
    return n > 0


@inlined
def _points_in_runs(starts, runs, i):
    """Count the points in the runs of a cell."""
    total = np.int64(0)
    for s in range(runs.shape[1]):
        total += starts[runs[i, s, 1]] - starts[runs[i, s, 0]]
    return total


@kernel
def mark_stripe(inputs, grid, points, labelled, sparse, marks, noted, at):
    """Mark the border points of sparse cells with the complement of their label, which is below 0.

    Until then `marks` (int32, one an input point) hold the cells of all points; non-border points keep theirs. Cells
    that cost too much are only noted, for :mod:`.costly`. Return whether there is more; see :func:`.threads.sliced`.
    """
    cells, runs, _ = sparse
    cell_labels, n_before = labelled
    keys, n_core, starts, _, _, rows = points
    metric = row_metric(grid, np.int64(0))
    work = np.int64(0)
    for i in range(at[0], len(cells)):
        if work > MOST_COST:
            at[0] = i
            return True
        later = smaller(i + CELLS_AHEAD, len(cells) - 1)
        ahead = np.int64(cells[later])
        for p in range(starts[ahead] + n_core[ahead], starts[ahead + 1] if _any_core(n_before, runs, later) else 0):
            prefetch_read(inputs, np.uint64(2 * np.int64(rows[p])))
            prefetch_write(marks, np.uint64(rows[p]))
        cell = np.int64(cells[i])
        own = cell_labels[cell]
        middle = starts[cell] + n_core[cell]
        if middle == starts[cell + 1] or not _any_core(n_before, runs, i):
            continue  # all core, or all noise
        if not _has_better(cell_labels, runs, i, own):
            for p in range(middle, starts[cell + 1] if own >= 0 else middle):
                marks[rows[p]] = ~own
            continue
        metric = cell_metric(grid, keys[cell], metric)
        cost = np.int64(0)
        for p in range(middle, starts[cell + 1]):
            position = np.float64(inputs[rows[p], 0]), np.float64(inputs[rows[p], 1])
            label, compared = _lowest_label(points, cell_labels, sparse, i, own, position, metric)
            if label >= 0:
                marks[rows[p]] = ~label
            cost += compared * metric.price
            if cost > TREE_QUERY and is_costly(cost, p - middle, _points_in_runs(starts, runs, i)):
                note_costly(noted, i)
                break
        work += cost
    return False


def mark_border(
    grid: Grid, source: Located, points: CellPoints, sparse: list[Neighbours], cell_labels: Array, workers: Workers
) -> None:
    """Mark the border points of all sparse cells in ``source.cell_of``."""
    inputs, marks = source.points, source.cell_of
    all_noted = [none_noted(stripe) for stripe in sparse]
    n_before = np.zeros(len(cell_labels) + 1, np.int32)
    np.cumsum(cell_labels >= 0, out=n_before[1:])
    pairs = zip(sparse, all_noted, strict=True)
    labelled = CellLabels(cell_labels, n_before)
    calls = [(inputs, grid, points, labelled, stripe, marks, noted) for stripe, noted in pairs]
    workers.run(sliced(mark_stripe), calls)
    costly.label_border(grid, inputs, points, cell_labels, take_noted(sparse, all_noted, workers), marks, workers)


@kernel
def label(cell_labels, labels, core):
    """Turn cells and marks into labels in place, and tell which points are core.

    `cell_labels` are the labels of the core points of cells, -1 where there are none; `labels` hold cells, or what
    :func:`mark_stripe` put there.
    """
    of_cells = scratch(1, SHORT, np.int32)[0]
    for first in range(0, len(labels), SHORT):
        last = smaller(first + SHORT, len(labels))
        prefetch_write_lines(labels, last, SHORT)
        prefetch_write_lines(core, last, SHORT)
        own, is_core = labels[first:last], core[first:last]
        for j in range(len(own)):
            of_cells[j] = cell_labels[np.uint64(larger(own[j], 0))]
        for j in range(len(own)):
            cell = own[j]
            own[j] = of_cells[j] if cell >= 0 else ~cell
            is_core[j] = (cell >= 0) & (of_cells[j] >= 0)


def label_points(cell_labels: Array, marks: Array, workers: Workers) -> tuple[Array, Array]:
    """Return labels, which take the place of the marks, and the core mask."""
    labels, is_core = marks, np.empty(len(marks), np.bool_)
    workers.run(label, [(cell_labels, labels[a:b], is_core[a:b]) for a, b in workers.stripes(len(labels))])
    return labels, is_core
