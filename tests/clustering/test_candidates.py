"""Points that cannot be in a cluster, against clusterings with and without them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.clustering.candidates import candidates
from cabstand.clustering.dbscan import dbscan

M = 1 / 111_194.93  # degrees of latitude in a metre


def town(seed: int, n: int, lat: float = 40.7, lon: float = -74.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    places = random.uniform(-500, 500, (8, 2)).repeat(random.integers(1, n, 8), axis=0)
    metres = np.concatenate([places + random.normal(0, 20, places.shape), random.uniform(-500, 500, (n, 2))])
    metres = random.permutation(metres.round(random.integers(0, 4)))  # equal points, and many at just eps
    return np.column_stack([lat + metres[:, 0] * M, lon + metres[:, 1] * M / np.cos(np.radians(lat))])


@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 400),
    st.sampled_from([0.5, 5.0, 10.0, 60.0, 2000.0]),
    st.integers(1, 40),
    st.sampled_from([(40.7, -74.0), (0.0, 0.0), (-84.0, 178.0), (69.0, -20.0)]),
    st.booleans(),
)
def test_leaving_the_others_out_changes_no_label(
    seed: int, n: int, eps_m: float, min_samples: int, centre: tuple[float, float], weighted: bool
) -> None:
    points = town(seed, n, *centre)
    weight = np.random.default_rng(seed).choice([0.0, 0.5, 1.0, 7.0], len(points)) if weighted else None
    expected = dbscan(points, eps_m, min_samples, sample_weight=weight)
    kept = candidates(points, weight, eps_m, min_samples)
    assert kept is not None
    assert (expected.labels[~kept] < 0).all()
    found = dbscan(points[kept], eps_m, min_samples, sample_weight=None if weight is None else weight[kept])
    assert np.array_equal(found.labels, expected.labels[kept])
    assert np.array_equal(found.core, expected.core[kept])


@pytest.mark.parametrize("lat", [0.0, 40.7, -85.0])
def test_pairs_just_within_eps_stay(lat: float) -> None:
    random = np.random.default_rng(5)
    one = np.column_stack([lat + random.uniform(-0.5, 0.5, 2000), random.uniform(-5, 5, 2000)])
    turn = random.integers(0, 4, 2000) * np.pi / 2  # along the axes, where the most squares lie between them
    apart = np.column_stack([np.sin(turn), np.cos(turn) / np.cos(np.radians(one[:, 0]))]) * 9.99 * M
    points = np.concatenate([one, one + apart])
    assert dbscan(points, 10.0, 2).core.all()
    kept = candidates(points, None, 10.0, 2)
    assert kept is not None
    assert kept.all()


def test_most_strangers_are_left_out() -> None:
    random = np.random.default_rng(0)
    metres = np.concatenate([random.normal(0, 5, (1000, 2)), random.uniform(-5000, 5000, (9000, 2))])
    kept = candidates(np.array([40.7, -74.0]) + metres * M, None, 10.0, 20)
    assert kept is not None
    assert kept[:1000].mean() > 0.99
    assert kept[1000:].mean() < 0.05


@pytest.mark.parametrize("where", [(89.9995, 0.0), (-90.0, 0.0), (10.0, 179.9999), (10.0, -180.0), (0.0, 200.0)])
def test_nothing_is_told_beside_a_pole_or_the_antimeridian(where: tuple[float, float]) -> None:
    assert candidates(np.array([where, (0.0, 0.0)]), None, 100.0, 2) is None


def test_nothing_is_told_of_neighbourhoods_of_the_whole_earth_or_of_a_hair() -> None:
    for eps_m in (1.5e7, 1e-3):
        assert candidates(np.zeros((3, 2)), None, eps_m, 2) is None


def test_no_points_and_one() -> None:
    assert candidates(np.empty((0, 2)), None, 10.0, 1) is None
    found = candidates(np.zeros((1, 2)), None, 10.0, 1)
    assert found is not None
    assert found.tolist() == [True]
