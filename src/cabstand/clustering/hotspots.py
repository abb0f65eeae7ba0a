"""Hotspots: one row for each cluster, with its size, centre, extent and busy hours.

They are computed from sums, so points on several workers are described like points in one memory: each worker adds up
its own (`sum_members`), `add_up` adds their sums, and once the centroids are known each worker measures its `radii`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.member_sums import add_up, radii, sum_members
from cabstand.clustering.rhythm import NO_HOUR, hours_of_week, shares

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Hotspots:
    """Clusters, one row each, in the order of their labels."""

    size: Ints  # points
    core: Ints  # core points among them
    weight: Floats  # sum of weights; the size where there are none
    centroid: Floats  # shape (k, 2): weighted mean position, latitude and longitude in degrees
    radius_m: Floats  # largest distance of a member from the centroid
    area_km2: Floats  # of the squares of side eps / sqrt(2) that contain members
    density_per_km2: Floats  # weight over that area
    hours: Floats | None  # shape (k, 24): share of the weight by local hour; rows sum to 1
    weekdays: Floats | None  # shape (k, 7): share of the weight by weekday, Monday first

    def __len__(self) -> int:
        """Return the number of clusters."""
        return len(self.size)


def summarise(
    latlon: Floats,
    labels: Labels,
    core: Flags,
    eps_m: float,
    *,
    weight: Floats | None = None,
    at: NDArray[np.datetime64] | None = None,
) -> Hotspots:
    """Describe each cluster that DBSCAN with `eps_m` found among points in degrees, shape (n, 2).

    Negative weights count as zero here; `at` holds local times, NaT where unknown.
    """
    member = np.flatnonzero(labels >= 0)
    points, cluster = np.take(latlon, member, axis=0), labels[member]
    week = np.full(len(member), NO_HOUR, np.uint8) if at is None else hours_of_week(at[member])
    heavy = None if weight is None else np.maximum(weight[member], 0.0)
    unshared = np.zeros(len(member), np.bool_)
    part = sum_members(points, cluster, core[member], unshared, week, eps_m, heavy)
    totals = add_up([part], int(cluster.max(initial=-1)) + 1)
    return describe(totals, [radii(points, cluster, totals["centroid"])], eps_m, timed=at is not None)


def describe(
    totals: dict[str, NDArray[Any]], radii_m: Sequence[tuple[Ints, Floats]], eps_m: float, *, timed: bool
) -> Hotspots:
    """Describe each cluster from the results of `add_up` and, for each part, of `radii`.

    `eps_m` is the radius of the clustering, `timed` whether any point has a time.
    """
    radius = np.zeros(len(totals["size"]))
    for cluster, own in radii_m:
        radius[cluster] = np.maximum(radius[cluster], own)
    area = totals["n_squares"] * float(eps_m / np.sqrt(2) / 1000) ** 2
    return Hotspots(
        size=totals["size"],
        core=totals["core"],
        weight=totals["weight"],
        centroid=totals["centroid"],
        radius_m=radius,
        area_km2=area,
        density_per_km2=totals["weight"] / area,
        hours=shares(totals["hours"]) if timed else None,
        weekdays=shares(totals["weekdays"]) if timed else None,
    )
