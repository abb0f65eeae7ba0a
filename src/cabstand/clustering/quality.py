"""The quality of a clustering by its own shape, and its agreement with another one.

Noise is left out of the three measures of shape. Distances are chords through the Earth between points on its surface:
for clusters of a city they equal great-circle distances to nine digits, and centroids are defined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.dbscan import Clustering
from cabstand.clustering.metrics import EARTH_RADIUS_M
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


def measure(sphere: NDArray[np.float64], labels: NDArray[np.int32], *, sample: int = SAMPLE, seed: int = 0) -> Quality:
    """Measure the shape of a clustering of points on the `unit_sphere`, shape (n, 3), labelled -1 for noise.

    At most `sample` points are used for the silhouette, whose cost grows with their square.
    """
    member = np.flatnonzero(labels >= 0)
    groups = labels[member]
    if not 2 <= np.count_nonzero(np.bincount(groups)) < len(member):
        return Quality(None, None, None, 0)
    points = sphere[member] * EARTH_RADIUS_M
    sampled = np.sort(sample_indices(len(member), sample, seed))
    order = np.argsort(groups, kind="stable")
    clusters = np.split(points[order], np.flatnonzero(np.diff(groups[order])) + 1)
    return Quality(
        silhouette=_silhouette(points[sampled], groups[sampled]),
        davies_bouldin=_davies_bouldin(clusters),
        calinski_harabasz=_calinski_harabasz(clusters, points.mean(axis=0)),
        sample=len(sampled),
    )


def agree(first: Clustering, second: Clustering) -> Agreement:
    """Compare two clusterings of the same points."""
    from sklearn import metrics

    return Agreement(
        adjusted_rand=float(metrics.adjusted_rand_score(first.labels, second.labels)),
        equal_noise=bool(np.array_equal(first.labels < 0, second.labels < 0)),
        equal_labels=bool(np.array_equal(first.labels, second.labels)),
        equal_core=bool(np.array_equal(first.core, second.core)),
    )


# scikit-learn looks through all points for each cluster: with thousands of them that takes longer than clustering. The
# numbers are the same to the last bit, because the same operations meet the same rows in the same order.


def _davies_bouldin(clusters: Sequence[NDArray[np.float64]]) -> float:
    from sklearn import metrics

    centres = np.array([np.average(one, axis=0) for one in clusters])
    inside = [np.average(metrics.pairwise_distances(one, [at])) for one, at in zip(clusters, centres, strict=True)]
    between = metrics.pairwise_distances(centres)
    if np.allclose(inside, 0.0) or np.allclose(between, 0.0):
        return 0.0
    between[between == 0] = np.inf
    return float(np.average(((np.array(inside)[:, None] + inside) / between).max(axis=1)))


def _calinski_harabasz(clusters: Sequence[NDArray[np.float64]], centre: NDArray[np.float64]) -> float:
    between, inside = 0.0, 0.0
    for one in clusters:
        own = one.mean(axis=0)
        between += len(one) * ((own - centre) ** 2).sum()
        inside += ((one - own) ** 2).sum()
    n, k = sum(map(len, clusters)), len(clusters)
    return float(between * (n - k) / (inside * (k - 1.0))) if inside else 1.0


def _silhouette(points: NDArray[np.float64], groups: NDArray[np.int32]) -> float | None:
    from sklearn import metrics

    if not 2 <= len(np.unique(groups)) < len(groups):
        return None
    return float(metrics.silhouette_score(points, groups))
