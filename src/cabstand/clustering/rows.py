"""Group equal rows of a matrix; NumPy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def group_rows(rows: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sort the rows of a matrix and find the runs of equal ones.

    Parameters
    ----------
    rows : ndarray, shape (n, d)

    Returns
    -------
    order : ndarray of int64, shape (n,)
        Sorts the rows, first column first; equal rows keep their order.
    starts : ndarray of int64, shape (k,)
        Where each run of equal rows begins in `order`: ``rows[order[starts]]`` are the distinct rows.
    """
    order = np.lexsort(rows.T[::-1])
    ordered = rows[order]
    new = np.ones(len(rows), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return order, np.flatnonzero(new)
