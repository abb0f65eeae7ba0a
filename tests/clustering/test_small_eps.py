"""An eps of a millimetre, wherever the points' own box has few enough cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cabstand import GeoDBSCAN
from cabstand.clustering.dbscan import dbscan
from cabstand.errors import DataError
from clustering.oracle import scikit_learn

MANY = settings(max_examples=40, suppress_health_check=list(HealthCheck))
METRES_PER_DEGREE = 111_194.93
HOMES = {
    "city": (40.75, -73.98),
    "equator": (0.0, 30.0),
    "beyond 180": (-17.7, 182.0),
    "antimeridian": (-17.7, 180.0),
    "north pole": (90.0, 0.0),
    "south pole": (-90.0, 0.0),
}


def crumbs(home: str, n: int, eps_m: float, rng: np.random.Generator) -> np.ndarray:
    """Little heaps of points, some eps wide, within some kilometres."""
    lat, lon = HOMES[home]
    wide = 10 ** rng.uniform(-1, 4)  # metres
    heaps = rng.uniform(-wide, wide, (max(n // 40, 1), 2))[rng.integers(0, max(n // 40, 1), n)]
    metres = heaps + rng.normal(0, 2 * eps_m, (n, 2))
    if "pole" in home:
        away = np.hypot(*metres.T) / METRES_PER_DEGREE
        return np.c_[lat - np.sign(lat) * away, np.degrees(np.arctan2(*metres.T))]
    points = metres / METRES_PER_DEGREE / (1, np.cos(np.radians(lat))) + (lat, lon)
    if home == "antimeridian":
        points[:, 1] = np.where(points[:, 1] > 180, points[:, 1] - 360, points[:, 1])
    return points


@pytest.mark.parametrize("home", HOMES)
@MANY
@given(eps_m=st.sampled_from([0.001, 0.0013, 0.01, 0.03]), seed=st.integers(0, 2**32 - 1))
def test_labels_are_those_of_scikit_learn(home: str, eps_m: float, seed: int) -> None:
    points = crumbs(home, 400, eps_m, np.random.default_rng(seed))
    labels, core = scikit_learn(
        np.c_[points[:, 0], (points[:, 1] + 180) % 360 - 180] if "180" in home else points, eps_m, 5
    )
    found = dbscan(points, eps_m, 5)
    np.testing.assert_array_equal(found.core, core)
    np.testing.assert_array_equal(found.labels, labels)
    assert labels.max() >= 0


def test_predict_agrees() -> None:
    points = crumbs("city", 2000, 0.001, np.random.default_rng(1))
    model = GeoDBSCAN(eps_m=0.001, min_samples=5).fit(points)
    core = model.core_sample_indices_
    np.testing.assert_array_equal(model.predict(points[core]), model.labels_[core])
    np.testing.assert_array_equal(model.predict(points) < 0, model.labels_ < 0)


def test_threads_agree() -> None:
    points = crumbs("city", 60_000, 0.001, np.random.default_rng(2))
    one, two = (dbscan(points, 0.001, 5, n_threads=n) for n in (1, 2))
    assert one.n_clusters > 1000
    np.testing.assert_array_equal(one.labels, two.labels)


@pytest.mark.parametrize("eps_m", [0.001, 0.03])
@pytest.mark.parametrize(
    ("span", "refused"),
    [((0.4, 0.5), False), ((2.0, 0.3), False), ((1e-5, 350.0), False), ((150.0, 350.0), True), ((60, 90), True)],
)
def test_the_box_decides(span: tuple[float, float], refused: bool, eps_m: float) -> None:
    corners: Any = [(-span[0] / 2, -span[1] / 2), (span[0] / 2, span[1] / 2), (0.0, 0.0), (1e-9, 0.0)]
    if refused and eps_m < 0.01:
        with pytest.raises(DataError, match="too many eps") as caught:
            dbscan(corners, eps_m, 2)
        assert "far from all others" in (caught.value.hint or "")
    else:
        assert dbscan(corners, eps_m, 2).labels.tolist() == [-1, -1, 0, 0]


def test_a_long_thin_box_of_the_plane() -> None:
    points = [(0.0, 0.0), (0.0, 1e-3), (1.0, 1e9), (1.0, 1e9 + 1e-3)]
    assert dbscan(points, 0.0011, 2, metric="euclidean").labels.tolist() == [0, 0, 1, 1]
    with pytest.raises(DataError, match="too many eps"):
        dbscan([(0.0, 0.0), (0.0, 1e12)], 1e-3, 2, metric="euclidean")
