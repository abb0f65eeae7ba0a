"""Numbers of squares of ground, by which a table of some length holds what lies in each.

Squares share a place in the table if their numbers are equal modulo its length.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROW = 2_654_435_761  # from the number of a square to that of the one north of it; to the one east it is 1
_BLOCK = 1 << 16  # points whose arrays stay in the cache


def squares(points: NDArray[np.float64], per_degree: tuple[float, float], length: int) -> NDArray[np.int32]:
    """Return the number of the square of each point in degrees, shape (n, 2), modulo `length`, a power of two.

    `per_degree` are the squares in a degree of latitude and of longitude.
    """
    square = np.empty(len(points), np.int32)
    for first in range(0, len(points), _BLOCK):
        block = slice(first, first + _BLOCK)
        row, column = (np.floor(axis * per) for axis, per in zip(points[block].T, per_degree, strict=True))
        number = row.astype(np.int64)
        number *= ROW
        number += column.astype(np.int64)
        square[block] = number & (length - 1)
    return square
