"""Sums over members of clusters: added up in blocks and counted at once, they are those of one pass."""

from __future__ import annotations

import numpy as np
import pytest

from cabstand.clustering import distinct_points, hotspots, member_sums, z_order
from cabstand.clustering.rhythm import NO_HOUR, weight_by_time

RNG = np.random.default_rng(0)
N = 5_000
POINTS = np.array([40.7, -74.0]) + RNG.normal(0, 0.01, (N, 2))
LABELS = RNG.integers(-1, 9, N).astype(np.int32)
CORE = (LABELS >= 0) & (RNG.random(N) < 0.7)
WEIGHT = RNG.uniform(0, 3, N)
AT = np.datetime64("2014-04-01", "us") + RNG.integers(0, 30 * 86_400, N).astype("m8[s]")


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_in_small_blocks_everything_is_the_same_to_the_bit(
    monkeypatch: pytest.MonkeyPatch, weight: np.ndarray | None
) -> None:
    whole = hotspots.summarise(POINTS, LABELS, CORE, 50.0, weight=weight, at=AT)
    monkeypatch.setattr(member_sums, "_BLOCK", 37)
    parts = hotspots.summarise(POINTS, LABELS, CORE, 50.0, weight=weight, at=AT)
    for name, value in vars(whole).items():
        assert value.tobytes() == vars(parts)[name].tobytes(), name


def test_positions_on_the_curve_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.concatenate([POINTS, np.array([[90.0, 180.0], [-90.0, -180.0], [0.0, 359.9], [0.0, -359.9]])])
    whole = z_order.z_codes(points, "haversine")
    monkeypatch.setattr(z_order, "_BLOCK", 7)
    assert np.array_equal(whole, z_order.z_codes(points, "haversine"))


@pytest.mark.parametrize("known", [0.0, 0.5, 1.0])
def test_hours_and_weekdays_counted_at_once_are_those_of_equal_weights(known: float) -> None:
    week = np.where(RNG.random(N) < known, RNG.integers(0, 168, N), NO_HOUR).astype(np.uint8)
    cluster = RNG.integers(0, 5, N)
    for counted, added in zip(
        weight_by_time(week, cluster, None, 5), weight_by_time(week, cluster, np.ones(N), 5), strict=True
    ):
        assert np.array_equal(counted, added)
        assert counted.dtype == added.dtype


def test_distinct_core_points_are_those_of_a_plain_search_even_where_many_share_a_code() -> None:
    near = np.array([40.7, -74.0]) + RNG.integers(0, 4, (400, 2)) * 1e-9  # far below the resolution of the curve
    points = np.concatenate([near, POINTS[:50], POINTS[:50]])
    clusters = RNG.integers(0, 3, len(points)).astype(np.int32)
    found, cluster, count = distinct_points.distinct_core_points(points, clusters)
    distinct, inverse, expected = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    codes = z_order.z_codes(distinct, "haversine")
    order = np.lexsort((distinct[:, 1], distinct[:, 0], codes))
    assert np.array_equal(found, distinct[order])
    assert np.array_equal(count, expected[order])
    lowest = [clusters[inverse.reshape(-1) == at].min() for at in order]
    assert np.array_equal(cluster, lowest)
