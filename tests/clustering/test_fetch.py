"""Prefetching changes nothing in memory, and the element need not exist."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit

from cabstand.clustering.kernels.instructions import LINE, prefetch_read, prefetch_write, prefetch_write_lines


@njit
def _prefetch(array: Any, index: int) -> None:
    prefetch_read(array, np.uint64(index))
    prefetch_write(array, np.uint64(index))


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("index", [0, 99, 100, 1 << 20, 1 << 40, -1, -(1 << 40)])
def test_prefetching_changes_nothing_whatever_the_index(kind: type, index: int) -> None:
    array = np.arange(100).astype(kind)
    _prefetch(array, index)
    assert array.tolist() == list(range(100))


@njit
def _prefetch_lines(array: Any, first: int, n: int) -> None:
    prefetch_write_lines(array, first, n)


@pytest.mark.parametrize("kind", [np.bool_, np.int32, np.float64])
@pytest.mark.parametrize(("first", "n"), [(0, 0), (0, 100), (90, LINE), (1 << 40, LINE), (-5, 5)])
def test_prefetching_lines_changes_nothing(kind: type, first: int, n: int) -> None:
    array = (np.arange(100) % 2).astype(kind)
    _prefetch_lines(array, first, n)
    assert array.tolist() == [0, 1] * 50


def test_an_empty_array_may_be_prefetched() -> None:
    _prefetch(np.empty(0), 5)
