"""Any points at all: labels and core sets equal scikit-learn's, on one thread and several, weighted or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cabstand.clustering.dbscan import dbscan
from cabstand.clustering.kernels import threads as kernel_threads
from clustering.oracle import scikit_learn

PLACES = ("town", "rounded", "collinear", "antimeridian", "north", "south", "earth", "single", "outliers", "parallel")
# Sums of such weights are exact in any order, and so is the comparison with min_samples.
WEIGHTS = (None, (0.0, 1.0, 2.0), (-1.0, 0.0, 1.0, 3.0), (0.5, 1.0))


@pytest.fixture(autouse=True, scope="module")
def _threads_even_for_few() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel_threads, "SMALL", 0)
        yield


def points_of(place: str, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw up to a few hundred points of a kind that has broken clusterings before."""
    u, v = rng.uniform(-1, 1, n), rng.uniform(-1, 1, n)
    match place:
        case "town":
            points = np.c_[40.7 + u * 0.004, -74 + v * 0.004]
        case "rounded":  # four decimals, and each place up to three times
            points = np.repeat(np.round(np.c_[40.7 + u * 0.004, -74 + v * 0.004], 4), 3, axis=0)[rng.permutation(3 * n)]
        case "collinear":
            points = np.c_[np.full(n, 40.7), np.round(-74 + v * 0.01, 4)]
        case "antimeridian":
            points = np.c_[66 + u * 0.01, np.round(180 + v * 0.02, 3)]
            points[:, 1] = np.where(points[:, 1] > 180, points[:, 1] - 360, points[:, 1])
        case "north":
            points = np.c_[90 - np.abs(u) * 0.004, 180 * v]
        case "south":  # a city around the pole, on whole meridians
            points = np.c_[-90 + np.abs(u) * 0.01, np.round(180 * v)]
        case "earth":
            points = np.c_[np.degrees(np.arcsin(u)), 180 * v]
        case "single":
            points = np.c_[90 * u[:1], 180 * v[:1]]
        case "outliers":
            points = np.r_[np.c_[40.7 + u * 0.002, -74 + v * 0.002], np.c_[90 * u[:9], 180 * v[:9]]]
        case _:  # all the way around one parallel
            points = np.c_[np.full(n, 60.0), 180 * v]
    return points


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    place=st.sampled_from(PLACES),
    n=st.integers(1, 250),
    seed=st.integers(0, 2**32 - 1),
    eps_m=st.sampled_from([5.0, 30.0, 100.0, 444.8, 20_000.0, 3_000_000.0]),
    min_samples=st.sampled_from([1, 2, 4, 10, 25]),
    weights=st.sampled_from(WEIGHTS),
)
def test_equals_scikit_learn(
    place: str, n: int, seed: int, eps_m: float, min_samples: int, weights: tuple[float, ...] | None
) -> None:
    rng = np.random.default_rng(seed)
    points = points_of(place, n, rng)
    weight = None if weights is None else rng.choice(weights, len(points))
    if weight is not None:
        weight[0] = weights[-1]  # scikit-learn refuses weights that are all zero
    labels, core = scikit_learn(points, eps_m, min_samples, weight)
    for threads in (1, 2, 3, 7):
        found = dbscan(points, eps_m, min_samples, sample_weight=weight, n_threads=threads)
        np.testing.assert_array_equal(found.core, core)
        np.testing.assert_array_equal(found.labels, labels)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    n=st.integers(1, 200),
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1e-3, 1.0, 40.0, 1e6]),
    lattice=st.booleans(),
    min_samples=st.sampled_from([1, 3, 8]),
)
def test_plane_equals_scikit_learn(n: int, seed: int, scale: float, lattice: bool, min_samples: int) -> None:
    rng = np.random.default_rng(seed)
    # On a lattice of whole numbers many pairs are at exactly eps.
    points = rng.integers(-8, 8, (n, 2)) * scale if lattice else rng.normal(0, 6 * scale, (n, 2))
    labels, core = scikit_learn(points, 2 * scale, min_samples, metric="euclidean")
    found = dbscan(points, 2 * scale, min_samples, metric="euclidean", n_threads=2)
    np.testing.assert_array_equal(found.core, core)
    np.testing.assert_array_equal(found.labels, labels)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1), place=st.sampled_from(["rounded", "antimeridian", "south", "town"]))
def test_at_exactly_eps(seed: int, place: str) -> None:
    """eps is taken from the data, so that pairs lie at exactly eps as scikit-learn computes it."""
    from sklearn.metrics import DistanceMetric

    rng = np.random.default_rng(seed)
    points = points_of(place, 40, rng)
    i, j = rng.integers(0, len(points), 2)
    apart = DistanceMetric.get_metric("haversine").pairwise(np.radians(points[[i, j]]))[0, 1]
    eps_m = float(apart * 6_371_008.8) or 1.0
    labels, core = scikit_learn(points, eps_m, 3)
    found = dbscan(points, eps_m, 3)
    np.testing.assert_array_equal(found.core, core)
    np.testing.assert_array_equal(found.labels, labels)


@pytest.mark.parametrize("month", ["apr", "may", "jun"])
@pytest.mark.parametrize(("eps_m", "min_samples"), [(50.0, 20), (100.0, 50), (200.0, 100)])
@pytest.mark.slow
def test_real_pickups(shared: Path, month: str, eps_m: float, min_samples: int) -> None:
    file = shared / "data" / "pickups" / f"uber-raw-data-{month}14.head65535.csv.gz"
    points = np.loadtxt(file, delimiter=",", skiprows=1, usecols=(1, 2))
    labels, core = scikit_learn(points, eps_m, min_samples)
    for threads in (1, 2):
        found = dbscan(points, eps_m, min_samples, n_threads=threads)
        np.testing.assert_array_equal(found.core, core)
        np.testing.assert_array_equal(found.labels, labels)


@pytest.mark.slow
def test_real_pickups_weighted(shared: Path) -> None:
    file = shared / "data" / "pickups" / "uber-raw-data-apr14.head65535.csv.gz"
    every = np.loadtxt(file, delimiter=",", skiprows=1, usecols=(1, 2))
    points, weight = np.unique(every, axis=0, return_counts=True)
    labels, core = scikit_learn(points, 50.0, 20, weight.astype(np.float64))
    for threads in (1, 2):
        found = dbscan(points, 50.0, 20, sample_weight=weight, n_threads=threads)
        np.testing.assert_array_equal(found.core, core)
        np.testing.assert_array_equal(found.labels, labels)
