"""How a sweep judges its clusterings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from cabstand.clustering import quality
from cabstand.clustering.dbscan import Clustering
from cabstand.clustering.engines import ENGINES
from cabstand.io.points import Points
from cabstand.jobs.sweeping.trials import Trials


def threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_shapes_are_measured_on_one_thread_of_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    during: set[int] = set()
    measure = quality.measure

    def noted(*arguments: Any, **options: Any) -> quality.Quality:
        during.update(threads())
        return measure(*arguments, **options)

    monkeypatch.setattr(quality, "measure", noted)
    latlon = np.random.default_rng(0).normal([40.7, -74.0], 0.01, (200, 2))
    points = Points(latlon, np.arange(200), None, None, 200, 0, "trips.parquet", "")
    labels = np.arange(200, dtype=np.int32) % 3
    with threadpool_limits(2):
        row = Trials(points, ENGINES["sequential"], 1, 100, 0).judge(Clustering(labels, labels == 0, 3))
        assert during == {1}
        assert threads() == {2}
    assert row["n_clusters"] == 3
