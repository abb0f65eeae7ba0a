"""The densest parts of clusters that spread too far, against the obvious computation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cabstand.clustering import densest, engines
from cabstand.clustering.dbscan import dbscan
from cabstand.clustering.extents import extents
from cabstand.clustering.metrics import unit_sphere
from cabstand.errors import ConfigError


def town(seed: int, n: int = 1500) -> np.ndarray:
    """Return crowds of different density on a band of thinner ground."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform([40.70, -74.00], [40.71, -73.99], (8, 2))
    crowds = [rng.normal(centre, rng.uniform(1e-4, 6e-4), (n // 16, 2)) for centre in centres]
    band = rng.uniform([40.70, -74.00], [40.71, -73.99], (n // 2, 2))
    points = np.round(np.concatenate([*crowds, band]), 4)
    return points[rng.permutation(len(points))]


def spread(points: np.ndarray, weight: np.ndarray | None) -> float:
    labels = np.zeros(len(points), np.int32)
    return float(extents(unit_sphere(points), labels, weight).spread_m[0])


def obvious(
    points: np.ndarray, labels: np.ndarray, left: np.ndarray, eps_m: float, bound: float, weight: np.ndarray | None
) -> set[tuple[int, ...]]:
    """Cluster the members `left` again and again, until they are in parts within the bound or noise."""
    found: set[tuple[int, ...]] = set()
    while len(left):
        eps_m *= densest.STEP
        again = engines.named("sklearn").run(points[left], eps_m, 20, None if weight is None else weight[left], 1)
        too_far = []
        for number in range(again.n_clusters):
            (parent,) = set(labels[left[again.core & (again.labels == number)]])
            part = left[(again.labels == number) & (labels[left] == parent)]
            if spread(points[part], None if weight is None else weight[part]) <= bound:
                found.add(tuple(part.tolist()))
            else:
                too_far += part.tolist()
        left = np.array(sorted(too_far), np.int64)
    return found


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), bound=st.sampled_from([40.0, 90.0, 200.0]), weighted=st.booleans())
def test_parts_are_those_of_the_obvious_computation(seed: int, bound: float, weighted: bool) -> None:
    points = town(seed)
    weight = np.random.default_rng(seed).integers(1, 4, len(points)).astype(float) if weighted else None
    labels = dbscan(points, 80.0, 20, sample_weight=weight).labels
    found = densest.find(points, labels, 80.0, 20, bound, weight=weight)
    members = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    far = [one for one in members if spread(points[one], None if weight is None else weight[one]) > bound]
    left = np.sort(np.concatenate([np.empty(0, np.int64), *far]))
    expected = obvious(points, labels, left, 80.0, bound, weight)
    assert found.n_divided == len(far)
    assert {tuple(np.flatnonzero(found.labels == part).tolist()) for part in range(len(found))} == expected
    mass = np.ones(len(points)) if weight is None else weight
    for part in range(len(found)):
        mine = found.labels == part
        assert set(labels[mine]) == {found.cluster[part]}
        assert found.spread_m[part] <= bound
        assert found.spread_m[part] == pytest.approx(spread(points[mine], None if weight is None else weight[mine]))
        assert found.eps_m[part] < 80.0
        assert found.core[mine].any()
    keys = [(found.cluster[part], -mass[found.labels == part].sum()) for part in range(len(found))]
    assert keys == sorted(keys)
    assert not found.core[found.labels < 0].any()


def test_clusters_within_the_bound_are_left_alone() -> None:
    points = town(1)
    labels = dbscan(points, 80.0, 20).labels
    found = densest.find(points, labels, 80.0, 20, 1e6)
    assert (len(found), found.n_divided) == (0, 0)
    assert (found.labels == -1).all()
    nothing = densest.find(points, np.full(len(points), -1, np.int32), 80.0, 20, 1.0)
    assert (len(nothing), nothing.n_divided) == (0, 0)


def test_the_result_does_not_depend_on_the_threads() -> None:
    points = town(2, n=40_000)
    labels = dbscan(points, 80.0, 200).labels
    one, two = (densest.find(points, labels, 80.0, 200, 60.0, n_threads=n) for n in (1, 2))
    assert len(one) > 3
    np.testing.assert_array_equal(one.labels, two.labels)


def test_a_lattice_has_no_denser_part_and_coincident_points_end() -> None:
    lattice = np.stack(np.meshgrid(np.arange(40.0), np.arange(40.0)), axis=-1).reshape(-1, 2) * 4e-4
    labels = dbscan(lattice, 100.0, 8).labels
    assert labels.max() == 0
    assert len(densest.find(lattice, labels, 100.0, 8, 50.0)) == 0
    stacked = np.repeat(lattice, 8, axis=0)
    labels = dbscan(stacked, 100.0, 8).labels
    parts = densest.find(stacked, labels, 100.0, 8, 1e-3)
    assert len(parts) == len(lattice)
    assert parts.spread_m.max() < 1e-6


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan"), float("inf")])
def test_the_bound_is_a_distance(bound: float) -> None:
    with pytest.raises(ConfigError, match="distance in metres above 0"):
        densest.check(bound)
