"""Every point's slot stands for its cell, however its page is found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.clustering.kernels import slots, slots_tiled
from cabstand.clustering.kernels.grid import Grid, make_grid
from cabstand.clustering.kernels.pages import PAGE_BITS
from cabstand.clustering.kernels.slots_tiled import LEAST_BITS
from cabstand.clustering.kernels.threads import workers

EPS_M = 50.0
TOWN = np.array([0.02, 0.03])  # degrees


def towns(n_towns: int, n: int, seed: int, width: float) -> tuple[np.ndarray, Grid]:
    """Scatter towns over a part of the Earth, and lay a grid over them."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform([-70, -width / 2], [70, width / 2], (n_towns, 2))
    points = centres[rng.integers(0, n_towns, n)] + rng.uniform(0, 1, (n, 2)) * TOWN
    low, high = points.min(axis=0), points.max(axis=0)
    return points, make_grid(np.array([low[0], high[0], low[1], high[1]]), EPS_M, spherical=True)


def keys_of(points: np.ndarray, grid: Grid) -> np.ndarray:
    """Find the key of each point's cell the slow way."""
    row = np.minimum(((points[:, 0] - grid.origin0) * grid.rows_per_unit).astype(np.int64), grid.n_rows - 1)
    per_unit = grid.bands[row >> grid.band_shift, 0]
    col = ((points[:, 1] - grid.origin1) * per_unit).astype(np.int64)
    last = np.floor(360.0 * per_unit + 0.5).astype(np.int64) - 1 if grid.wraps else np.int64(1 << grid.col_bits)
    return row << grid.col_bits | np.minimum(col, last)


@given(
    n_towns=st.integers(1, 40),
    n=st.integers(2, 3000),
    seed=st.integers(0, 99),
    width=st.sampled_from([0.0, 20.0, 350.0]),
    n_threads=st.sampled_from([1, 2]),
)
def test_slots_are_cells(n_towns: int, n: int, seed: int, width: float, n_threads: int) -> None:
    points, grid = towns(n_towns, n, seed, width)
    slot_of = np.empty(n, np.int32)
    with workers(slots_tiled.SLICE, n_threads) as pool:
        page_bits, pages, chunks = slots.run(points, grid, slot_of, pool)
    assert page_bits == PAGE_BITS
    keys = keys_of(points, grid)
    for own, (a, b) in zip(pages, chunks, strict=True):
        page, inside = slot_of[a:b] >> PAGE_BITS, slot_of[a:b] & ((1 << PAGE_BITS) - 1)
        np.testing.assert_array_equal(own.keys[page] << PAGE_BITS | inside, keys[a:b])
        assert len(np.unique(own.keys)) == len(own.keys)
        filled = np.zeros(len(own.keys), np.uint32)
        np.bitwise_or.at(filled, page, np.uint32(1) << inside.astype(np.uint32))
        np.testing.assert_array_equal(own.filled, filled)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(("n", "page_bits"), [(1 << LEAST_BITS, PAGE_BITS), ((1 << LEAST_BITS) * 4, 0)])
def test_too_many_tiles_are_sorted_instead(n: int, page_bits: int, n_threads: int) -> None:
    """Points that have a tile each may have as many as there is room for."""
    rng = np.random.default_rng(0)
    points = np.c_[np.degrees(np.arcsin(rng.uniform(-1, 1, n))), rng.uniform(-180, 180, n)]
    points[0] = -90.0, -180.0
    points[1] = 90.0, 180.0
    grid = make_grid(np.array([-90.0, 90.0, -180.0, 180.0]), EPS_M, spherical=True)
    slot_of = np.empty(n, np.int32)
    with workers(slots_tiled.SLICE, n_threads) as pool:
        found, pages, chunks = slots.run(points, grid, slot_of, pool)
    assert found == page_bits
    keys = keys_of(points, grid)
    for own, (a, b) in zip(pages, chunks, strict=True):
        page, inside = slot_of[a:b] >> found, slot_of[a:b] & ((1 << found) - 1)
        np.testing.assert_array_equal(own.keys[page] << found | inside, keys[a:b])
