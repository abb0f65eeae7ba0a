"""Asking for memory changes nothing in it, and may ask for what is not there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit

from cabstand.clustering.kernels.fetch import LINE, lines_soon_written, soon_read, soon_written


@njit
def _ask(array: Any, index: int) -> None:
    soon_read(array, np.uint64(index))
    soon_written(array, np.uint64(index))


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("index", [0, 99, 100, 1 << 20, 1 << 40, -1, -(1 << 40)])
def test_asking_changes_nothing_wherever_the_place_may_be(kind: type, index: int) -> None:
    array = np.arange(100).astype(kind)
    _ask(array, index)
    assert array.tolist() == list(range(100))


@njit
def _ask_lines(array: Any, first: int, n: int) -> None:
    lines_soon_written(array, first, n)


@pytest.mark.parametrize("kind", [np.bool_, np.int32, np.float64])
@pytest.mark.parametrize(("first", "n"), [(0, 0), (0, 100), (90, LINE), (1 << 40, LINE), (-5, 5)])
def test_asking_for_lines_changes_nothing(kind: type, first: int, n: int) -> None:
    array = (np.arange(100) % 2).astype(kind)
    _ask_lines(array, first, n)
    assert array.tolist() == [0, 1] * 50


def test_an_empty_array_may_be_asked() -> None:
    _ask(np.empty(0), 5)
