"""Asking for memory changes nothing in it, and may ask for what is not there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit

from cabstand.clustering.kernels.fetch import soon_read, soon_written


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


def test_an_empty_array_may_be_asked() -> None:
    _ask(np.empty(0), 5)
