"""Rows of a matrix: group equal ones, or draw a sample; NumPy only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def group_rows(rows: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order that sorts rows, first column first, and where each run of equal rows begins in it.

    ``rows[order[starts]]`` are the distinct rows; equal rows keep their order.
    """
    order = _order(rows)
    ordered = rows[order]
    new = np.ones(len(rows), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return order, np.flatnonzero(new)


def distinct_rows(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct rows, first column first."""
    packed = _packed(rows)
    if packed is None:
        order, starts = group_rows(rows)
        return rows[order[starts]]
    key, low, spans = packed
    key.sort()
    new = np.ones(len(key), np.bool_)
    np.not_equal(key[1:], key[:-1], out=new[1:])
    key = key[new]
    found = np.empty((len(key), len(spans)), np.int64)
    for column in reversed(range(len(spans))):
        key, found[:, column] = np.divmod(key, spans[column])
    found += low
    return found


def _order(rows: NDArray[Any]) -> NDArray[np.int64]:
    packed = _packed(rows)
    return np.lexsort(rows.T[::-1]) if packed is None else np.argsort(packed[0], kind="stable")


def _packed(rows: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64], list[int]] | None:
    """Return rows of whole numbers as one number each, which sort like them, several times faster; None if too wide.

    With them come the least value and the range of each column.
    """
    if rows.dtype != np.int64 or not len(rows):
        return None
    low = rows.min(axis=0)
    spans = [int(most) - int(least) + 1 for least, most in zip(low, rows.max(axis=0), strict=True)]
    if math.prod(spans) >= 2**63:
        return None
    key = np.zeros(len(rows), np.int64)
    for column, least, span in zip(rows.T, low, spans, strict=True):
        key *= span
        key += column - least
    return key, low, spans


def sample_indices(n: int, most: int, seed: int) -> NDArray[np.int64]:
    """Return the indices of at most `most` of `n` rows, drawn without replacement; of all rows where they fit."""
    return np.arange(n) if n <= most else np.random.default_rng(seed).choice(n, most, replace=False)
