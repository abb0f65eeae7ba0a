"""The density under the map: nothing is lost or moved, against counting row by row."""

from __future__ import annotations

import base64
import zlib
from collections import Counter
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from cabstand.report import density

MONDAY = datetime(2024, 1, 1)
NEAR = np.array([40.7, -74.0])
TIMES = some.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1))


@given(some.lists(TIMES, min_size=1))
def test_the_hour_of_the_week(times: list[datetime]) -> None:
    found = density.hour_of_week(np.array(times, "M8[us]"))
    assert found.tolist() == [24 * one.weekday() + one.hour for one in times]


def test_an_unknown_time_has_no_hour() -> None:
    assert density.hour_of_week(np.array(["NaT", "2024-01-01T05:59"], "M8[us]")).tolist() == [-1, 5]


@given(some.integers(0, 2**32), some.integers(1, 300))
def test_counts_of_hotspots(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    labels, hour, weight = rng.integers(-1, 6, n).astype(np.int32), rng.integers(-1, 168, n), rng.integers(0, 9, n)
    wanted = [4, 0, 5]
    slow = Counter[tuple[int, int]]()
    for label, at, one in zip(labels.tolist(), hour.tolist(), weight.tolist(), strict=True):
        if at >= 0:
            slow[label, at] += one
    found = density.weeks(labels, hour, weight.astype(float), wanted)
    assert found.tolist() == [[slow[label, at] for at in range(168)] for label in wanted]
    packed = zlib.decompress(base64.b64decode(density.packed_weeks(found)))
    assert np.frombuffer(packed, "<u4").reshape(3, 168).tolist() == found.tolist()


@given(some.integers(0, 2**32), some.integers(1, 200), some.floats(-70, 70), some.floats(-170, 170))
def test_every_pickup_is_in_its_cell(seed: int, n: int, lat: float, lon: float) -> None:
    rng = np.random.default_rng(seed)
    points, hour = np.array([lat, lon]) + rng.uniform(-0.02, 0.02, (n, 2)), rng.integers(0, 168, n)
    made = density.rasterise(points, hour)
    assert made.count.sum() == n
    assert np.bincount(made.hour, made.count, minlength=168).tolist() == np.bincount(hour, minlength=168).tolist()
    # Cells are square in Mercator's projection, between the edges.
    north, south = (np.arcsinh(np.tan(np.radians(edge))) for edge in (made.north, made.south))
    y = np.arcsinh(np.tan(np.radians(points[:, 0])))
    row = (north - y) / (north - south) * made.n_rows
    column = (points[:, 1] - made.west) / (made.east - made.west) * made.n_columns
    slow = Counter(zip(np.floor(row).tolist(), np.floor(column).tolist(), strict=True))
    fast = Counter[tuple[float, float]]()
    for cell, count in zip(made.cell.tolist(), made.count.tolist(), strict=True):
        fast[divmod(float(cell), made.n_columns)] += count
    on_an_edge = (np.abs(row - np.round(row)) < 1e-6) | (np.abs(column - np.round(column)) < 1e-6)
    assert on_an_edge.any() or fast == slow


def test_a_raster_that_is_too_large_is_coarser(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    points, hour = NEAR + rng.uniform(-0.1, 0.1, (5000, 2)), rng.integers(0, 3, 5000)
    assert density.rasterise(points, hour).cell_m == density.CELLS_M[0]
    monkeypatch.setattr(density, "MOST_ENTRIES", 2000)
    made = density.rasterise(points, hour)
    assert made.cell_m > density.CELLS_M[0]
    assert len(made.cell) <= 2000
    assert made.count.sum() == 5000


def test_a_few_stray_points_do_not_stretch_it() -> None:
    near = NEAR + np.random.default_rng(0).uniform(-0.1, 0.1, (5000, 2))
    made = density.rasterise(np.concatenate([near, [[51.5, 0.0]]]), None)
    assert made.count.sum() > 4900
    assert made.east < -73.8
    assert made.hour.max() == 0


def test_it_reaches_the_page_whole() -> None:
    at = np.array([MONDAY + timedelta(minutes=37 * step) for step in range(400)], "M8[us]")
    points = NEAR + np.random.default_rng(1).uniform(-0.05, 0.05, (400, 2))
    made = density.rasterise(points, density.hour_of_week(at), np.full(400, 300.0))
    data, n = made.page_data, len(made.cell)
    read = zlib.decompress(base64.b64decode(data["data"]))
    assert np.cumsum(np.frombuffer(read, "<u4", n)).tolist() == made.cell.tolist()
    assert np.frombuffer(read, "<u2", n, 4 * n).tolist() == made.count.tolist()
    assert np.frombuffer(read, "u1", n, 6 * n).tolist() == made.hour.tolist()
    assert density.week(density.hour_of_week(at[:100]), None)[:3] == [2, 2, 1]  # 00:00, 00:37, 01:14, 01:51, 02:28


@given(some.integers(0, 2**32), some.integers(1, 300))
def test_the_centre_of_a_cell_is_near_its_points(seed: int, n: int) -> None:
    latlon = NEAR + np.random.default_rng(seed).uniform(0, 0.05, (n, 2))
    raster = density.rasterise(latlon, None)
    lat, lon = raster.centres(raster.cell)
    metres = 111_195 * np.hypot(lat[:, None] - latlon[:, 0], (lon[:, None] - latlon[:, 1]) * np.cos(np.radians(40.7)))
    assert metres.min(axis=0).max() < raster.cell_m  # half a diagonal of a cell, and the scale within the box
