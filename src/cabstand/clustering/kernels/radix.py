"""Radix sort of keys: least significant digits first, in passes of 11 bits."""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.threads import Array, slices

DIGIT_BITS = 11
SMALL = 1 << 14  # keys below which NumPy's sort is as fast


@kernel
def count_digits(keys, shift, counts):
    """Add to `counts` how many keys have each digit at bit `shift`."""
    mask = np.uint64((1 << DIGIT_BITS) - 1)
    for i in range(np.uint64(len(keys))):
        counts[(np.uint64(keys[i]) >> np.uint64(shift)) & mask] += 1


@kernel
def move(keys, order, shift, heads, to_keys, to_order):
    """Move keys, and `order` with them, to where the heads of their digits are; equal digits keep their order."""
    mask = np.uint64((1 << DIGIT_BITS) - 1)
    for i in range(np.uint64(len(keys))):
        digit = (np.uint64(keys[i]) >> np.uint64(shift)) & mask
        to = np.uint64(heads[digit])
        heads[digit] += 1
        to_keys[to] = keys[i]
        to_order[to] = order[i]


def _one_pass(keys: Array, order: Array, shift: int, to_keys: Array, to_order: Array) -> None:
    counts = np.zeros(1 << DIGIT_BITS, np.int64)
    for a, b in slices(0, len(keys)):
        count_digits(keys[a:b], shift, counts)
    heads = np.cumsum(counts) - counts
    for a, b in slices(0, len(keys)):
        move(keys[a:b], order[a:b], shift, heads, to_keys, to_order)


def argsort(keys: Array) -> tuple[Array, Array]:
    """Return keys (int64, none negative) in order, and the index each came from, as int32.

    Keys that are in order already are returned themselves, not a copy.
    """
    if not np.any(keys[1:] < keys[:-1]):
        return keys, np.arange(len(keys), dtype=np.int32)
    if len(keys) < SMALL:
        order = np.argsort(keys)
        return keys[order], order.astype(np.int32)
    here, order = keys.copy(), np.arange(len(keys), dtype=np.int32)
    there, other = np.empty_like(here), np.empty_like(order)
    for shift in range(0, int(keys.max()).bit_length(), DIGIT_BITS):
        _one_pass(here, order, shift, there, other)
        here, there, order, other = there, here, other, order
    return here, order
