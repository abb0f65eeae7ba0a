"""The shapes that break clusterings, in full size: labels as another method gives them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from cabstand.clustering.dbscan import dbscan
from clustering.large_oracle import large
from clustering.oracle import scikit_learn

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
from dbscan_points import KINDS, WORST

MILLION = 1_000_000
SETTINGS = {  # such that clusters form
    "nyc": (50.0, 10),
    "uniform_earth": (20_000.0, 4),
    "one_cell": (50.0, 10),
    "two_clumps": (50.0, 10),
    "chain": (50.0, 3),
    "one_latitude": (50.0, 5),
    "half_duplicates": (50.0, 10),
    "outliers": (50.0, 10),
}


def test_every_shape_has_its_setting() -> None:
    assert set(SETTINGS) == {"nyc", *WORST}


@pytest.mark.parametrize("kind", SETTINGS)
def test_the_other_method_agrees_with_scikit_learn(kind: str) -> None:
    n = 4000
    eps_m, min_samples = SETTINGS[kind]
    points, wider = KINDS[kind](n), {"uniform_earth": 15.0, "chain": 80.0, "one_latitude": 250.0}.get(kind, 1.0)
    labels, core = scikit_learn(points, eps_m * wider, min_samples)
    found = large(points, eps_m * wider, min_samples)
    assert labels.max() >= 0
    np.testing.assert_array_equal(found[1], core)
    np.testing.assert_array_equal(found[0], labels)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SETTINGS)
def test_a_million_points(kind: str) -> None:
    points, (eps_m, min_samples) = KINDS[kind](MILLION), SETTINGS[kind]
    labels, core = large(points, eps_m, min_samples)
    assert labels.max() >= 0
    for threads in (1, 2):
        found = dbscan(points, eps_m, min_samples, n_threads=threads)
        np.testing.assert_array_equal(found.core, core)
        np.testing.assert_array_equal(found.labels, labels)
