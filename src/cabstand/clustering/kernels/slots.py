"""Second stage: every point gets a slot, which stands for its cell, and every slot that holds a point is marked.

Slots lie in pages of ``2^page_bits`` neighbouring columns of one row; a page exists only where there is a point. Each
thread has pages of its own. A point's page is found in its tile (:mod:`.slots_tiled`); or by sorting if pages would be
nearly empty, so that each cell is a page (:mod:`.slots_sorted`).
"""

from __future__ import annotations

from cabstand.clustering.kernels import slots_sorted, slots_tiled
from cabstand.clustering.kernels.grid import Grid
from cabstand.clustering.kernels.pages import PAGE_BITS, Pages
from cabstand.clustering.kernels.threads import Array, Chunks, Workers, chunks_done, cut, pair_up

SLOTS_PER_POINT = 2  # of one thread; with more, pages waste memory. Each thread may meet the pages of all points
FULL_SIZE = 4  # so many threads may have as many pages as one alone; more share their room


def run(points: Array, grid: Grid, slots: Array, workers: Workers) -> tuple[int, list[Pages], Chunks]:
    """Give every point its slot in `slots` (int32, shape (n,)).

    Return `page_bits`, each thread's pages, and each thread's points.
    """
    n, n_threads = len(points), workers.n_threads
    chunks = cut(n, n_threads)
    most = max(1 << 20, SLOTS_PER_POINT * n * min(FULL_SIZE, n_threads) // n_threads) >> PAGE_BITS
    if slots_tiled.countable(grid):
        sides = pair_up(chunks)
        found = workers.run(slots_tiled.run, [(points, side, grid, most, slots) for side in sides])
        pages = [own for own, _ in found if own]
        if len(pages) == len(found):
            return PAGE_BITS, pages, chunks_done(sides, [n_blocks for _, n_blocks in found])
    return 0, workers.run(slots_sorted.run, [(points[a:b], grid, slots[a:b]) for a, b in chunks]), chunks
