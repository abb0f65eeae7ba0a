"""The base package: the estimator with numpy and numba alone. These tests import nothing else and use no conftest."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from cabstand import GeoDBSCAN

EARTH_RADIUS_M = 6_371_008.8


def naive(points: np.ndarray, eps_m: float, min_samples: int, weight: np.ndarray) -> np.ndarray:
    """DBSCAN by its definition, from the matrix of all distances."""
    lat, lon = np.radians(points).T
    across = np.sin((lat[:, None] - lat) / 2) ** 2
    across += np.cos(lat[:, None]) * np.cos(lat) * np.sin((lon[:, None] - lon) / 2) ** 2
    near = 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(across)) <= eps_m
    core = near @ weight >= min_samples
    labels = np.full(len(points), -1)
    n_clusters = 0
    for first in np.flatnonzero(core):
        if labels[first] < 0:
            members = np.arange(len(points)) == first
            while (grown := members | (core & near[members].any(axis=0))).sum() > members.sum():
                members = grown
            labels[members] = n_clusters
            n_clusters += 1
    for border in np.flatnonzero(~core):
        labels[border] = min(labels[near[border] & core], default=-1)
    return labels


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("eps_m", "min_samples"), [(30, 2), (60, 5), (150, 12)])
def test_labels_are_those_of_the_definition(eps_m: float, min_samples: int, weighted: bool, n_jobs: int) -> None:
    rng = np.random.default_rng(7)
    points = rng.normal([40.75, -73.98], 0.003, (600, 2))
    weight = rng.integers(0, 3, len(points)).astype(float) if weighted else np.ones(len(points))
    model = GeoDBSCAN(eps_m=eps_m, min_samples=min_samples, n_jobs=n_jobs)
    labels = model.fit_predict(points, sample_weight=weight)
    np.testing.assert_array_equal(labels, naive(points, eps_m, min_samples, weight))
    assert (labels >= 0).any()


def test_a_fitted_model_survives_a_pickle_and_predicts() -> None:
    points = np.random.default_rng(1).normal([40.75, -73.98], 0.001, (300, 2))
    model = pickle.loads(pickle.dumps(GeoDBSCAN(eps_m=50, min_samples=5).fit(points)))
    core = model.core_sample_indices_
    assert len(core) > 0
    np.testing.assert_array_equal(model.predict(points[core]), model.labels_[core])
    assert model.predict([[0.0, 0.0]]) == -1


def test_a_point_off_the_globe_is_an_error_of_one_line() -> None:
    with pytest.raises(ValueError, match="latitude") as caught:
        GeoDBSCAN().fit([[95.0, 0.0]])
    assert "\n" not in str(caught.value)
