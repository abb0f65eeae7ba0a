"""The quality of a clustering by its own shape, and its agreement with another one.

Noise is left out of the three measures of shape. Distances are chords through the Earth between points on its surface:
for clusters of a city they equal great-circle distances to nine digits, and centroids are defined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.dbscan import Clustering
from cabstand.clustering.kernels import shape
from cabstand.clustering.metrics import EARTH_RADIUS_M
from cabstand.clustering.rows import sample_indices

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SAMPLE = 5000
_ROWS = 64  # of the matrix of distances that are computed together: they stay in the second-level cache


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


class Places(NamedTuple):
    """Points in space, whose clusterings are measured."""

    metres: Floats  # shape (n, 3), from the Earth's centre
    squares: Floats  # shape (n,), of the distances from there


def places(sphere: Floats) -> Places:
    """Return the places of points on the `unit_sphere`, shape (n, 3)."""
    metres = sphere * EARTH_RADIUS_M
    return Places(metres, _squares(metres))


def sizes(labels: NDArray[np.int32]) -> Ints:
    """Return how many points are noise (label -1), and how many are in each cluster, shape (k + 1,)."""
    found = np.zeros(int(labels.max(initial=-1)) + 2, np.int64)
    shape.count_members(labels, found)
    return found


def measure(points: Places, labels: NDArray[np.int32], *, sample: int = SAMPLE, seed: int = 0) -> Quality:
    """Measure the shape of a clustering of points labelled -1 for noise.

    At most `sample` points are used for the silhouette, whose cost grows with their square.
    """
    counts = sizes(labels)[1:]
    n_members = int(counts.sum())
    if not 2 <= np.count_nonzero(counts) < n_members:
        return Quality(None, None, None, 0)
    sampled = np.flatnonzero(labels >= 0)[np.sort(sample_indices(n_members, sample, seed))]
    members = _members(points, labels, counts)
    return Quality(
        silhouette=_silhouette(points.metres[sampled], labels[sampled]),
        davies_bouldin=_davies_bouldin(members),
        calinski_harabasz=_calinski_harabasz(members),
        sample=len(sampled),
    )


def agree(first: Clustering, second: Clustering) -> Agreement:
    """Compare two clusterings of the same points."""
    from sklearn.metrics import adjusted_rand_score  # the import takes longer than measuring many shapes

    return Agreement(
        adjusted_rand=float(adjusted_rand_score(first.labels, second.labels)),
        equal_noise=bool(np.array_equal(first.labels < 0, second.labels < 0)),
        equal_labels=bool(np.array_equal(first.labels, second.labels)),
        equal_core=bool(np.array_equal(first.core, second.core)),
    )


# scikit-learn looks through all points for each cluster, and checks its input each time: that takes longer than
# clustering. The numbers are the same to the last bit, as the same operations meet the same rows in the same order; the
# silhouette as far as BLAS rounds a few rows of a product as it does among all.


class _Members(NamedTuple):
    """What is known of the members of clusters, one value a cluster."""

    sizes: Ints
    centres: Floats  # shape (k, 3)
    away: Floats  # mean distance from the own centre
    deviations: Floats  # sum of squared deviations from it
    centre: Floats  # of all members, shape (3,)


def _members(points: Places, labels: NDArray[np.int32], counts: Ints) -> _Members:
    n, most, sizes = int(counts.sum()), int(counts.max()), counts[counts > 0]
    grouped, squares = np.empty((n, 3)), np.empty(n)
    total = shape.group(*points, labels, np.cumsum(counts) - counts, grouped, squares)
    found = _Members(sizes, np.empty((len(sizes), 3)), np.empty(len(sizes)), np.empty(len(sizes)), np.array(total) / n)
    products, deviations = np.empty(most), np.empty((most, 3))
    for k, (last, size) in enumerate(zip(np.cumsum(sizes).tolist(), sizes.tolist(), strict=True)):
        own, centre, chunk = grouped[last - size : last], found.centres[k], slice(size)
        shape.find_centre(own, centre)
        np.matmul(own, centre[:, None], out=products[chunk, None])
        lengths = squares[last - size : last], float(_squares(centre[None])[0])
        shape.measure_members(own, centre, lengths, products[chunk], deviations[chunk])
        found.away[k], found.deviations[k] = products[chunk].mean(), deviations[chunk].sum()
    return found


def _davies_bouldin(members: _Members) -> float:
    inside, between = members.away, _distances(members.centres)
    if np.allclose(inside, 0.0) or np.allclose(between, 0.0):
        return 0.0
    between[between == 0] = np.inf
    return float(np.average(((inside[:, None] + inside) / between).max(axis=1)))


def _calinski_harabasz(members: _Members) -> float:
    between, inside = 0.0, 0.0
    for size, centre, deviations in zip(members.sizes, members.centres, members.deviations, strict=True):
        between += size * ((centre - members.centre) ** 2).sum()
        inside += deviations
    n, k = int(members.sizes.sum()), len(members.sizes)
    return float(between * (n - k) / (inside * (k - 1.0))) if inside else 1.0


def _silhouette(points: Floats, labels: NDArray[np.int32]) -> float | None:
    found, groups, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if not 2 <= len(found) < len(labels):
        return None
    every, sums, squares = np.arange(len(points)), np.zeros((len(points), len(found))), _squares(points)
    for first in range(0, len(points), _ROWS):
        rows = slice(first, first + _ROWS)
        shape.sum_distances(points[rows] @ points.T, first, squares, groups, sums[rows])
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = sums[every, groups] / (counts - 1)[groups]
        sums[every, groups] = np.inf
        outside = (sums / counts).min(axis=1)
        each = (outside - inside) / np.maximum(inside, outside)
    return float(np.mean(np.nan_to_num(each)))  # of a cluster of one point: 0


def _distances(points: Floats) -> Floats:
    """Return the distances of all points from each other."""
    squares, found = _squares(points), points @ points.T
    found *= -2
    found += squares[:, None]
    found += squares
    np.maximum(found, 0.0, out=found)
    np.fill_diagonal(found, 0.0)
    return np.sqrt(found, out=found)


def _squares(points: Floats) -> Floats:
    return np.einsum("ij,ij->i", points, points)  # type: ignore[no-any-return]
