"""Search for an eps with which points do not chain (see :mod:`cabstand.clustering.chaining`)."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering import crowded
from cabstand.clustering.candidates import candidates
from cabstand.clustering.chaining import RADIUS_M, SHARE, measure
from cabstand.clustering.dbscan import dbscan
from cabstand.clustering.extents import reaches, total_weight
from cabstand.clustering.metrics import sphere_axes
from cabstand.errors import ConfigError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_MOST_COPIED = 0.8  # of the points: a copy of more would save too little


@dataclass(frozen=True)
class Apart:
    """A clustering with a smaller eps that does not chain."""

    eps_m: float
    n_clusters: int
    share: float  # of the weight of all points, in its clusters


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
    core point, so it is left out unless it is little. The radius is one of 50 to 500 evenly spaced ones, found by
    bisection. None if all of them chain, or the clusters do not fall apart but vanish.
    """
    # With negative weights, a point that is noise may become core when it loses neighbours.
    nested = weight is None or not bool((weight < 0).any())
    points, own = _chosen(latlon, weight, labels >= 0) if nested else (latlon, weight)
    members = _Members(points, own, total_weight(len(latlon), weight), min_samples, n_threads, nested=nested)
    radii = _radii(eps_m)
    sure = members.least_sure(radii) if nested else len(radii)
    best, low, high = None, 0, sure
    middle = sure // 2 if sure == len(radii) else sure - 1  # just below what is sure to chain is likely the answer
    while low < high:
        apart = members.judge(radii[middle])
        if apart is None:
            high = middle
        else:
            best, low = apart, middle + 1
        middle = (low + high) // 2
    return best if best and best.n_clusters else None


def _chosen(points: Floats, weight: Floats | None, chosen: Flags) -> tuple[Floats, Floats | None]:
    """Return the chosen points, and their weights; all of them, if few are left out."""
    if np.count_nonzero(chosen) > _MOST_COPIED * len(chosen):
        return points, weight
    return np.compress(chosen, points, axis=0), None if weight is None else weight[chosen]


class _Members:
    """The points that may be in a cluster with a smaller eps, and what becomes of them."""

    def __init__(
        self, points: Floats, weight: Floats | None, total: float, min_samples: int, n_threads: int, *, nested: bool
    ) -> None:
        self._points, self._weight, self._total = points, weight, total
        self._min_samples = min_samples
        self._cluster = partial(dbscan, min_samples=min_samples, n_threads=n_threads)
        self._nested = nested  # whether a smaller eps makes no members of others

    def least_sure(self, radii: list[float]) -> int:
        """Return the index of a radius from which on all chain, by the most crowded ground alone: as low as it tells.

        What chains there chains with a larger eps and among all points; see `cabstand.clustering.crowded`.
        """
        chosen = crowded.indices(self._points, self._weight)
        points, weight = np.take(self._points, chosen, axis=0), None if self._weight is None else self._weight[chosen]
        low, high = 0, len(radii)
        while low < high:
            middle = (low + high) // 2
            with suppress(ConfigError):  # a smaller radius than the kernels allow on the Earth
                found = self._cluster(points, radii[middle], sample_weight=weight)
                if crowded.weight_beyond(points, found, RADIUS_M, weight) > SHARE * self._total * (1 + 1e-9):
                    high = middle
                    continue
            low = middle + 1
        return high

    def judge(self, radius: float) -> Apart | None:
        """Return what the points are with a radius, None if they chain; then no larger one may be judged."""
        points, weight = self._candidates(radius) if self._nested else (self._points, self._weight)
        try:
            found = self._cluster(points, radius, sample_weight=weight)
        except ConfigError:
            return Apart(radius, 0, 0.0)
        kept = found.labels >= 0
        points, weight = np.compress(kept, points, axis=0), None if weight is None else weight[kept]
        own_weight, radius_m = reaches(sphere_axes(points), found.labels[kept], weight)
        if measure(own_weight, radius_m, self._total).is_over:
            if self._nested:
                self._points, self._weight = points, weight
            return None
        share = float(own_weight.sum() / self._total) if self._total > 0 else 0.0
        return Apart(radius, found.n_clusters, share)

    def _candidates(self, radius: float) -> tuple[Floats, Floats | None]:
        """Return the points that can be in a cluster with a radius, and their weights."""
        found = candidates(self._points, self._weight, radius, self._min_samples)
        return (self._points, self._weight) if found is None else _chosen(self._points, self._weight, found)


def _radii(eps_m: float) -> list[float]:
    """Return the multiples of a power of ten that are below eps, 49 or more and fewer than 500 of them."""
    digits = -math.floor(math.log10(eps_m / 50))
    step = 10.0**-digits
    radii = [round(number * step, max(digits, 0)) for number in range(1, math.ceil(eps_m / step) + 1)]
    return [radius for radius in radii if radius < eps_m]
