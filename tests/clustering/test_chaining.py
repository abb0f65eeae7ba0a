"""Clusters that chain together: when that is said, and the eps that keeps them apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cabstand.clustering import chaining, crowded, unchained
from cabstand.clustering.dbscan import dbscan
from cabstand.clustering.extents import Extents, extents, total_weight
from cabstand.clustering.hotspots import summarise
from cabstand.clustering.metrics import unit_sphere

M = 1 / 111_194.93  # degrees of latitude in a metre
RNG = np.random.default_rng(0)


def street(spacing_m: float, crowds: int = 30, each: int = 40, stray: int = 200) -> np.ndarray:
    """Return crowds along a meridian at this spacing, and strangers far away."""
    along = np.repeat(np.arange(crowds) * spacing_m, each)
    crowd = np.column_stack([along, np.zeros(len(along))]) + RNG.uniform(-5, 5, (len(along), 2))
    apart = np.column_stack([np.full(stray, 50_000.0), np.arange(stray) * 5_000.0])
    return np.array([40.7, -74.0]) + np.concatenate([crowd, apart]) * M


def judge(points: np.ndarray, eps_m: float, weight: np.ndarray | None = None) -> chaining.Chaining:
    labels = dbscan(points, eps_m, 20, sample_weight=weight).labels
    each = extents(unit_sphere(points), labels, weight)
    return chaining.measure(each.weight, each.radius_m, total_weight(len(points), weight))


def test_extents_are_those_of_hotspots() -> None:
    points = street(60)
    weight = RNG.uniform(-1, 3, len(points))
    for eps_m in (30.0, 70.0):
        labels, core, k = dbscan(points, eps_m, 20)
        for mass_of in (None, weight):
            each, spots = (
                extents(unit_sphere(points), labels, mass_of),
                summarise(points, labels, core, eps_m, weight=mass_of),
            )
            assert k > 0
            assert each.weight == pytest.approx(spots.weight)
            assert each.radius_m == pytest.approx(spots.radius_m, rel=1e-6)
            for label in range(k):
                mass = np.ones((labels == label).sum()) if mass_of is None else np.maximum(mass_of[labels == label], 0)
                away = (points[labels == label] - spots.centroid[label]) / M * [1, np.cos(np.radians(40.7))]
                expected = np.sqrt(np.average((away**2).sum(axis=1), weights=mass))
                assert each.spread_m[label] == pytest.approx(expected, rel=1e-3)


def test_a_street_that_is_one_cluster_chains() -> None:
    found = judge(street(60), 70.0)
    assert found.is_over
    assert found.n_clusters == 1
    assert found.share == pytest.approx(1200 / 1400)
    assert found.radius_m == pytest.approx(870, abs=10)
    assert not judge(street(60), 30.0).is_over


def test_far_reaching_clusters_count_together_and_small_ones_alone_do_not() -> None:
    k = 12
    each = Extents(np.full(k, 5.0), np.full(k, 501.0), np.ones(k))
    assert chaining.measure(each.weight, each.radius_m, 1000.0).is_over
    assert not chaining.measure(each.weight[:1], each.radius_m[:1], 1000.0).is_over
    assert not chaining.measure(each.weight, np.full(k, 500.0), 1000.0).is_over
    assert not chaining.measure(each.weight * 0, each.radius_m, 0.0).is_over


@pytest.mark.parametrize("spacing_m", [8.0, 45.0, 60.0, 97.0, 240.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("stray", [200, 1500])  # few, so that they are clustered again with the others; and many
def test_the_suggested_eps_is_the_largest_that_keeps_them_apart(spacing_m: float, weighted: bool, stray: int) -> None:
    points = street(spacing_m, crowds=round(3000 / spacing_m), stray=stray)
    weight = RNG.integers(1, 3, len(points)).astype(float) if weighted else None
    eps_m = spacing_m * 1.4
    labels = dbscan(points, eps_m, 20, sample_weight=weight).labels
    apart = unchained.largest_eps(points, labels, eps_m, 20, weight=weight)
    assert judge(points, eps_m, weight).is_over
    assert apart is not None
    assert not judge(points, apart.eps_m, weight).is_over
    step = 10.0 ** np.floor(np.log10(eps_m / 50))
    assert judge(points, apart.eps_m + step, weight).is_over
    again = dbscan(points, apart.eps_m, 20, sample_weight=weight)
    assert apart.n_clusters == again.n_clusters
    total = np.ones(len(points)) if weight is None else weight
    assert apart.share == pytest.approx(total[again.labels >= 0].sum() / total.sum())
    assert len(f"{apart.eps_m:g}") <= 5, "a number to type"


def test_with_negative_weights_the_figures_are_still_those_of_the_suggested_eps() -> None:
    points = street(60.0, crowds=50)
    weight = RNG.choice([-1.0, 1.0, 2.0], len(points), p=[0.2, 0.5, 0.3])
    labels = dbscan(points, 80.0, 20, sample_weight=weight).labels
    assert judge(points, 80.0, weight).is_over
    apart = unchained.largest_eps(points, labels, 80.0, 20, weight=weight)
    assert apart is not None
    assert not judge(points, apart.eps_m, weight).is_over
    assert apart.n_clusters == dbscan(points, apart.eps_m, 20, sample_weight=weight).n_clusters


def test_clusters_that_vanish_before_they_fall_apart_have_no_such_eps() -> None:
    lattice = np.stack(np.meshgrid(np.arange(60) * 50, np.arange(60) * 50, indexing="ij"), axis=-1).reshape(-1, 2)
    points = np.array([0.0, 0.0]) + lattice * M
    labels = dbscan(points, 120.0, 10).labels
    assert labels.max() == 0
    assert unchained.largest_eps(points, labels, 120.0, 10) is None


def plain_search(points: np.ndarray, eps_m: float, min_samples: int, weight: np.ndarray | None) -> tuple | None:
    """Find the largest eps by clustering all points with each radius of the bisection."""
    radii = unchained._radii(eps_m)
    best, low, high = None, 0, len(radii)
    while low < high:
        middle = (low + high) // 2
        found = dbscan(points, radii[middle], min_samples, sample_weight=weight)
        each, total = extents(unit_sphere(points), found.labels, weight), total_weight(len(points), weight)
        if chaining.measure(each.weight, each.radius_m, total).is_over:
            high = middle
        else:
            best, low = (radii[middle], found.n_clusters, each.weight.sum() / total), middle + 1
    return best if best and best[1] else None


@given(
    seed=st.integers(0, 10_000),
    eps_m=st.sampled_from([30.0, 50.0, 120.0, 400.0]),
    min_samples=st.integers(3, 25),
    reach_m=st.sampled_from([900.0, 1100.0, 2000.0, 8000.0]),
    weighted=st.sampled_from([None, 0, -1]),
    at=st.sampled_from([(40.7, -74.0), (0.0, 180.0), (-89.99, 0.0), (65.0, 359.99)]),
)
@settings(max_examples=60, deadline=None)
def test_the_eps_is_that_of_a_search_without_short_cuts(
    seed: int, eps_m: float, min_samples: int, reach_m: float, weighted: int | None, at: tuple[float, float]
) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-reach_m, reach_m, (rng.integers(1, 60), 2)) * rng.integers(0, 2, 2)
    metres = centres[rng.integers(0, len(centres), 3000)] + rng.normal(0, rng.uniform(1, 60), (3000, 2))
    metres = np.concatenate([metres, rng.uniform(-reach_m, reach_m, (600, 2))])
    points = np.array(at) + metres * M
    points[:, 0] = np.clip(points[:, 0], -90, 90)
    weight = None if weighted is None else rng.integers(weighted, 4, len(points)).astype(float)
    labels = dbscan(points, eps_m, min_samples, sample_weight=weight).labels
    apart = unchained.largest_eps(points, labels, eps_m, min_samples, weight=weight)
    expected = plain_search(points, eps_m, min_samples, weight)
    assert (apart is None) == (expected is None)
    if apart is not None and expected is not None:
        assert (apart.eps_m, apart.n_clusters) == expected[:2]
        assert apart.share == pytest.approx(expected[2])


def test_the_most_crowded_ground_is_sure_only_of_what_all_points_show() -> None:
    points = street(60.0, crowds=60)
    for eps_m in (30.0, 50.0, 61.0, 70.0, 90.0):
        for low, high in ((0, len(points)), (300, 1500), (1000, 2400)):
            some = points[low:high]
            sure = crowded.weight_beyond(some, dbscan(some, eps_m, 20), chaining.RADIUS_M, None)
            each = extents(unit_sphere(points), dbscan(points, eps_m, 20).labels)
            assert sure <= each.weight[each.radius_m > chaining.RADIUS_M].sum()
    assert crowded.weight_beyond(points, dbscan(points, 70.0, 20), chaining.RADIUS_M, None) == 2400


def test_a_fifth_of_the_points_is_chosen_where_most_are() -> None:
    points = np.concatenate([RNG.normal(0, 0.001, (200, 2)), RNG.uniform(-5, 5, (800, 2))])
    chosen = crowded.indices(points, None)
    assert 200 <= len(chosen) <= 300
    assert (np.abs(points[chosen]).max(axis=1) < 0.01).sum() > 150
