"""Third stage: the cells that hold a point, in row-major order, and each thread's places in them.

A *directory* is a set of pages with their slots: one thread's own book, or the sum of several.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.jit import kernel


@kernel
def add_book(ranks, counts, page_bits, totals):
    """Add one book's points to the slots of the common directory.

    Parameters
    ----------
    ranks : ndarray of int64
        The page of the directory for each page of the book.
    counts, totals : ndarray of int32
        Points of each slot of the book and of the directory.
    """
    size = 1 << page_bits
    for page in range(len(ranks)):
        there = ranks[page] << page_bits
        here = page << page_bits
        for c in range(size):
            totals[there + c] += counts[here + c]


@kernel
def count_cells(totals):
    """Count the slots that hold a point."""
    n_cells = 0
    for n in totals:
        n_cells += n > 0
    return n_cells


@kernel
def list_cells(page_keys, order, totals, page_bits, keys, sizes, cell_of):
    """Write key and size of every cell in order, and the cell of every slot (-1 where it is empty)."""
    size = 1 << page_bits
    cell = 0
    for page in order:
        base = page << page_bits
        for c in range(base, base + size):
            n = totals[c]
            if n > 0:
                keys[cell] = (page_keys[page] << page_bits) | (c - base)
                sizes[cell] = n
                cell_of[c] = cell
                cell += 1
            else:
                cell_of[c] = -1


@kernel
def take_places(ranks, counts, page_bits, cell_of, free, ends, pos, end):
    """Reserve one book's places among the kept points.

    Parameters
    ----------
    free, ends : ndarray of int64, one a cell
        First place still free, moved on by what this book takes, and end of the cell's places: of a sampled cell only
        the first few points have one.
    pos, end : ndarray of int32, one a slot of the book
        Filled with the first place and the end of the book's share of each cell; `pos` is -1 where it is empty.
    """
    size = 1 << page_bits
    for page in range(len(ranks)):
        here = page << page_bits
        there = ranks[page] << page_bits
        for c in range(size):
            if counts[here + c] > 0:
                cell = cell_of[there + c]
                share = min(np.int64(counts[here + c]), ends[cell] - free[cell])
                pos[here + c] = free[cell] if share > 0 else -1
                free[cell] += share
                end[here + c] = free[cell]


@kernel
def spread(ranks, page_bits, cell_of, values, table):
    """Give every slot of a book the value of its cell."""
    size = 1 << page_bits
    for page in range(len(ranks)):
        here = page << page_bits
        there = ranks[page] << page_bits
        for c in range(size):
            cell = cell_of[there + c]
            if cell >= 0:
                table[here + c] = values[cell]
