"""Chaining: with a large eps clusters reach from one hotspot to the next until a whole district is one cluster.

A clustering chains if its clusters with a radius over `RADIUS_M`, too far to walk, together hold more than `SHARE` of
the weight of all points. One such cluster of little weight, as the kerbs of an airport may be, is no reason to warn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.dbscan import dbscan
from cabstand.clustering.extents import reaches, total_weight
from cabstand.clustering.metrics import unit_sphere
from cabstand.errors import ConfigError

RADIUS_M = 500.0
SHARE = 0.05
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Chaining:
    """The clusters of a clustering whose radius is over the bound."""

    n_clusters: int
    share: float  # of the weight of all points
    radius_m: float  # the largest
    radius_bound_m: float = RADIUS_M
    share_bound: float = SHARE

    @property
    def is_over(self) -> bool:
        """Whether they hold more than the bound."""
        return self.share > self.share_bound


@dataclass(frozen=True)
class Apart:
    """A clustering with a smaller eps that does not chain."""

    eps_m: float
    n_clusters: int
    share: float  # of the weight of all points, in its clusters


def measure(weight: Floats, radius_m: Floats, total: float) -> Chaining:
    """Judge clusters with these weights and radii, shape (k,); `total` is the weight of all points, noise included."""
    far = radius_m > RADIUS_M
    share = float(weight[far].sum() / total) if total > 0 else 0.0
    return Chaining(int(far.sum()), share, float(radius_m[far].max(initial=0.0)))


def largest_eps(
    latlon: Floats,
    labels: NDArray[np.int32],
    eps_m: float,
    min_samples: int,
    *,
    weight: Floats | None = None,
    n_threads: int = 1,
) -> Apart | None:
    """Find the largest eps below `eps_m` with which points in degrees, shape (n, 2), do not chain: cluster them again.

    `labels`, shape (n,), are those of `eps_m`: noise stays noise with a smaller eps, and is in no neighbourhood of a
    core point, so the others alone are clustered. The radius is one of 50 to 500 evenly spaced ones, found by
    bisection. None if all of them chain, or the clusters do not fall apart but vanish.
    """
    total, member = total_weight(len(latlon), weight), labels >= 0
    is_negative = weight is not None and bool((weight < 0).any())
    if is_negative:  # without a negative neighbour, noise may become a core point
        member[:] = True
    points, own = latlon[member], None if weight is None else weight[member]
    axes, radii = np.ascontiguousarray(unit_sphere(points).T), _radii(eps_m)
    best, low, high = None, 0, len(radii)
    while low < high:
        middle = (low + high) // 2
        try:
            found = dbscan(points, radii[middle], min_samples, sample_weight=own, n_threads=n_threads)
        except ConfigError:  # a smaller radius than the kernels allow on the Earth
            low = middle + 1
            continue
        own_weight, radius_m = reaches(axes, found.labels, own)
        if measure(own_weight, radius_m, total).is_over:
            high, kept = middle, found.labels >= 0
            if not is_negative:
                points, axes, own = points[kept], axes.compress(kept, axis=1), None if own is None else own[kept]
        else:
            share = float(own_weight.sum() / total) if total > 0 else 0.0
            best, low = Apart(radii[middle], found.n_clusters, share), middle + 1
    return best if best and best.n_clusters else None


def sentence(found: Mapping[str, Any], *, divided: bool) -> str:
    """Return what a reader should know of clusters that chain, and do about it.

    `found` has the fields of `Chaining`, and as `suggested` those of `Apart` or None; `divided` says whether the
    densest parts of the clusters are listed already.
    """
    what = (
        f"clusters chain together: {found['share']:.1%} of the points are in hotspots with a radius over"
        f" {found['radius_bound_m']:g} m ({found['n_clusters']:,} of them, up to {found['radius_m']:,.0f} m)"
    )
    other = found["suggested"]
    if other is None:
        return f"{what}; try a smaller --eps-m or a larger --min-samples"
    less = f"{what}; --eps-m {other['eps_m']:g} keeps them apart"
    figures = f"{other['n_clusters']:,} hotspots with {other['share']:.1%} of the points"
    return f"{less} ({figures})" + ("" if divided else ", and --max-spread-m 150 lists their densest parts")


def _radii(eps_m: float) -> list[float]:
    """Return the multiples of a power of ten that are below eps, 49 or more and fewer than 500 of them."""
    digits = -math.floor(math.log10(eps_m / 50))
    step = 10.0**-digits
    radii = [round(number * step, max(digits, 0)) for number in range(1, math.ceil(eps_m / step) + 1)]
    return [radius for radius in radii if radius < eps_m]
