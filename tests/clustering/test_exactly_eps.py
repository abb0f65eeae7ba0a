"""Points at exactly eps: `predict` finds those that `fit` finds, and no others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from cabstand import GeoDBSCAN
from cabstand.clustering.dbscan import dbscan
from clustering.oracle import EARTH_RADIUS_M

DIRECTIONS = {"meridian": (1.0, 0.0), "parallel": (0.0, 1.0), "diagonal": (1.0, -1.0)}
DTYPES = [np.float32, np.float64]


def distance_m(a: np.ndarray, b: np.ndarray) -> float:
    (lat, lon), (other_lat, other_lon) = np.radians(a.astype(float)), np.radians(b.astype(float))
    over_lat, over_lon = math.sin((lat - other_lat) / 2) ** 2, math.sin((lon - other_lon) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(over_lat + math.cos(lat) * math.cos(other_lat) * over_lon))


def starts(where: str, n: int, rng: np.random.Generator) -> np.ndarray:
    low, high = {
        "anywhere": ((-80, -170), (80, 170)),
        "city": ((40.5, -74.2), (41, -73.7)),
        "antimeridian": ((-20, 179.9999), (20, 180)),
        "up to 360 degrees": ((-60, 179.9), (60, 359.9)),
        "pole": ((89.999, -180), (89.9999, 180)),
    }[where]
    return rng.uniform(low, high, (n, 2))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_border_points_at_exactly_eps_are_predicted(direction: str, dtype: Any) -> None:
    rng, found = np.random.default_rng(3), 0
    for start in starts("anywhere", 300, rng):
        step = np.array(DIRECTIONS[direction]) * rng.uniform(1e-4, 1e-2)
        points = np.array([start - step / 2, start, start + step], dtype)
        model = GeoDBSCAN(eps_m=distance_m(points[1], points[2]), min_samples=3).fit(points)
        labels, metres = model.predict(points, return_distance=True)
        np.testing.assert_array_equal(labels, model.labels_)
        assert not (metres > model.eps_m).any()
        assert model.core_sample_indices_.tolist() in ([1], [])
        found += int(labels[2] == 0)
    assert 150 < found < 300  # rounding decides, either way


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("where", ["anywhere", "city", "antimeridian", "up to 360 degrees", "pole"])
def test_fit_and_predict_agree_on_who_is_near(where: str, direction: str, dtype: Any) -> None:
    rng, near = np.random.default_rng(4), []
    for start in starts(where, 30, rng):
        step = np.array(DIRECTIONS[direction]) * 10 ** rng.uniform(-6, 0)
        if where == "pole":  # meridians are near each other, and latitudes must not exceed 90
            step *= (1e-4, 90)
        core, query = start.astype(dtype), (start + step).astype(dtype)
        exactly = distance_m(core, query)
        for eps_m in (exactly, np.nextafter(exactly, 0), np.nextafter(exactly, np.inf), exactly * (1 + 1e-14)):
            if eps_m < 0.1:
                continue  # float32 may round the step away
            near.append(int(dbscan([core, query], eps_m, 2).labels[1]))
            model = GeoDBSCAN(eps_m, min_samples=1).fit(core[None])
            assert model.predict(query[None]).tolist() == near[-1:]
            other = GeoDBSCAN(eps_m, min_samples=1).fit(query[None])
            assert other.predict(core[None]).tolist() == near[-1:]
    assert {-1, 0} == set(near)


def test_among_core_points_at_eps_one_that_is_near_is_found() -> None:
    """The nearest by a rounded distance may be just too far while another is just near enough."""
    rng, mixed = np.random.default_rng(5), 0
    for query in starts("city", 300, rng):
        height = 10 ** rng.uniform(-4, -2)
        width = height / math.cos(math.radians(query[0]))
        cores = query + np.array([[height, 0], [-height, 0], [0, width], [0, -width]])
        eps_m = distance_m(query, cores[rng.integers(4)])
        near = [bool(dbscan([query, core], eps_m, 2).labels[0] == 0) for core in cores]
        mixed += 0 < sum(near) < 4
        model = GeoDBSCAN(eps_m, min_samples=1).fit(cores)
        label = int(model.predict(query[None])[0])
        assert label in (np.flatnonzero(near) if any(near) else [-1])
    assert mixed > 50


@pytest.mark.parametrize("dtype", DTYPES)
def test_exactly_eps_in_the_plane(dtype: Any) -> None:
    rng, near = np.random.default_rng(6), []
    for _ in range(300):
        core, query = rng.uniform(-1e4, 1e4, (2, 2)).astype(dtype)
        eps_m = float(math.hypot(*(core.astype(float) - query)))
        near.append(int(dbscan([core, query], eps_m, 2, metric="euclidean").labels[1]))
        model = GeoDBSCAN(eps_m, min_samples=1, metric="euclidean").fit(core[None])
        assert model.predict(query[None]).tolist() == near[-1:]
    assert {-1, 0} == set(near)


@pytest.mark.parametrize("eps_m", [None, math.pi * EARTH_RADIUS_M, np.nextafter(math.pi * EARTH_RADIUS_M, 0), 2.1e7])
def test_on_the_other_side_of_the_earth(eps_m: float | None) -> None:
    for core in starts("city", 50, np.random.default_rng(7)):
        query = np.array([-core[0], core[1] + 180])
        reach_m = eps_m or distance_m(core, query)
        near = int(dbscan([core, query], reach_m, 2).labels[1])
        model = GeoDBSCAN(reach_m, min_samples=1).fit(core[None])
        assert model.predict(query[None]).tolist() == [near]
