"""Radix sort of keys: least significant digits first, in passes of 11 bits."""

from __future__ import annotations

import numpy as np

from cabstand.clustering.kernels.jit import kernel
from cabstand.clustering.kernels.threads import Array

DIGIT_BITS = 11
SMALL = 1 << 14  # keys below which NumPy's sort is as fast


@kernel
def one_pass(keys, order, shift, to_keys, to_order):
    """Sort keys, and `order` with them, by the digit at bit `shift`; equal digits keep their order."""
    mask = np.uint64((1 << DIGIT_BITS) - 1)
    heads = np.zeros(1 << DIGIT_BITS, np.int64)
    for i in range(np.uint64(len(keys))):
        heads[(np.uint64(keys[i]) >> np.uint64(shift)) & mask] += 1
    head = 0
    for digit in range(len(heads)):
        n = heads[digit]
        heads[digit] = head
        head += n
    for i in range(np.uint64(len(keys))):
        digit = (np.uint64(keys[i]) >> np.uint64(shift)) & mask
        to = np.uint64(heads[digit])
        heads[digit] += 1
        to_keys[to] = keys[i]
        to_order[to] = order[i]


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
        one_pass(here, order, shift, there, other)
        here, there, order, other = there, here, other, order
    return here, order
