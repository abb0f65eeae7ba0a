"""The door: its answers equal scikit-learn's, its complaints are one line."""

from __future__ import annotations

import numpy as np
import pytest

from cabstand.clustering.dbscan import dbscan
from cabstand.errors import ConfigError, DataError
from clustering.oracle import scikit_learn

TOWN = np.random.default_rng(7).normal([40.75, -73.98], 0.004, (3000, 2))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("eps_m", "min_samples"), [(20.0, 3), (50.0, 10), (200.0, 100)])
def test_equals_scikit_learn(eps_m: float, min_samples: int, threads: int) -> None:
    found = dbscan(TOWN, eps_m, min_samples, n_threads=threads)
    labels, core = scikit_learn(TOWN, eps_m, min_samples)
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_array_equal(found.core, core)
    assert found.n_clusters == labels.max() + 1
    assert found.labels.dtype == np.int32
    assert found.core.dtype == np.bool_


def test_no_points() -> None:
    found = dbscan(np.empty((0, 2)), 50, 10)
    assert (len(found.labels), len(found.core), found.n_clusters) == (0, 0, 0)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ([np.nan, 0.0], "NaN or infinite"),
        ([0.0, np.inf], "NaN or infinite"),
        ([91.0, 0.0], "latitude 91 is beyond 90"),
        ([-90.5, 0.0], "latitude -90.5 is beyond 90"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bad_points_name_their_row(row: list[float], what: str, dtype: type) -> None:
    points = np.array([[40.0, -74.0], [40.1, -74.1], row], dtype)
    with pytest.raises(DataError, match=rf"row 2: .*{what}"):
        dbscan(points, 50, 10)


@pytest.mark.parametrize("points", [[1.0, 2.0], [[1.0, 2.0, 3.0]], np.zeros((2, 2, 2)), [["a", "b"]]])
def test_bad_shapes(points: object) -> None:
    with pytest.raises(DataError, match="points"):
        dbscan(points, 50, 10)  # type: ignore[arg-type]


@pytest.mark.parametrize("weight", [[1.0], [1.0, np.nan], [[1.0], [1.0]], ["a", "b"]])
def test_bad_weights(weight: object) -> None:
    with pytest.raises(DataError, match="weight"):
        dbscan([[0.0, 0.0], [1.0, 1.0]], 50, 10, sample_weight=weight)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "parameters",
    [
        {"eps_m": 0},
        {"eps_m": -1.0},
        {"eps_m": np.nan},
        {"eps_m": np.inf},
        {"eps_m": "50"},
        {"min_samples": 0},
        {"min_samples": 1.5},
        {"min_samples": True},
        {"metric": "manhattan"},
        {"n_threads": 0},
    ],
)
def test_bad_parameters(parameters: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as error:
        dbscan(TOWN, **({"eps_m": 50, "min_samples": 10} | parameters))  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
