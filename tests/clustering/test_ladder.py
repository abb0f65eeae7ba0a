"""Several `min_samples` in one go against one clustering after another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cabstand.clustering import dbscan as module
from cabstand.clustering.dbscan import dbscan, dbscan_each
from cabstand.clustering.engines import ENGINES, warm_up_points
from cabstand.clustering.kernels import ladder
from cabstand.clustering.kernels.neighbour_cells import MOST_SPANS

M = 1 / 111_194.93  # degrees of latitude in a metre
LEVELS = [1, 2, 5, 9, 30, 100, 1000, 1 << 70]


def check(points: np.ndarray, eps_m: float, levels: list[int], metric: str = "haversine", n_threads: int = 1) -> None:
    found = list(dbscan_each(points, eps_m, levels, metric=metric, n_threads=n_threads))
    assert len(found) == len(levels)
    for one, min_samples in zip(found, levels, strict=True):
        expected = dbscan(points, eps_m, min_samples, metric=metric)
        assert np.array_equal(one.labels, expected.labels), min_samples
        assert np.array_equal(one.core, expected.core), min_samples
        assert one.n_clusters == expected.n_clusters


@given(
    arrays(np.float64, st.tuples(st.integers(0, 60), st.just(2)), elements=st.integers(-9, 9)),
    st.sampled_from([1.0, 1.5, 2.0, 40.0]),
    st.lists(st.integers(1, 12), min_size=1, max_size=5, unique=True).map(sorted),
)
def test_a_few_points_on_a_plane(points: np.ndarray, eps: float, levels: list[int]) -> None:
    check(points, eps, levels, "euclidean")


@given(st.integers(0, 2**32 - 1), st.sampled_from([15.0, 40.0, 90.0]), st.sampled_from([1, 2]))
@settings(max_examples=15)
def test_crowds_and_strangers(seed: int, eps_m: float, n_threads: int) -> None:
    random = np.random.default_rng(seed)
    crowds = random.uniform(0, 1500, (6, 2)).repeat(random.integers(1, 4000, 6), axis=0)
    crowds += random.normal(0, 25, crowds.shape)
    points = np.array([40.7, -74.0]) + np.concatenate([crowds, random.uniform(0, 1500, (15_000, 2))]) * M
    check(random.permutation(points), eps_m, LEVELS, n_threads=n_threads)


@pytest.mark.parametrize("which", range(6))
@pytest.mark.parametrize("n_threads", [1, 2])
def test_suburbs_the_globe_and_the_poles(which: int, n_threads: int) -> None:
    check(warm_up_points()[which], 50.0, [*LEVELS[:-2], 700], n_threads=n_threads)
    check(warm_up_points()[which][:2000], 5e6, LEVELS, n_threads=n_threads)


@pytest.mark.parametrize("centre", [(40.7, -74.0), (0.0, 180.0), (-89.999, 10.0), (-80.0, -180.0)])
@pytest.mark.parametrize("room", [ladder.MOST_OPEN, MOST_SPANS])
def test_full_cells_in_patches(centre: tuple[float, float], room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "MOST_OPEN", room)
    random = np.random.default_rng(4)
    points = np.concatenate([random.uniform(-300, 300, (12_000, 2)), random.normal(0, 40, (3000, 2)) + 150])
    lat, lon = centre
    latlon = np.column_stack([lat + points[:, 0] * M, lon + points[:, 1] * M / np.cos(np.radians(lat))])
    latlon = np.column_stack([latlon[:, 0].clip(-90, 90), (latlon[:, 1] + 180) % 360 - 180])
    check(latlon, 100.0, [100, 600, 900, 1200, 2500], n_threads=2)
    check(points.round(-1), 100.0, [100, 600, 900, 1200, 2500], "euclidean")  # many at just this distance


def test_cells_that_cost_too_much() -> None:
    random = np.random.default_rng(3)
    ring = random.uniform(0, 2 * np.pi, 60_000)
    far = np.column_stack([np.sin(ring), np.cos(ring)]) * random.uniform(99.9, 100.2, (60_000, 1))
    points = np.concatenate([random.normal(0, 0.05, (4000, 2)), far])
    check(points, 100.0, [10, 5000, 20_000, 30_000, 40_000], "euclidean", 2)


def test_more_levels_than_are_counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LEVELS", 2)
    check(np.random.default_rng(0).uniform(0, 10, (300, 2)), 1.0, [1, 3, 5, 8, 13], "euclidean")


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("weighted", [False, True])
def test_every_engine_does_each(name: str, weighted: bool) -> None:
    points = np.random.default_rng(0).normal([40.7, -74.0], 0.003, (2000, 2))
    weight = np.random.default_rng(1).uniform(-1, 3, 2000) if weighted else None
    for one, level in zip(ENGINES[name].run_each(points, 40.0, [3, 9], weight, 2), [3, 9], strict=True):
        assert np.array_equal(one.labels, dbscan(points, 40.0, level, sample_weight=weight).labels)
