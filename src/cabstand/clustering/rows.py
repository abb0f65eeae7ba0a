"""Rows of a matrix: group equal ones, or draw a sample; NumPy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def group_rows(rows: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order that sorts rows, first column first, and where each run of equal rows begins in it.

    ``rows[order[starts]]`` are the distinct rows; equal rows keep their order.
    """
    order = np.lexsort(rows.T[::-1])
    ordered = rows[order]
    new = np.ones(len(rows), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return order, np.flatnonzero(new)


def sample_indices(n: int, most: int, seed: int) -> NDArray[np.int64]:
    """Return the indices of at most `most` of `n` rows, drawn without replacement; of all rows where they fit."""
    return np.arange(n) if n <= most else np.random.default_rng(seed).choice(n, most, replace=False)
