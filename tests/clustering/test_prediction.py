"""Compiled prediction against the index, whose answers it must give to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cabstand import GeoDBSCAN
from cabstand.clustering.core_index import CoreIndex
from cabstand.clustering.kernels import nearest
from cabstand.clustering.metrics import EARTH_RADIUS_M
from cabstand.clustering.prediction import Predictor

MANY = settings(max_examples=150, suppress_health_check=list(HealthCheck))
CENTRES = [(40.75, -73.98), (-33.9, 151.2), (79.99, 5.0), (90.0, 0.0), (0.0, 180.0), (-16.5, -179.9999), (0.0, 0.0)]


def assert_same(index: CoreIndex, points: np.ndarray) -> None:
    predictor, (cluster, distance) = Predictor(index), index.query(points)
    np.testing.assert_array_equal(predictor.labels(points), cluster)
    found, distance_m = predictor.labels_and_distances(points)
    np.testing.assert_array_equal(found, cluster)
    np.testing.assert_array_equal(distance_m, distance)
    assert (found.dtype, distance_m.dtype) == (np.int32, np.float64)


@MANY
@given(
    centre=st.sampled_from(CENTRES),
    n=st.sampled_from([0, 1, 16, 17, 64, 65, 300, 2_000]),
    spread=st.sampled_from([0.0, 1e-4, 1e-2, 3.0]),
    decimals=st.sampled_from([3, 4, 15]),
    eps=st.sampled_from([1e-6, 0.5, 50.0, 5_000.0, 19_000.0, 1e6, 2.1e7]),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_the_index_anywhere(
    centre: tuple[float, float], n: int, spread: float, decimals: int, eps: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)

    def draw(count: int) -> np.ndarray:
        points = np.array(centre) + rng.normal(0, 1, (count, 2)) * [spread, spread * rng.choice([1, 50])]
        return np.round(np.clip(points, [-90, -1000], [90, 1000]), decimals)

    cores = draw(n)
    index = CoreIndex.build(cores, rng.integers(0, 5, n), eps)
    beside = cores[:50] + rng.normal(0, eps / 111_195, cores[:50].shape)
    turned = cores[:10] + np.array([0, 360])
    halfway = (cores[:50] + cores[-50:][::-1]) / 2  # often as near to the one as to the other
    assert_same(index, np.concatenate([draw(50), cores[:50], beside, turned, halfway, [(90.5, 0), (-91, 3)]]))


@MANY
@given(n=st.integers(0, 500), eps=st.sampled_from([0.5, 1.0, 3.0]), seed=st.integers(0, 2**32 - 1))
def test_equals_the_index_in_the_plane(n: int, eps: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cores, ids = rng.integers(-20, 20, (n, 2)).astype(float), rng.integers(0, 5, n)
    points = np.concatenate([rng.integers(-25, 25, (60, 2)), rng.normal(0, 20, (60, 2))])
    assert_same(CoreIndex.build(cores, ids, eps, metric="euclidean"), points)


@MANY
@given(seed=st.integers(0, 2**32 - 1), eps=st.sampled_from([20.0, 50.0, 10_000.0]))
def test_equals_the_index_at_exactly_eps(seed: int, eps: float) -> None:
    """North, south, east and west of one core point, as near to eps as numbers allow."""
    rng = np.random.default_rng(seed)
    core = rng.uniform([-75, -170], [75, 170])
    angle = np.degrees(eps / EARTH_RADIUS_M) * (1 + rng.integers(-8, 9, 40) * 2.0**-50)
    east = 2 * np.degrees(np.arcsin(np.sin(np.radians(angle) / 2) / np.cos(np.radians(core[0]))))
    still = np.zeros_like(angle)
    steps = np.concatenate([np.c_[angle, still], np.c_[-angle, still], np.c_[still, east], np.c_[still, -east]])
    assert_same(CoreIndex.build([core], [3], eps), core + steps)


def test_points_of_a_city_are_answered_by_compiled_code() -> None:
    rng = np.random.default_rng(4)
    index = CoreIndex.build(rng.normal([40.75, -73.98], 0.02, (20_000, 2)), rng.integers(0, 9, 20_000), 50.0)
    queries = rng.normal([40.75, -73.98], 0.02, (5_000, 2))
    for strict in (False, True):
        found = nearest.run(queries, Predictor(index)._tree, Predictor(index)._searches[strict])  # type: ignore[arg-type]
        assert (found == nearest.ASK).sum() == 0
        assert (found >= 0).sum() > 1_000


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64])
def test_any_layout_and_type_of_points(kind: type) -> None:
    rng = np.random.default_rng(5)
    town = rng.normal([40.0, -73.0], 0.003, (2_000, 2))
    model = GeoDBSCAN(min_samples=5).fit(town)
    points = (town + rng.normal(0, 3e-4, town.shape)).astype(kind)
    wanted = model.predict(points.tolist(), return_distance=True)
    wide = np.zeros((len(points), 5), kind)
    wide[:, 1:3] = points
    frozen = points.copy()
    frozen.flags.writeable = False
    for same in (points, np.asfortranarray(points), points[::-1].copy()[::-1], wide[:, 1:3], frozen):
        np.testing.assert_array_equal(model.predict(same, return_distance=True), wanted)
        np.testing.assert_array_equal(model.predict(same), wanted[0])
