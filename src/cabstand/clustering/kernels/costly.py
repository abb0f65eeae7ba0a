"""Cells whose points have too many others in reach to compare them one by one: trees decide them.

Such cells are noted by the stages that meet them, which cell by cell count what comparing costs. What is worth a tree
depends on the cell alone, not on threads. Where comparisons are cheap that takes tens of thousands of points in reach
and a neighbourhood that is not full after a few of them; beside a pole, or with an eps of thousands of kilometres,
where each pair is decided by the exact formula, some hundreds.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cabstand.clustering.kernels import trees, within
from cabstand.clustering.kernels.grid import Grid
from cabstand.clustering.kernels.instructions import scratch
from cabstand.clustering.kernels.jit import inlined, kernel, part
from cabstand.clustering.kernels.neighbour_cells import Neighbours
from cabstand.clustering.kernels.sample import mark_whole
from cabstand.clustering.kernels.threads import Array, Workers, cut, sliced
from cabstand.clustering.kernels.trees import Reach, Trees, in_space
from cabstand.clustering.kernels.within import STEPS, Masses, Query, mass_within

# In quick comparisons of a pair:
TREE_QUERY = 1 << 14  # what the search of trees for one point costs at least
TREE_GROWTH = 256  # what a point costs while trees are built
MOST_COST = 1 << 28  # of a call of a kernel, some tenths of a second


class Search(NamedTuple):
    """Trees and what their points weigh."""

    spherical: bool
    positions: tuple[Array, Array]
    trees: Trees
    masses: Masses
    reach: Reach


@inlined
def is_costly(cost, done, in_reach):
    """Tell whether trees would be better for a cell: `done` of its points have cost so much, with so many in reach."""
    return cost > MOST_COST or (cost > TREE_GROWTH * in_reach and cost > TREE_QUERY * (done + 1))


@part
def note_costly(noted, i):
    """Note the cell `i` of a stripe: `noted` are how many are, and which."""
    noted[0] += 1
    noted[noted[0]] = i


def none_noted(stripe: Neighbours) -> Array:
    """Return room to note every cell of a stripe (int32)."""
    noted = np.empty(len(stripe.cells) + 1, np.int32)
    noted[0] = 0
    return noted


def take_noted(sparse: list[Neighbours], all_noted: list[Array], workers: Workers) -> list[Neighbours]:
    """Return the noted cells of all stripes, in stripes of their own."""
    found = []
    for (cells, runs, shifts), noted in zip(sparse, all_noted, strict=True):
        chosen = noted[1 : 1 + noted[0]]
        parts = cut(len(chosen), workers.n_stripes)
        found += [Neighbours(cells[chosen[a:b]], runs[chosen[a:b]], shifts) for a, b in parts]
    return found


@kernel
def count_core(points, search, neighbours, min_samples, flags, at):
    """Set the flags of core points and count them, as :func:`.core.find_core` does; return whether there is more."""
    cells, runs, shifts = neighbours
    _, n_core, starts, ys, xs, _ = points
    spherical, positions, grown, masses, reach = search
    stack = scratch(64, 3, np.int64)
    weighted = len(masses.own) > 0
    steps = 0
    for i in range(at[0], len(cells)):
        cell = np.int64(cells[i])
        start, stop = starts[cell], starts[cell + 1]
        own = masses.nodes[grown.roots[cell]] if weighted else np.float64(stop - start)
        if at[1] == 0:
            n_core[cell] = 0
        for p in range(start + at[1], stop):
            if steps > STEPS:
                at[0] = i
                at[1] = p - start
                return True
            query = Query(ys[p], xs[p], *in_space(spherical, ys[p], xs[p]))
            total = own
            for s in range(len(shifts)):
                for other in range(np.int64(runs[i, s, 0]), np.int64(runs[i, s, 1])):
                    enough = np.inf if weighted else np.float64(min_samples) - total
                    if other != cell and enough > 0.0:
                        more, n = mass_within(positions, grown, masses, other, query, reach, enough, stack)
                        total += more
                        steps += n
            flags[p] = total >= min_samples
            n_core[cell] += flags[p]
        at[1] = 0
    return False


@kernel
def mark_border(inputs, points, cell_labels, search, neighbours, marks, at):
    """Mark border points as :func:`.labels.mark_stripe` does; return whether there is more."""
    cells, runs, shifts = neighbours
    _, n_core, starts, _, _, rows = points
    spherical, positions, grown, masses, reach = search
    stack = scratch(64, 3, np.int64)
    steps = 0
    for i in range(at[0], len(cells)):
        cell = np.int64(cells[i])
        first = starts[cell] + n_core[cell]
        for p in range(first + at[1], starts[cell + 1]):
            if steps > STEPS:
                at[0] = i
                at[1] = p - first
                return True
            y, x = np.float64(inputs[rows[p], 0]), np.float64(inputs[rows[p], 1])
            query = Query(y, x, *in_space(spherical, y, x))
            best = cell_labels[cell]
            for s in range(len(shifts)):
                for other in range(np.int64(runs[i, s, 0]), np.int64(runs[i, s, 1])):
                    label = cell_labels[other]
                    if label >= 0 and (best < 0 or label < best):
                        found, n = mass_within(positions, grown, masses, other, query, reach, 1.0, stack)
                        steps += n
                        if found > 0.0:
                            best = label
            if best >= 0:
                marks[rows[p]] = ~best
        at[1] = 0
    return False


def _search(
    grid: Grid, points: Any, stripes: list[Neighbours], sizes: Array, weights: Array | None, workers: Workers
) -> Search:
    """Build trees of the first `sizes` points of all cells in reach of these."""
    in_reach = np.zeros(len(sizes), np.uint8)
    for stripe in stripes:
        mark_whole(stripe.runs, in_reach)
    positions, sizes = (points.ys, points.xs), np.where(in_reach, sizes, 0)
    grown = trees.build(grid, positions, points.starts, sizes, workers)
    masses = Masses(np.empty(0), np.empty(0))
    if weights is not None:
        masses = Masses(weights, np.empty(len(grown.boxes)))
        within.weigh(grown, np.flatnonzero(sizes), masses)
    return Search(grid.spherical, positions, grown, masses, trees.reach_of(grid))


def find_core(
    grid: Grid,
    points: Any,
    weights: Array | None,
    stripes: list[Neighbours],
    min_samples: int,
    flags: Array,
    workers: Workers,
) -> None:
    """Find the core points of noted cells: `points` are a CellPoints whose cells in reach are gathered whole."""
    if stripes:
        search = _search(grid, points, stripes, np.diff(points.starts), weights, workers)
        workers.run(sliced(count_core), [(points, search, stripe, min_samples, flags) for stripe in stripes])


def label_border(
    grid: Grid,
    inputs: Array,
    points: Any,
    cell_labels: Array,
    stripes: list[Neighbours],
    marks: Array,
    workers: Workers,
) -> None:
    """Mark the border points of noted cells; the core points of each cell are in front."""
    if stripes:
        search = _search(grid, points, stripes, points.n_core, None, workers)
        workers.run(sliced(mark_border), [(inputs, points, cell_labels, search, stripe, marks) for stripe in stripes])
