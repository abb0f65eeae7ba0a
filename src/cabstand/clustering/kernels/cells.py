"""Third stage: the cells that hold a point, in row-major order, and the cell of each point.

From a slot to its cell leads one word a page, its first cell and its filled slots: a table of cells or pages fits a
cache far longer than one of slots, of which three in four are empty.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels.instructions import SHORT, count_ones, larger, prefetch_write_lines, scratch, smaller
from cabstand.clustering.kernels.jit import inlined, kernel
from cabstand.clustering.kernels.pages import PAGE_BITS, Pages, merge
from cabstand.clustering.kernels.threads import (
    BLOCK,
    SLICE,
    Array,
    Chunks,
    Side,
    Workers,
    chunks_done,
    next_block,
    pair_up,
    sliced,
)

FILLED_BITS = 32  # of a page's word, below its first cell
ROOM = (1 << PAGE_BITS) + 1  # for the columns of a page, and one that is overwritten


class Cells(NamedTuple):
    """The cells that hold a point, in order."""

    keys: Array  # int64, shape (cells,)
    sizes: Array  # int32, shape (cells,): points in each
    counts: Array  # int32, shape (threads, cells): those of each thread's chunk
    chunks: Chunks  # the points of each thread


def listed(chosen: Array) -> Array:
    """List the cells that are chosen, as int32."""
    return np.flatnonzero(chosen).astype(np.int32)


def _fill_pages(sources: Array, all_filled: Array, filled: Array, n_cells: Array) -> None:
    """Find the filled slots of merged pages (see :func:`.pages.merge`) and their number."""
    filled[:] = 0
    for own in sources.T:
        there = np.flatnonzero(own >= 0)
        filled[there] |= all_filled[own[there]]
    n_cells[:] = np.bitwise_count(filled)


@kernel
def list_cells(page_keys, page_bits, sources, filled, first_cell, keys, words):
    """Write the keys of all cells of merged pages, and the word of each thread's page."""
    columns = scratch(1, ROOM, np.int64)[0]
    for page in range(len(page_keys)):
        n = 0
        for c in range(np.int64(1) << page_bits):  # no branches: which are filled cannot be predicted
            columns[n] = c
            n += (filled[page] >> c) & 1
        cell = np.int64(first_cell[page])
        for i in range(n):
            keys[cell + i] = (page_keys[page] << page_bits) | columns[i]
        word = cell << FILLED_BITS | np.int64(filled[page])
        for t in range(sources.shape[1]):
            if sources[page, t] >= 0:
                words[sources[page, t]] = word


@inlined
def _look_up(slots, first, last, ahead, page_bits, words, counters):
    """Turn the slots of points ``first:last`` into cells, and count them; short loops do not wait for each other.

    Meanwhile what lies so far `ahead` is prefetched.
    """
    low, counts = counters
    looked_up = scratch(1, SHORT, np.int64)[0]
    inside = (np.int64(1) << page_bits) - 1
    for start in range(first, last, SHORT):
        own = slots[start : smaller(start + SHORT, last)]
        prefetch_write_lines(slots, start + ahead, SHORT)
        for j in range(len(own)):
            looked_up[j] = words[np.uint64(np.int64(own[j]) >> page_bits)]
        for j in range(len(own)):
            before = looked_up[j] & ((np.int64(1) << (np.int64(own[j]) & inside)) - 1)
            own[j] = (looked_up[j] >> FILLED_BITS) + np.int64(count_ones(np.uint64(before)))
        for cell in own:
            n = np.uint8(low[np.uint64(cell)] + 1)
            low[np.uint64(cell)] = n
            if n == 0:
                counts[np.uint64(cell)] += 256


@kernel
def slots_to_cells(side, page_bits, middle, words, slots, counters, at):
    """Replace the slots of a slice of the points that this side takes by their cells; return whether there may be more.

    The points of each cell are counted in bytes, whose carries alone go to the counts at once: random accesses to a
    quarter of the memory. `words` are those of two threads: slots before the point `middle` are of the one, others of
    the other. `counters` are the bytes, the counts, and the number of blocks (int64, shape (1,)).
    """
    low, counts, found = counters
    ahead = -BLOCK if side.down else BLOCK
    n_blocks = at[0]
    stop = n_blocks + SLICE // BLOCK
    while n_blocks < stop:
        first, last = next_block(side, n_blocks)
        if first == last:
            break
        n_blocks += 1
        _look_up(slots, first, smaller(last, middle), ahead, page_bits, words[0], (low, counts))
        _look_up(slots, larger(first, middle), last, ahead, page_bits, words[1], (low, counts))
    found[0] = at[0] = n_blocks
    return n_blocks == stop


def _replace_slots(
    side: Side, page_bits: int, middle: int, words: tuple[Array, Array], slots: Array, counts: Array
) -> int:
    """Call :func:`slots_to_cells` for all points that this side takes; return the number of blocks."""
    low, found = np.zeros(len(counts), np.uint8), np.zeros(1, np.int64)
    sliced(slots_to_cells)(side, page_bits, middle, words, slots, (low, counts, found))
    counts += low
    return int(found[0])


def _order_cells(page_bits: int, pages: list[Pages], workers: Workers) -> tuple[Array, list[Array]]:
    """Return the keys of the cells of all threads' pages, in order, and the words of each thread's pages."""
    page_keys, sources = merge(pages, workers)
    stripes = workers.stripes(len(page_keys))
    all_filled, filled = np.concatenate([own.filled for own in pages]), np.empty(len(page_keys), np.uint32)
    first_cell = np.zeros(len(page_keys) + 1, np.int32)
    n_cells = first_cell[1:]  # summed in place
    workers.run(_fill_pages, [(sources[a:b], all_filled, filled[a:b], n_cells[a:b]) for a, b in stripes])
    np.cumsum(first_cell, out=first_cell)
    keys, words = np.empty(int(first_cell[-1]), np.int64), np.empty(len(all_filled), np.int64)
    calls = [(page_keys[a:b], page_bits, sources[a:b], filled[a:b], first_cell[a:b], keys, words) for a, b in stripes]
    workers.run(list_cells, calls)
    edges = np.cumsum([0, *(len(own.keys) for own in pages)])
    return keys, [words[a:b] for a, b in itertools.pairwise(edges)]


def run(page_bits: int, pages: list[Pages], chunks: Chunks, slots: Array, workers: Workers) -> Cells:
    """Put the cells of all threads' pages in order, and replace every point's slot by its cell (in place).

    Parameters are what :func:`cabstand.clustering.kernels.slots.run` returns, and the slots.
    """
    keys, words = _order_cells(page_bits, pages, workers)
    counts = np.zeros((len(pages), len(keys)), np.int32)
    sides, calls = pair_up(chunks), []
    for t, side in enumerate(sides):
        before = t - side.down  # the thread that has the slots of the stretch's first points
        two = words[before], words[min(before + 1, len(sides) - 1)]
        calls.append((side, page_bits, chunks[before][1], two, slots, counts[t]))
    n_blocks = workers.run(_replace_slots, calls)
    sizes = counts[0] if len(pages) == 1 else counts.sum(axis=0, dtype=np.int32)
    return Cells(keys, sizes, counts, chunks_done(sides, n_blocks))
