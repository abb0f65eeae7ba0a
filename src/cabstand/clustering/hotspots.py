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
    """Clusters, one row each, in the order of their labels.

    Attributes
    ----------
    size : ndarray of int64, shape (k,)
        Points.
    core : ndarray of int64, shape (k,)
        Core points among them.
    weight : ndarray of float64, shape (k,)
        Sum of weights; the size where there are none.
    centroid : ndarray of float64, shape (k, 2)
        Weighted mean position, latitude and longitude in degrees.
    radius_m : ndarray of float64, shape (k,)
        Largest distance of a member from the centroid.
    area_km2 : ndarray of float64, shape (k,)
        Area of the squares of side eps / sqrt(2) that contain members.
    density_per_km2 : ndarray of float64, shape (k,)
        Weight over that area.
    hours : ndarray of float64, shape (k, 24), optional
        Share of the weight by local hour; rows sum to 1.
    weekdays : ndarray of float64, shape (k, 7), optional
        Share of the weight by weekday, Monday first.
    """

    size: Ints
    core: Ints
    weight: Floats
    centroid: Floats
    radius_m: Floats
    area_km2: Floats
    density_per_km2: Floats
    hours: Floats | None
    weekdays: Floats | None

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
    """Describe each cluster.

    Parameters
    ----------
    latlon : ndarray of float64, shape (n, 2)
        Points in degrees.
    labels, core : ndarray, shape (n,)
        The result of DBSCAN.
    eps_m : float
        Its radius in metres.
    weight : ndarray of float64, shape (n,), optional
        Weight of each point; negative weights count as zero here.
    at : ndarray of datetime64, shape (n,), optional
        Local time of each point; NaT where unknown.
    """
    member = np.flatnonzero(labels >= 0)
    points, cluster = latlon[member], labels[member]
    week = np.full(len(member), NO_HOUR, np.uint8) if at is None else hours_of_week(at[member])
    heavy = None if weight is None else np.maximum(weight[member], 0.0)
    unshared = np.zeros(len(member), np.bool_)
    part = sum_members(points, cluster, core[member], unshared, week, eps_m, heavy)
    totals = add_up([part], int(cluster.max(initial=-1)) + 1)
    return describe(totals, [radii(points, cluster, totals["centroid"])], eps_m, timed=at is not None)


def describe(
    totals: dict[str, NDArray[Any]], radii_m: Sequence[tuple[Ints, Floats]], eps_m: float, *, timed: bool
) -> Hotspots:
    """Describe each cluster.

    Parameters
    ----------
    totals : dict of str to ndarray
        The result of `add_up`.
    radii_m : sequence of (cluster, radius)
        The result of `radii` for each part.
    eps_m : float
        Radius of the clustering in metres.
    timed : bool
        Whether any point has a time.
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
