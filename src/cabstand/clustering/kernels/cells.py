"""Third stage: the cells that hold a point, in row-major order, and which of them each point is in.

Every kernel here works on a stretch of the common pages, of the cells or of the points, so threads share them out.
``where[t, page]`` is the page of book t among all books' pages, or -1.

From a slot to its cell leads one word a page, its first cell and its filled slots: whatever is kept a cell or a page
fits a cache far longer than what would be kept a slot, of which three in four hold nothing.
"""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.bits import ones
from cabstand.clustering.kernels.fetch import SHORT, lines_soon_written
from cabstand.clustering.kernels.jit import inlined, kernel
from cabstand.clustering.kernels.meet import BLOCK, next_block

FILLED_BITS = 32  # of a page's word, below its first cell


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
def fill_pages(where, marks, first, last, filled, cells_in):
    """Tell which slots of each of the pages ``first:last`` hold a point, and how many do.

    Parameters
    ----------
    marks : ndarray of uint32
        Filled slots of all books' pages; bit c stands for slot c.
    filled : ndarray of uint32, one a page
    cells_in : ndarray of int32, one a page
        Both filled.
    """
    for page in range(first, last):
        bits = np.uint32(0)
        for t in range(len(where)):
            if where[t, page] >= 0:
                bits |= marks[where[t, page]]
        filled[page] = bits
        cells_in[page] = ones(np.uint64(bits))


@kernel
def list_cells(where, page_bits, page_keys, filled, first_cell, first, last, keys, words):
    """Write the keys of the cells of the pages ``first:last``, and the word of every book's page.

    Parameters
    ----------
    first_cell : ndarray of int32, one a page
    keys : ndarray of int64, one a cell
    words : ndarray of int64
        For all books' pages; filled with the first cell, then the filled slots.
    """
    columns = np.empty((1 << page_bits) + 1, np.int64)
    for page in range(first, last):
        n = 0
        for c in range(np.int64(1) << page_bits):  # no asking: which are filled cannot be guessed
            columns[n] = c
            n += (filled[page] >> c) & 1
        cell = np.int64(first_cell[page])
        for i in range(n):
            keys[cell + i] = (page_keys[page] << page_bits) | columns[i]
        word = cell << FILLED_BITS | np.int64(filled[page])
        for t in range(len(where)):
            if where[t, page] >= 0:
                words[where[t, page]] = word


@inlined
def _turn(cells, first, last, ahead, page_bits, words, at, looked_up, few, counts):
    """Turn the slots of points ``first:last`` into cells, and count them; short loops do not wait for each other.

    Meanwhile what lies so far `ahead` is fetched.
    """
    inside = (np.int64(1) << page_bits) - 1
    for start in range(first, last, SHORT):
        own = cells[start : min(start + SHORT, last)]
        lines_soon_written(cells, start + ahead, SHORT)
        for j in range(len(own)):
            looked_up[j] = words[np.uint64(at + (np.int64(own[j]) >> page_bits))]
        for j in range(len(own)):
            before = looked_up[j] & ((np.int64(1) << (np.int64(own[j]) & inside)) - 1)
            own[j] = (looked_up[j] >> FILLED_BITS) + np.int64(ones(np.uint64(before)))
        for cell in own:
            n = np.uint8(few[np.uint64(cell)] + 1)
            few[np.uint64(cell)] = n
            if n == 0:
                counts[np.uint64(cell)] += 256


@kernel
def to_cells(start, stop, down, taken, page_bits, middle, words, before, after, cells, counts):
    """Turn the slots of points of ``start:stop`` into cells in place, as many as the other thread leaves.

    The points of each cell are counted in bytes, whose carries alone go to `counts` at once: a quarter of the memory
    to jump about in.

    Parameters
    ----------
    start, stop, down, taken
        A :class:`cabstand.clustering.kernels.meet.Side`.
    middle : int
        The first point whose slot is in the other book of the stretch.
    words : ndarray of int64
        Of all books' pages.
    before, after : int
        Where in `words` the pages of the one book begin, and those of the other.
    cells : ndarray of int32, one a point
    counts : ndarray of int32, one a cell
        Added to.

    Returns
    -------
    int
        Blocks taken.
    """
    few, looked_up = np.zeros(len(counts), np.uint8), np.empty(SHORT, np.int64)
    ahead = -BLOCK if down else BLOCK
    done = 0
    while True:
        first, last = next_block(start, stop, down, taken, done)
        if first == last:
            break
        done += 1
        _turn(cells, first, min(last, middle), ahead, page_bits, words, before, looked_up, few, counts)
        _turn(cells, max(first, middle), last, ahead, page_bits, words, after, looked_up, few, counts)
    for cell in range(len(counts)):
        counts[cell] += few[cell]
    return done
