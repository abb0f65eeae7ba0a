"""Exact DBSCAN with one eps and several ``min_samples``, ascending: what depends on eps alone is done once.

For each point it is counted once how many of the levels, as they are called here, its neighbours reach; most neighbours
are counted a patch at a time (:mod:`.patches`). The core points of a level are among those of the level before, so that
from one to the next each cell keeps some of them in front.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cabstand.clustering.kernels import cells, core, costly, gather, labels, neighbour_cells, patches, sample, slots
from cabstand.clustering.kernels.core import CellPoints
from cabstand.clustering.kernels.costly import MOST_COST, is_costly, none_noted, note_costly, take_noted
from cabstand.clustering.kernels.gather import Located
from cabstand.clustering.kernels.grid import Grid
from cabstand.clustering.kernels.jit import inlined, kernel, part
from cabstand.clustering.kernels.metric import CHUNK, Centre, cell_metric, count_chunk, row_metric
from cabstand.clustering.kernels.neighbour_cells import Neighbours, set_spans
from cabstand.clustering.kernels.patches import MOST_OPEN, Patches, open_spans
from cabstand.clustering.kernels.pipeline import join
from cabstand.clustering.kernels.threads import Array, Workers, sliced, workers

MOST_LEVELS = 255  # their number fits into a byte


@inlined
def _passed(levels, level, count):
    """Return how many levels a count reaches, which is `level` or more."""
    while level < len(levels) and levels[level] <= count:
        level += 1
    return level


@inlined
def _climb(ys, xs, p, known, spans, metric, levels):
    """Return how many levels the neighbours of point `p` in `spans` and those `known` reach.

    Return also how many points were compared: no more than the answer takes.
    """
    number = known
    level = _passed(levels, 0, number)
    s = 0
    left = spans[0, 3]
    while left > 0 and level < len(levels) and number + left >= levels[level]:
        start = spans[s, 0]
        stop = spans[s, 1]
        centre = Centre(ys[p], xs[p], np.float64(spans[s, 2]))
        while start < stop and level < len(levels) and number + left >= levels[level]:
            end = start + CHUNK if start + CHUNK < stop else stop
            number += count_chunk(ys, xs, start, end, centre, metric)
            left -= end - start
            level = _passed(levels, level, number)
            start = end
        s += 1
    return level, spans[0, 3] - left


@part
def _reach(patches, patch, sparse, i, metric, levels, spans, reached):
    """Fill how many levels each point of a patch of cell `i` of `sparse` reaches; return what it cost.

    All of them, unless that is more than a cell may cost.
    """
    _, starts, _, edges, _, ys, xs, places = patches
    cell = sparse.cells[i]
    near, cost = open_spans(patches, patch, sparse, i, metric, spans)
    if near < 0:
        near = np.int64(0)
        set_spans(starts, sparse, i, spans)
    known = starts[cell + 1] - starts[cell] + near
    least = _passed(levels, 0, known)
    most = _passed(levels, least, known + spans[0, 3])
    for p in range(edges[patch], edges[patch + 1]):
        level = least
        if level < most:
            level, compared = _climb(ys, xs, p, known, spans, metric, levels)
            cost += compared * metric.price
        reached[places[p]] = level
        if cost > MOST_COST:
            break
    return cost


@kernel
def count_levels(grid, patches, sparse, levels, reached, noted, spans, at):
    """Fill how many levels (int64, ascending) each point of sparse cells reaches (uint8, one a gathered point).

    Cells that cost too much are only noted in `noted`, for :mod:`.costly`. `spans` have room for `MOST_OPEN`.
    Return whether there is more to do; see :func:`.threads.sliced`.
    """
    cells, runs, shifts = sparse
    keys, starts, first, edges, _, _, _, _ = patches
    metric = row_metric(grid, np.int64(0))
    work = np.int64(0)
    for i in range(at[0], len(cells)):
        if work > MOST_COST:
            at[0] = i
            return True
        cell = np.int64(cells[i])
        total = np.int64(0)
        for s in range(len(shifts)):
            total += starts[np.uint64(runs[i, s, 1])] - starts[np.uint64(runs[i, s, 0])]
        if total < levels[0]:
            for p in range(starts[cell], starts[cell + 1]):
                reached[p] = 0
            continue
        metric = cell_metric(grid, keys[cell], metric)
        cost = np.int64(0)
        for patch in range(first[cell], first[cell + 1]):
            if edges[patch] == edges[patch + 1]:
                continue
            cost += _reach(patches, patch, sparse, i, metric, levels, spans, reached)
            if is_costly(cost, edges[patch + 1] - starts[cell], total):
                note_costly(noted, i)
                break
        work += cost
    return False


@kernel
def keep_core(points, dense, reached, level, first, last, others):
    """Keep in front what is core at `level` in cells ``first:last`` that are not `dense` (of so many points).

    It stays in input order. What is core no more gets NaN in `xs`, as in :func:`.core.core_first`. `others` (int32)
    have room for the points of a cell.
    """
    _, n_core, starts, ys, xs, rows = points
    for cell in range(first, last):
        if n_core[cell] >= dense:
            continue
        a = starts[cell]
        front, n = a, 0
        for p in range(a, a + n_core[cell]):
            if reached[p] > level:
                ys[front] = ys[p]
                xs[front] = xs[p]
                rows[front] = rows[p]
                reached[front] = reached[p]
                front += 1
            else:
                others[n] = rows[p]
                n += 1
        for i in range(n):
            xs[front + i] = np.nan
            rows[front + i] = others[i]
        n_core[cell] = front - a


def cluster_each(points: Array, grid: Grid, levels: Array, n_threads: int) -> Iterator[tuple[Array, Array, int]]:
    """Cluster checked points as :func:`.pipeline.cluster` does, with each of `levels` (int64, at most `MOST_LEVELS`).

    Yield what that returns.
    """
    with workers(len(points), n_threads) as pool:
        cell_of = np.empty(len(points), np.int32)
        table = cells.run(*slots.run(points, grid, cell_of, pool), cell_of, pool)
        most = int(levels[-1])
        sparse = neighbour_cells.run(grid, table, core.sparse_cells(table, most, None), pool)
        starts = sample.run(table, sparse, most, False, pool)
        gathered = gather.run(Located(points, cell_of, table), starts, pool)
        found = CellPoints(table.keys, table.sizes.copy(), *gathered)
        reached = _count(grid, found, patches.run(table.keys, gathered, pool), sparse, levels, pool)
        room = int(table.sizes.max())
        for level, min_samples in enumerate(levels.tolist()):
            stripes = pool.stripes(len(table.keys))
            pool.run(keep_core, [(found, most, reached, level, a, b, np.empty(room, np.int32)) for a, b in stripes])
            searched = [_smaller(stripe, table.sizes, min_samples) for stripe in sparse]
            source = Located(points, cell_of.copy(), table)
            cell_labels, n_clusters = join(grid, source, found, searched, pool)
            yield *labels.label_points(cell_labels, source.cell_of, pool), n_clusters


def _count(
    grid: Grid, found: CellPoints, pieces: Patches, sparse: list[Neighbours], levels: Array, pool: Workers
) -> Array:
    """Return how many levels each gathered point of sparse cells reaches."""
    reached, all_noted = np.empty(len(found.rows), np.uint8), [none_noted(stripe) for stripe in sparse]
    calls = [
        (grid, pieces, stripe, levels, reached, noted, np.empty((MOST_OPEN, 4), np.int64))
        for stripe, noted in zip(sparse, all_noted, strict=True)
    ]
    pool.run(sliced(count_levels), calls)
    noted = take_noted(sparse, all_noted, pool)
    for level, min_samples in enumerate(levels.tolist()) if noted else ():
        flags = np.empty(len(reached), np.uint8)
        costly.find_core(grid, found, None, noted, min_samples, flags, pool)
        for cell in np.concatenate([stripe.cells for stripe in noted]).tolist():
            own = slice(found.starts[cell], found.starts[cell + 1])
            reached[own] = np.where(flags[own], level + 1, reached[own] if level else 0)
            found.n_core[cell] = found.starts[cell + 1] - found.starts[cell]
    return reached


def _smaller(stripe: Neighbours, sizes: Array, min_samples: int) -> Neighbours:
    """Return the cells of a stripe that have fewer points than `min_samples`."""
    chosen = sizes[stripe.cells] < min_samples
    return Neighbours(stripe.cells[chosen], stripe.runs[chosen], stripe.shifts)
