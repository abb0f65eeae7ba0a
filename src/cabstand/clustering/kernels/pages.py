"""Pages: runs of neighbouring cells of a row, found by each thread by itself and merged in order here."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels import radix
from cabstand.clustering.kernels.instructions import smaller
from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.threads import Array, Workers, slices

PAGE_BITS = 5  # binary logarithm of the columns of a page


class Pages(NamedTuple):
    """The pages of one thread, in the order in which it met them."""

    keys: Array  # int64: cell key >> page_bits
    filled: Array  # uint32: bit c is set if there is a point in slot c of the page


@kernel
def merge_sorted(keys, pages, heads, ends, merged, sources):
    """Merge sorted keys, those of thread t from ``heads[t]`` on; return how many are distinct. See :func:`merge`.

    The heads move on, and it is over when `merged` is full: then more may be left.
    """
    n = 0
    while n < len(merged):
        lowest = np.int64(0x7FFFFFFFFFFFFFFF)
        for t in range(len(heads)):
            if heads[t] < ends[t]:
                lowest = smaller(lowest, keys[heads[t]])
        if lowest == 0x7FFFFFFFFFFFFFFF:
            return n
        merged[n] = lowest
        for t in range(len(heads)):
            sources[n, t] = -1
            if heads[t] < ends[t] and keys[heads[t]] == lowest:
                sources[n, t] = pages[heads[t]]
                heads[t] += 1
        n += 1
    return n


def merge(threads_pages: list[Pages], workers: Workers) -> tuple[Array, Array]:
    """Merge the pages of all threads: return the distinct keys in order, and the sources of each.

    Its sources (int32, shape (pages, threads)) are each thread's page of that key, counted through all threads' pages,
    or -1.
    """
    in_order = workers.run(radix.argsort, [(pages.keys,) for pages in threads_pages])
    if len(in_order) == 1:
        keys, order = in_order[0]
        return keys, order.reshape(-1, 1)
    firsts = np.cumsum([0, *(len(keys) for keys, _ in in_order)])
    keys = np.concatenate([keys for keys, _ in in_order])
    pages = np.concatenate([order + np.int32(a) for (_, order), a in zip(in_order, firsts[:-1], strict=True)])
    merged, sources = np.empty(len(keys), np.int64), np.empty((len(keys), len(in_order)), np.int32)
    heads, n = firsts[:-1].copy(), 0
    for a, b in slices(0, len(keys)):
        n += merge_sorted(keys, pages, heads, firsts[1:], merged[a:b], sources[a:b])
    return merged[:n], sources[:n]
