"""The densest parts of clusters that spread too far.

DBSCAN with a smaller eps and the same `min_samples` demands more density, and its clusters lie inside those of the
larger eps. So a cluster that spreads too far is clustered again with an eps that shrinks by a tenth each time, until
what is left of it has come apart into pieces within the bound; thin ground between them drops out as noise. The spread
is the root mean square distance of the members from their centre, the square root of their variance.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.dbscan import Clustering, dbscan
from cabstand.clustering.extents import extents
from cabstand.clustering.metrics import unit_sphere
from cabstand.clustering.parts import Parts
from cabstand.errors import ConfigError

STEP = 0.9
Floats = NDArray[np.float64]
Labels = NDArray[np.int32]


def check(max_spread_m: float) -> None:
    """Raise ConfigError if the bound is not a distance."""
    if not 0 < max_spread_m < math.inf:
        raise ConfigError(f"must be a distance in metres above 0, not {max_spread_m:g}", where="--max-spread-m")


def find(
    latlon: Floats,
    labels: Labels,
    eps_m: float,
    min_samples: int,
    max_spread_m: float,
    *,
    weight: Floats | None = None,
    n_threads: int = 1,
) -> Parts:
    """Find the parts of those clusters of points in degrees, shape (n, 2), whose spread is over the bound.

    `labels`, shape (n,), are those of DBSCAN with `eps_m` and `min_samples`. A cluster may have one part or several, or
    none: where it is equally dense all over, it does not come apart but vanishes.
    """
    sphere = unit_sphere(latlon)
    too_far = extents(sphere, labels, weight).spread_m > max_spread_m
    part, core = np.full(len(latlon), -1, np.int32), np.zeros(len(latlon), np.bool_)
    rows = np.empty((0, 4))  # of each part: cluster, weight, eps, spread
    left = np.flatnonzero(np.append(too_far, False)[labels])
    while len(left):
        eps_m *= STEP
        own = None if weight is None else weight[left]
        try:
            found = dbscan(latlon[left], eps_m, min_samples, sample_weight=own, n_threads=n_threads)
        except ConfigError:  # a smaller eps than the kernels allow on the Earth
            break
        own_labels, parent = _inside(found, labels[left])
        each = extents(sphere[left], own_labels, own)
        done = each.spread_m <= max_spread_m
        part[left] = np.append(np.where(done, len(rows) + np.cumsum(done) - 1, -1), -1)[own_labels]
        core[left] = found.core & (part[left] >= 0)
        new = np.column_stack([parent, each.weight, np.full(len(parent), eps_m), each.spread_m])
        rows, left = np.concatenate([rows, new[done]]), left[np.append(~done, False)[own_labels]]
    order = np.lexsort((-rows[:, 1], rows[:, 0]))
    rank = np.append(np.argsort(order), -1).astype(np.int32)
    cluster, _, eps, spread = rows[order].T
    return Parts(rank[part], core, cluster.astype(np.int32), eps, spread, int(too_far.sum()))


def _inside(found: Clustering, clusters: Labels) -> tuple[Labels, Labels]:
    """Return the labels that members of `clusters` keep, and the cluster of each label.

    All core points with one label come from one cluster. A border point near two clusters stays with its own.
    """
    parent = np.full(found.n_clusters, -1, np.int32)
    parent[found.labels[found.core]] = clusters[found.core]
    stays = np.append(parent, np.int32(-1))[found.labels] == clusters
    return np.where(stays, found.labels, -1).astype(np.int32), parent
