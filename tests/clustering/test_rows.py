"""Rows of a matrix, grouped: by one number where they fit, and against sorting them one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cabstand.clustering.distinct_points import distinct_core_points
from cabstand.clustering.extents import extents, reaches
from cabstand.clustering.metrics import unit_sphere
from cabstand.clustering.rows import distinct_rows, group_rows
from cabstand.clustering.z_order import z_codes

SMALL, ANY = st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1)
ROWS = st.integers(0, 30).flatmap(
    lambda n: st.sampled_from([SMALL, ANY]).flatmap(lambda one: arrays(np.int64, (n, 3), elements=one))
)
# Steps of a millimetre, several of which share a position on the curve, and both sides of the antimeridian.
DEGREES = st.builds(lambda far, step: far + step * 1e-8, st.sampled_from([0.0, 40.7, 89.0]), st.integers(-4, 4))
LONGITUDES = st.builds(
    lambda far, step: far + step * 1e-8, st.sampled_from([-180.0, 0.0, -73.9, 180.0]), st.integers(-4, 4)
)
POINTS = st.lists(st.tuples(DEGREES, LONGITUDES), max_size=40).map(lambda rows: np.array(rows, float).reshape(-1, 2))


@given(ROWS)
def test_rows_are_grouped_as_one_by_one(rows: np.ndarray) -> None:
    expected = sorted({tuple(row) for row in rows.tolist()})
    order, starts = group_rows(rows)
    assert order.tolist() == sorted(range(len(rows)), key=lambda at: (*rows[at].tolist(), at))
    assert [tuple(row) for row in rows[order[starts]].tolist()] == expected
    assert [tuple(row) for row in distinct_rows(rows).tolist()] == expected


@given(POINTS, st.sampled_from(["haversine", "euclidean"]), st.randoms(use_true_random=False))
def test_core_points_are_in_the_order_of_the_curve_and_then_of_rows(
    points: np.ndarray, metric: str, random: object
) -> None:
    clusters = np.array([random.randrange(4) for _ in points], np.int32)  # type: ignore[attr-defined]
    codes = dict(zip(map(tuple, points.tolist()), z_codes(points, metric).tolist(), strict=True)) if len(points) else {}
    found = distinct_core_points(points, clusters, metric)
    assert [tuple(row) for row in found[0].tolist()] == sorted(codes, key=lambda at: (codes[at], at))
    for at, lowest, count in zip(*found, strict=True):
        same = (points == at).all(axis=1)
        assert (lowest, count) == (clusters[same].min(), same.sum())


@pytest.mark.parametrize("weighted", [False, True])
def test_reaches_are_those_of_extents(weighted: bool) -> None:
    random = np.random.default_rng(1)
    sphere = unit_sphere(random.normal([40.7, -74.0], 0.05, (5000, 2)))
    labels = random.integers(-1, 9, 5000).astype(np.int32)
    weight = np.where(labels == 3, 0.0, random.uniform(-1, 3, 5000)) if weighted else None
    each = extents(sphere, labels, weight)
    total, radius_m = reaches(np.ascontiguousarray(sphere.T), labels, weight)
    assert np.array_equal(total, each.weight)
    assert np.array_equal(radius_m, each.radius_m)


@pytest.mark.parametrize("weighted", [False, True])
def test_reaches_of_noise_alone_are_none(weighted: bool) -> None:
    noise, weight = np.full(9, -1, np.int32), np.ones(9) if weighted else None
    assert [len(found) for found in reaches(np.zeros((3, 9)), noise, weight)] == [0, 0]
