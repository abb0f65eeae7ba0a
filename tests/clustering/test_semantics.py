"""What scikit-learn documents of DBSCAN, one sentence a test."""

from __future__ import annotations

import numpy as np
import pytest

from cabstand.clustering.dbscan import Clustering, dbscan
from clustering.oracle import scikit_learn


def line(*xs: float) -> np.ndarray:
    return np.array([[float(x), 0.0] for x in xs])


def plane(points: object, eps: float, min_samples: int, weight: object = None) -> Clustering:
    return dbscan(points, eps, min_samples, metric="euclidean", sample_weight=weight)  # type: ignore[arg-type]


def test_a_point_at_exactly_eps_is_a_neighbour() -> None:
    assert plane(line(0, 1), 1.0, 2).labels.tolist() == [0, 0]
    assert plane(line(0, np.nextafter(1, 2)), 1.0, 2).labels.tolist() == [-1, -1]


def test_min_samples_counts_the_point_itself() -> None:
    assert plane(line(0), 1.0, 1).core.tolist() == [True]
    assert plane(line(0), 1.0, 2).core.tolist() == [False]


def test_a_border_point_between_two_clusters_takes_the_lower() -> None:
    points = line(-2, -1.75, -1.5, -1, 1, 1.5, 1.75, 2, 0)  # 0 is within 1 of the core points -1 and 1
    assert plane(points, 1.0, 4).labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 0]
    assert plane(points[::-1], 1.0, 4).labels.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1]


def test_border_points_do_not_join_clusters() -> None:
    found = plane(line(-2, -1.75, -1.5, -1, 1, 1.5, 1.75, 2, 0), 1.0, 4)
    assert found.n_clusters == 2
    assert not found.core[-1]


def test_clusters_are_numbered_by_their_first_core_point() -> None:
    points = line(50, 10, 20, 10, 20, 50)
    assert plane(points, 1.0, 2).labels.tolist() == [0, 1, 2, 1, 2, 0]


def test_noise_is_minus_one() -> None:
    assert plane(line(0, 5, 10), 1.0, 2).labels.tolist() == [-1, -1, -1]


def test_the_weight_of_one_point_can_make_it_core() -> None:
    assert plane(line(0, 10), 1.0, 5, [5.0, 4.0]).core.tolist() == [True, False]


def test_a_negative_weight_can_keep_its_neighbour_from_being_core() -> None:
    assert plane(line(0, 0.5), 1.0, 3, [4.0, -2.0]).core.tolist() == [False, False]
    assert plane(line(0, 0.5), 1.0, 2, [4.0, -2.0]).core.tolist() == [True, True]


def test_a_weight_of_zero_still_belongs() -> None:
    found = plane(line(0, 0.5, 9), 1.0, 3, [3.0, 0.0, 0.0])
    assert found.labels.tolist() == [0, 0, -1]
    assert found.core.tolist() == [True, True, False]


def test_weights_are_as_good_as_copies() -> None:
    rng = np.random.default_rng(2)
    points = rng.normal(0, 3, (200, 2))
    copies = rng.integers(1, 4, 200)
    weighted = plane(points, 0.7, 6, copies.astype(float))
    repeated = plane(np.repeat(points, copies, axis=0), 0.7, 6)
    first = np.cumsum(copies) - copies
    np.testing.assert_array_equal(weighted.core, repeated.core[first])
    np.testing.assert_array_equal(weighted.labels, repeated.labels[first])


def test_all_in_one_place() -> None:
    found = dbscan(np.full((500, 2), 40.0), 1.0, 500)
    assert found.n_clusters == 1
    assert found.core.all()


@pytest.mark.parametrize("longitude", [180.0, -180.0])
def test_both_names_of_the_antimeridian(longitude: float) -> None:
    assert dbscan([[10.0, longitude], [10.0, -longitude]], 1.0, 2).labels.tolist() == [0, 0]


def test_every_longitude_of_a_pole_is_one_place() -> None:
    points = [[90.0, x] for x in range(-180, 181, 40)]
    assert dbscan(points, 1.0, 10).n_clusters == 1


def test_longitudes_may_run_to_360() -> None:
    points = np.random.default_rng(1).normal([40.7, -74.0], 0.002, (300, 2))
    wanted = dbscan(points, 60, 5)
    turned = points + np.array([0, 360])
    np.testing.assert_array_equal(dbscan(turned, 60, 5).labels, wanted.labels)
    half = np.where(np.arange(300)[:, None] % 2, points, turned)
    np.testing.assert_array_equal(dbscan(half, 60, 5).labels, wanted.labels)


def test_eps_around_the_world() -> None:
    assert dbscan([[90.0, 0.0], [-90.0, 0.0], [0.0, 77.0]], 2.1e7, 3).labels.tolist() == [0, 0, 0]


def test_memory_order_writability_and_precision() -> None:
    points = np.random.default_rng(3).normal([40.7, -74.0], 0.003, (500, 2))
    wanted = dbscan(points, 60, 8).labels
    frozen = points.copy()
    frozen.flags.writeable = False
    wide = np.zeros((1000, 4))
    wide[::2, 1::2] = points
    for same in (frozen, np.asfortranarray(points), wide[::2, 1::2], points.tolist(), points[::-1][::-1]):
        np.testing.assert_array_equal(dbscan(same, 60, 8).labels, wanted)
    single = points.astype(np.float32)
    labels, _ = scikit_learn(single, 60, 8)  # of the same float32 degrees, computed in float64
    np.testing.assert_array_equal(dbscan(single, 60, 8).labels, labels)


def test_input_is_left_alone() -> None:
    points = np.random.default_rng(4).normal([40.7, 200.0], 0.003, (50, 2))
    before = points.copy()
    dbscan(points, 60, 3)
    np.testing.assert_array_equal(points, before)


def test_two_dense_clumps_just_over_eps_apart() -> None:
    """Facing edges a hair beyond eps: neither joined nor compared all with all."""
    rng = np.random.default_rng(6)
    ys, xs = rng.uniform(0, 1, 40_000), rng.uniform(-1, 0, 40_000)
    xs[:2000] = 0
    left, right = np.c_[ys, xs], np.c_[ys, -xs + 1 + 1e-9]
    assert plane(np.r_[left, right], 1.0, 5).n_clusters == 2
    assert plane(np.r_[left, right - np.array([0, 1e-9])], 1.0, 5).n_clusters == 1
