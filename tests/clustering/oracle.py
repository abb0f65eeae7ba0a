"""scikit-learn's haversine DBSCAN: slow, obvious, and what every answer must equal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

EARTH_RADIUS_M = 6_371_008.8


def scikit_learn(
    points: Any, eps_m: float, min_samples: int, weight: Any = None, metric: str = "haversine"
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Labels and core mask as scikit-learn gives them (ball tree; degrees become radians as `numpy.radians` says)."""
    from sklearn.cluster import DBSCAN

    data = np.asarray(points, dtype=np.float64)
    earth = metric == "haversine"
    model = DBSCAN(
        eps=eps_m / EARTH_RADIUS_M if earth else eps_m, min_samples=min_samples, metric=metric, algorithm="ball_tree"
    ).fit(np.radians(data) if earth else data, sample_weight=weight)
    core = np.zeros(len(data), np.bool_)
    core[model.core_sample_indices_] = True
    return model.labels_, core
