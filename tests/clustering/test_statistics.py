"""Statistics against formulas written out, quality against known shapes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics

from cabstand.clustering import kdistance, neighbours, quality, statistics
from cabstand.clustering.dbscan import Clustering
from cabstand.clustering.metrics import EARTH_RADIUS_M, distance_m, unit_sphere
from cabstand.errors import ConfigError

SLOW, FAST = [10.0, 11.0, 12.0, 11.5, 10.5], [2.0, 2.2, 2.1, 1.9, 2.3]


def test_welch_and_cohen_by_hand() -> None:
    a, b = np.array(SLOW), np.array(FAST)
    found = statistics.compare(SLOW, FAST)
    error = math.sqrt(a.var(ddof=1) / 5 + b.var(ddof=1) / 5)
    assert found.welch_t == pytest.approx((a.mean() - b.mean()) / error)
    assert found.cohen_d == pytest.approx((a.mean() - b.mean()) / math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2))
    assert found.mann_whitney_u == 25  # every slow one above every fast one
    assert found.welch_p is not None
    assert found.welch_p < 1e-4


def test_single_and_constant_repeats_have_no_test() -> None:
    assert statistics.compare([1.0], [2.0, 3.0]).welch_t is None
    constant = statistics.compare([1.0, 1.0], [1.0, 1.0])
    assert constant.cohen_d is None
    assert constant.welch_t is None
    assert statistics.speed_up([4.0], [2.0]) == statistics.SpeedUp(2.0, None, None)
    assert statistics.summarise([3.0]).std is None


def test_speed_up_lies_in_its_interval_and_repeats() -> None:
    found = statistics.speed_up(SLOW, FAST)
    assert found.low is not None
    assert found.high is not None
    assert found.ratio == pytest.approx(11 / 2.1)
    assert found.low < found.ratio < found.high
    assert found == statistics.speed_up(SLOW, FAST)
    assert statistics.parallel_efficiency(1.5, 2) == 0.75


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    pairs = [(rng.normal(10, 1, 20), rng.normal(2, 0.2, 20)) for _ in range(60)]
    found = [statistics.speed_up(list(a), list(b)) for a, b in pairs]
    covered = np.mean([one.low <= 5 <= one.high for one in found if one.low is not None and one.high is not None])
    assert 0.8 <= covered <= 1.0


def test_combined_score() -> None:
    measured = {"a": {"wall_s": 1.0, "memory": 100.0}, "b": {"wall_s": 4.0, "memory": 50.0}}
    scores = statistics.combined_scores(measured, {"wall_s": 3.0, "memory": 1.0})
    assert scores == {"a": pytest.approx(0.875), "b": pytest.approx(0.4375)}
    with pytest.raises(ConfigError):
        statistics.combined_scores(measured, {"wall_s": 0.0})


def test_quality_prefers_clusters_that_stand_apart() -> None:
    rng = np.random.default_rng(0)
    near, far = rng.normal([40.7, -74.0], 1e-4, (300, 2)), rng.normal([40.8, -73.9], 1e-4, (300, 2))
    places, labels = (
        quality.places(unit_sphere(np.concatenate([near, far]))),
        np.repeat(np.array([0, 1], np.int32), 300),
    )
    good = quality.measure(places, labels, sample=200)
    bad = quality.measure(places, rng.permutation(labels), sample=200)
    assert good.sample == 200
    assert good.silhouette > 0.95 > bad.silhouette
    assert good.davies_bouldin < bad.davies_bouldin
    assert good.calinski_harabasz > bad.calinski_harabasz
    assert quality.measure(places, np.zeros(600, np.int32)).silhouette is None
    assert quality.measure(places, np.full(600, -1, np.int32)).sample == 0


def test_agreement() -> None:
    one = Clustering(np.array([0, 0, 1, -1], np.int32), np.array([True, True, True, False]), 2)
    renamed = Clustering(np.array([1, 1, 0, -1], np.int32), one.core, 2)
    assert quality.agree(one, one).full
    found = quality.agree(one, renamed)
    assert (found.adjusted_rand, found.equal_noise, found.equal_labels) == (1.0, True, False)
    assert not found.full


def test_k_distances_against_all_pairs() -> None:
    points = np.random.default_rng(2).normal([40.7, -74.0], 0.01, (80, 2))
    every = np.array([np.sort(distance_m(np.broadcast_to(one, points.shape), points))[4] for one in points])
    np.testing.assert_allclose(kdistance.k_distances(points, 5), np.sort(every), rtol=1e-9)


def test_knee_of_a_bent_line() -> None:
    curve = np.concatenate([np.linspace(10, 50, 900), np.linspace(50, 900, 100)])
    assert kdistance.knee(curve, share=1.0) == pytest.approx(50, abs=2)
    assert kdistance.knee(np.full(10, 7.0)) == 7.0
    assert len(kdistance.thinned(curve)) == 200


def test_predicted_memory_counts_neighbours() -> None:
    points = np.repeat(np.array([[40.7, -74.0], [40.8, -73.9]]), 500, axis=0)
    assert neighbours.lists_bytes(1000, 1000 * neighbours.mean_count(points, 50.0)) == 1000 * (500 * 16 + 32)


@pytest.mark.parametrize(("n", "k", "spread"), [(60, 3, 0.05), (5000, 40, 0.05), (400, 7, 0.0)])
def test_shape_is_scikit_learn_s_to_the_last_bit(n: int, k: int, spread: float) -> None:
    random = np.random.default_rng(n)
    latlon = random.normal([40.7, -74.0], spread, (n, 2))
    labels = random.integers(-1, k, n).astype(np.int32)
    found = quality.measure(quality.places(unit_sphere(latlon)), labels, sample=n)
    points = unit_sphere(latlon[labels >= 0]) * EARTH_RADIUS_M
    assert found.davies_bouldin == metrics.davies_bouldin_score(points, labels[labels >= 0])
    assert found.calinski_harabasz == metrics.calinski_harabasz_score(points, labels[labels >= 0])
    assert found.silhouette == pytest.approx(metrics.silhouette_score(points, labels[labels >= 0]), rel=1e-6, abs=1e-6)


def test_shape_without_some_clusters_is_that_of_the_others() -> None:
    random = np.random.default_rng(0)
    places = quality.places(unit_sphere(random.normal([40.7, -74.0], 0.05, (500, 2))))
    labels = random.integers(-1, 5, 500).astype(np.int32)
    assert quality.measure(places, labels) == quality.measure(places, np.where(labels < 2, labels, labels + 3))
    assert quality.sizes(labels).tolist() == [np.count_nonzero(labels == label) for label in range(-1, 5)]
    assert quality.sizes(np.empty(0, np.int32)).tolist() == [0]
