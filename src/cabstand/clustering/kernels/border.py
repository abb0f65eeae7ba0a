"""Last stages: the label of every point.

Points of cells that are all core take their cell's label straight from the slot. The others are looked up among the
kept points: a border point takes the lowest-numbered cluster with a core point within eps, a lone one is noise.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.metric import any_near, row_metric
from cabstand.clustering.kernels.windows import neighbour_runs, start_cursors


@kernel
def label_slots(start, stop, table, labels, core):
    """Turn slots into labels in place, for points ``start:stop``: the cell's label, or -1 for now if it is mixed."""
    for i in range(start, stop):
        label = table[labels[i]]
        labels[i] = label
        core[i] = label >= 0


@kernel
def _lowest_label(grid, ys, xs, p, starts, n_core, cell_labels, rivals, rival_turns, n_rivals, best, measure):
    """Find the lowest label among the rivals (cells) with a core point within eps of point p."""
    k, below, above = measure
    for i in range(n_rivals):
        cell = rivals[i]
        label = cell_labels[cell]
        if 0 <= best <= label:
            continue
        a = starts[cell]
        b = a + n_core[cell]
        if any_near(ys, xs, a, b, ys[p], xs[p], rival_turns[i], k, below, above, grid.sin2):
            best = label
    return best


@kernel
def _rivals_of(runs, turns, n_runs, cell, n_core, cell_labels, own, rivals, rival_turns):
    """List the cells with core points whose label would beat `own` (-1: none yet), growing the lists as needed."""
    n_rivals = 0
    for r in range(n_runs):
        for other in range(runs[r, 0], runs[r, 1]):
            if n_core[other] == 0 or other == cell or 0 <= own <= cell_labels[other]:
                continue
            if n_rivals < len(rivals):
                rivals[n_rivals] = other
                rival_turns[n_rivals] = turns[r]
            n_rivals += 1
    return n_rivals


@kernel
def label_mixed(grid, keys, sizes, starts, ys, xs, rows, n_core, cell_labels, first, last, labels, core):
    """Label the points of cells ``first:last`` that are not all core."""
    cursors = np.empty(2 * grid.reach_rows + 1, np.int64)
    runs = np.empty((4 * grid.reach_rows + 2, 2), np.int64)
    turns = np.empty(4 * grid.reach_rows + 2)
    rivals = np.empty(64, np.int64)
    rival_turns = np.empty(64)
    start_cursors(grid, keys, first, cursors)
    for cell in range(first, last):
        if n_core[cell] == sizes[cell]:
            continue
        own = cell_labels[cell]
        begin = starts[cell] + n_core[cell]
        for p in range(starts[cell], begin):
            labels[rows[p]] = own
            core[rows[p]] = True
        n_runs = neighbour_runs(grid, keys, cell, cursors, runs, turns)
        n_rivals = _rivals_of(runs, turns, n_runs, cell, n_core, cell_labels, own, rivals, rival_turns)
        if n_rivals > len(rivals):  # beside a pole
            rivals = np.empty(2 * n_rivals, np.int64)
            rival_turns = np.empty(2 * n_rivals)
            n_rivals = _rivals_of(runs, turns, n_runs, cell, n_core, cell_labels, own, rivals, rival_turns)
        if n_rivals > 0:
            measure = row_metric(grid, keys[cell] >> grid.col_bits)
            for p in range(begin, starts[cell + 1]):
                labels[rows[p]] = _lowest_label(
                    grid, ys, xs, p, starts, n_core, cell_labels, rivals, rival_turns, n_rivals, own, measure
                )
        else:
            for p in range(begin, starts[cell + 1]):
                labels[rows[p]] = own
