"""Third stage: the cells that hold a point, in row-major order, and each thread's places in them.

Every kernel here works on a stretch of the common pages or of the cells, so threads share them out. ``where[t, page]``
is the page of book t among all books' pages, or -1: its slots are ``where << page_bits`` and those after it, in all
arrays of slots.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.jit import kernel


@kernel
def merge_pages(keys, pages, heads, ends, at, page_keys, where):
    """Merge one stretch of each book's pages.

    Parameters
    ----------
    keys : ndarray of int64
        Keys of all books' pages, book after book, each book's in order.
    pages : ndarray of int32, same shape
        Which page each is, counted among all books' pages.
    heads, ends : ndarray of int64, one a book
        The stretches, in `keys`: between them they hold every page whose key is in some range.
    at : int
        Where the first common page goes.
    page_keys : ndarray of int64
    where : ndarray of int32, shape (books, pages)
        Both filled.

    Returns
    -------
    int
        Number of common pages.
    """
    heads = heads.copy()
    n = at
    while True:
        lowest = np.int64(0x7FFFFFFFFFFFFFFF)
        left = False
        for t in range(len(heads)):
            if heads[t] < ends[t]:
                lowest = min(lowest, keys[heads[t]])
                left = True
        if not left:
            return n - at
        page_keys[n] = lowest
        for t in range(len(heads)):
            where[t, n] = -1
            if heads[t] < ends[t] and keys[heads[t]] == lowest:
                where[t, n] = pages[heads[t]]
                heads[t] += 1
        n += 1


@kernel
def count_cells(where, counts, page_bits, first, last, filled, cells_in):
    """Tell which slots of each of the pages ``first:last`` hold a point, and how many do.

    Parameters
    ----------
    counts : ndarray of int32
        Points of all books' slots.
    filled : ndarray of int32, one a page
        Filled; bit c stands for slot c.
    cells_in : ndarray of int32, one a page
        Filled.
    """
    size = np.int64(1) << page_bits
    for page in range(first, last):
        bits = np.int64(0)
        for t in range(len(where)):
            base = np.int64(where[t, page]) << page_bits
            if base >= 0:
                for c in range(size):
                    bits |= np.int64(counts[np.uint64(base + c)] > 0) << c
        n = np.int64(0)
        for c in range(size):
            n += (bits >> c) & 1
        filled[page] = bits
        cells_in[page] = n


@kernel
def list_cells(where, counts, page_bits, page_keys, filled, first_cell, first, last, keys, sizes, slots):
    """Write key, size and slots of every cell of the pages ``first:last``, each page from its `first_cell` on.

    Parameters
    ----------
    slots : ndarray of int32, shape (books, cells)
        Filled with the slot of each cell in each book, -1 where the book has no point of it.
    """
    columns = np.empty((1 << page_bits) + 1, np.int64)
    for page in range(first, last):
        n = 0
        for c in range(np.int64(1) << page_bits):  # no asking: which are filled cannot be guessed
            columns[n] = c
            n += (filled[page] >> c) & 1
        cell = np.uint64(first_cell[page])
        for c in columns[:n]:
            total = 0
            for t in range(len(where)):
                slot = -1
                if where[t, page] >= 0:
                    slot = np.int64(where[t, page]) << page_bits | c
                    size = counts[np.uint64(slot)]
                    total += size
                    slot = slot if size > 0 else -1
                slots[t, cell] = slot
            keys[cell] = (page_keys[page] << page_bits) | c
            sizes[cell] = total
            cell += np.uint64(1)


@kernel
def take_places(slots, counts, starts, first, last, pos, end):
    """Share the places of the cells ``first:last`` among the books, in their order.

    Parameters
    ----------
    starts : ndarray of int64, one a cell and one more
        First place of each cell: of a sampled cell only the first few points have one.
    pos, end : ndarray of int32, one a slot of all books
        Filled with the first place and the end of a book's share of each cell; `pos` is -1 where it is empty.
    """
    for cell in range(np.uint64(first), np.uint64(last)):
        free = starts[cell]
        for t in range(len(slots)):
            if slots[t, cell] >= 0:
                slot = np.uint64(slots[t, cell])
                share = min(np.int64(counts[slot]), starts[cell + np.uint64(1)] - free)
                pos[slot] = free if share > 0 else -1
                free += share
                end[slot] = free


@kernel
def take_some_places(slots, counts, starts, cells, pos, end):
    """Share the places of some cells alone; see :func:`take_places`."""
    for cell in cells:
        take_places(slots, counts, starts, cell, cell + 1, pos, end)


@kernel
def spread(slots, first, last, values, table):
    """Give the slots of cells ``first:last`` the value of their cell."""
    for cell in range(np.uint64(first), np.uint64(last)):
        for t in range(len(slots)):
            if slots[t, cell] >= 0:
                table[np.uint64(slots[t, cell])] = values[cell]
