"""Hotspots of two periods: how clusters agree, which belong together, and how far their mass has moved."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand import GeoDBSCAN
from cabstand.monitoring import hotspot_drift
from cabstand.monitoring.hotspot_drift import HotspotDrift, Period, compare_hotspots
from cabstand.trips.eras import COORDINATES
from cabstand.trips.synthetic.generator import Plan, Planted, generate, recommended

N = 5_000
EPS_M = 60.0
EAST_M = 1 / (111_195 * np.cos(np.radians(40.75)))  # degrees of longitude of a metre there


def clustered(seed: int, shift_m: float = 0.0) -> Period:
    plan = Plan(N, seed, COORDINATES, hotspot_shift_m=shift_m)
    (batch,) = generate(plan, Planted(plan))
    latlon = np.stack([batch.column(f"pickup_{axis}").to_numpy() for axis in ("lat", "lon")], axis=1)
    known = np.isfinite(latlon).all(axis=1)
    return labelled(latlon[known])


def labelled(latlon: np.ndarray) -> Period:
    found = GeoDBSCAN(eps_m=EPS_M, min_samples=recommended(N)["min_samples"]).fit(latlon)
    core = np.zeros(len(latlon), np.bool_)
    core[found.core_sample_indices_] = True
    return Period(latlon, found.labels_.astype(np.int32), core)


def spots(*east_m: float, sizes: tuple[int, ...] = ()) -> Period:
    """Return clusters of points at the same place each, so many metres to the east."""
    sizes = sizes or (10,) * len(east_m)
    labels = np.repeat(np.arange(len(east_m), dtype=np.int32), sizes)
    lon = -74 + np.asarray(east_m)[labels] * EAST_M if east_m else np.empty(0)
    return Period(np.stack([np.full(len(labels), 40.75), lon], axis=1), labels, np.ones(len(labels), np.bool_))


def test_planted_hotspots_that_moved_are_seen_and_the_twin_is_silent() -> None:
    before = clustered(0)
    for seed in (1, 2):
        twin, moved = (compare_hotspots(before, clustered(seed, shift_m), EPS_M) for shift_m in (0.0, 500.0))
        assert twin.adjusted_mutual_information > 0.7
        assert moved.adjusted_mutual_information < 0.3
        shared = sum(one.share_before for one in twin.matches)
        assert shared > 0.9
        assert np.median([one.moved_m for one in twin.matches[:10]]) < 25
        assert np.median([one.moved_m for one in moved.matches[:10]]) == pytest.approx(500, abs=40)


def test_equal_periods_are_at_zero() -> None:
    before = clustered(0)
    found = compare_hotspots(before, before, EPS_M)
    assert found.adjusted_mutual_information == pytest.approx(1)
    assert found.moved_m == pytest.approx(0, abs=1e-6)
    assert all(one.before == one.after and one.moved_m < 1e-6 for one in found.matches)


def test_hotspots_are_matched_within_reach() -> None:
    found = compare_hotspots(spots(0, 3_000, 9_000), spots(3_200, 100, 20_000), EPS_M)
    assert [(one.before, one.after, round(one.moved_m)) for one in found.matches] == [(0, 1, 100), (1, 0, 200)]
    assert (found.vanished, found.new) == ((2,), (2,))
    assert found.moved_m == pytest.approx((100 + 200 + 11_000) / 3, rel=1e-3)


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 5_000)), min_size=1, max_size=5))
def test_equal_masses_move_as_in_the_best_pairing(places: list[tuple[int, int]]) -> None:
    before, after = (spots(*(side * 1.0 for side in sides)) for sides in zip(*places, strict=True))
    found = compare_hotspots(before, after, EPS_M)
    back = compare_hotspots(after, before, EPS_M)
    costs = [
        np.mean([abs(a - b) for (a, _), (_, b) in zip(places, order, strict=True)])
        for order in itertools.permutations(places)
    ]
    assert found.moved_m == pytest.approx(min(costs), rel=1e-3, abs=1e-3)
    assert back.moved_m == pytest.approx(found.moved_m, rel=1e-6, abs=1e-6)


def test_mass_that_changes_its_hotspot_is_moved() -> None:
    found = compare_hotspots(spots(0, 1_000, sizes=(50, 50)), spots(0, 1_000, sizes=(75, 25)), EPS_M)
    assert found.moved_m == pytest.approx(250, rel=1e-3)
    assert [(one.share_before, one.share_after) for one in found.matches] == [(0.5, 0.75), (0.5, 0.25)]


@pytest.mark.parametrize(("before", "after"), [(0, 0), (1, 0), (0, 1)])
def test_a_period_may_have_no_hotspot(before: int, after: int) -> None:
    found = compare_hotspots(spots(*[0.0] * before), spots(*[0.0] * after), EPS_M)
    assert found == HotspotDrift(None, None, (), (0,) * before, (0,) * after)


def test_many_points_and_clusters_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hotspot_drift, "MOST_POINTS", 100)
    monkeypatch.setattr(hotspot_drift, "MOST_CLUSTERS", 3)
    many = spots(*(1_000.0 * k for k in range(20)), sizes=tuple(range(40, 20, -1)))
    found = compare_hotspots(many, many, EPS_M)
    assert len(found.matches) == 3
    assert found.adjusted_mutual_information == pytest.approx(1)


@given(st.floats(-80, 80), st.floats(-179, 179), st.floats(0, 0.1))
def test_distances_are_great_circles(lat: float, lon: float, step: float) -> None:
    a, b = np.array([lat, lon]), np.array([lat + step, lon])
    assert hotspot_drift.distance_m(a, b) == pytest.approx(np.radians(step) * hotspot_drift.EARTH_RADIUS_M, abs=1e-3)
