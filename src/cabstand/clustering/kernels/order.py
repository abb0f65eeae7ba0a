"""Sorts keys: least significant digits first, in passes of 11 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.kernels.jit import kernel

DIGIT_BITS = 11
SMALL = 1 << 14  # below it NumPy's sort is as quick


@kernel
def one_pass(keys, order, shift, to_keys, to_order):
    """Move keys and what they stand for into the order of one digit; equal digits keep their order."""
    mask = np.uint64((1 << DIGIT_BITS) - 1)
    places = np.zeros(1 << DIGIT_BITS, np.int64)
    for i in range(np.uint64(len(keys))):
        places[(np.uint64(keys[i]) >> np.uint64(shift)) & mask] += 1
    place = 0
    for digit in range(len(places)):
        n = places[digit]
        places[digit] = place
        place += n
    for i in range(np.uint64(len(keys))):
        digit = (np.uint64(keys[i]) >> np.uint64(shift)) & mask
        to = np.uint64(places[digit])
        places[digit] += 1
        to_keys[to] = keys[i]
        to_order[to] = order[i]


def ranked(keys: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return keys (none negative) in order, and where the lowest of them was, where the next, and so on, as int32.

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
