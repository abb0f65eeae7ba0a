"""The quality of a clustering by its own shape, and its agreement with another one.

Noise is left out of the three measures of shape. Distances are chords through the Earth between points on its surface:
for clusters of a city they equal great-circle distances to nine digits, and centroids are defined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from cabstand.clustering.dbscan import Clustering
from cabstand.clustering.metrics import EARTH_RADIUS_M, unit_sphere
from cabstand.clustering.rows import sample_indices

SAMPLE = 5000


@dataclass(frozen=True)
class Quality:
    """Measures of shape; None where there are fewer than two clusters."""

    silhouette: float | None  # Rousseeuw 1987, on `sample` random points: -1 to 1, higher is better
    davies_bouldin: float | None  # Davies and Bouldin 1979: 0 or more, lower is better
    calinski_harabasz: float | None  # Calinski and Harabasz 1974: higher is better
    sample: int


@dataclass(frozen=True)
class Agreement:
    """The agreement of two clusterings."""

    adjusted_rand: float  # Hubert and Arabie 1985: 1 for equal partitions
    equal_noise: bool
    equal_labels: bool
    equal_core: bool

    @property
    def full(self) -> bool:
        """Whether nothing differs."""
        return self.adjusted_rand == 1.0 and self.equal_noise and self.equal_labels and self.equal_core


def measure(latlon: NDArray[np.float64], labels: NDArray[np.int32], *, sample: int = SAMPLE, seed: int = 0) -> Quality:
    """Measure the shape of a clustering of points in degrees, shape (n, 2), labelled -1 for noise.

    At most `sample` points are used for the silhouette, whose cost grows with their square.
    """
    member = np.flatnonzero(labels >= 0)
    n_clusters = len(np.unique(labels[member]))
    if not 2 <= n_clusters < len(member):
        return Quality(None, None, None, 0)
    points, groups = unit_sphere(latlon[member]) * EARTH_RADIUS_M, labels[member]
    sampled = np.sort(sample_indices(len(member), sample, seed))
    return Quality(
        silhouette=_silhouette(points[sampled], groups[sampled]),
        davies_bouldin=float(metrics.davies_bouldin_score(points, groups)),
        calinski_harabasz=float(metrics.calinski_harabasz_score(points, groups)),
        sample=len(sampled),
    )


def agree(first: Clustering, second: Clustering) -> Agreement:
    """Compare two clusterings of the same points."""
    return Agreement(
        adjusted_rand=float(metrics.adjusted_rand_score(first.labels, second.labels)),
        equal_noise=bool(np.array_equal(first.labels < 0, second.labels < 0)),
        equal_labels=bool(np.array_equal(first.labels, second.labels)),
        equal_core=bool(np.array_equal(first.core, second.core)),
    )


def _silhouette(points: NDArray[np.float64], groups: NDArray[np.int32]) -> float | None:
    if not 2 <= len(np.unique(groups)) < len(groups):
        return None
    return float(metrics.silhouette_score(points, groups))
