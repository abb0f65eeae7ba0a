"""What a clustering says of the city: one row a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.dbscan import EARTH_RADIUS_M

Floats = NDArray[np.float64]
HOURS, WEEKDAYS = 24, 7
NO_HOUR = 255


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
        Weighted mean place, latitude and longitude in degrees.
    radius_m : ndarray of float64, shape (k,)
        Largest distance of a member from the centroid.
    area_km2 : ndarray of float64, shape (k,)
        Area of the squares of side eps / sqrt(2) that members stand in.
    density_per_km2 : ndarray of float64, shape (k,)
        Weight over that area.
    hours : ndarray of float64, shape (k, 24), optional
        Share of the weight by local hour; rows sum to 1.
    weekdays : ndarray of float64, shape (k, 7), optional
        Share of the weight by weekday, Monday first.
    """

    size: NDArray[np.int64]
    core: NDArray[np.int64]
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
    labels: NDArray[np.int32],
    core: NDArray[np.bool_],
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
        As DBSCAN gave them.
    eps_m : float
        Its radius, in metres.
    weight : ndarray of float64, shape (n,), optional
        Weight of each point; negative ones count as nothing here.
    at : ndarray of datetime64, shape (n,), optional
        Local time of each point; NaT where unknown.
    """
    member = np.flatnonzero(labels >= 0)
    label = labels[member].astype(np.int64)
    k = int(label.max(initial=-1)) + 1
    points = latlon[member]
    mass = np.ones(len(member)) if weight is None else np.maximum(weight[member], 0.0)
    size = np.bincount(label, minlength=k)
    total: Floats = np.bincount(label, mass, k).astype(np.float64)
    # A cluster whose weights are all zero still has a middle.
    pull = np.where(total[label] > 0, mass, 1.0)
    centroid = _centroids(points, label, pull, k)
    area = _area_km2(points, label, eps_m, k)
    hours = weekdays = None
    if at is not None:
        hours, weekdays = (shares(total) for total in rhythm(hours_of_week(at[member]), label, mass, k))
    return Hotspots(
        size=size,
        core=np.bincount(label, core[member], k).astype(np.int64),
        weight=total,
        centroid=centroid,
        radius_m=_radii(points, label, centroid, k),
        area_km2=area,
        density_per_km2=total / area,
        hours=hours,
        weekdays=weekdays,
    )


def to_sphere(latlon: Floats) -> Floats:
    """Return points on the unit sphere, shape (n, 3)."""
    latitude, longitude = np.radians(latlon).T
    return np.column_stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
    )


def distance_m(a: Floats, b: Floats) -> Floats:
    """Return great-circle distances of points in degrees, shapes (n, 2), by the haversine formula."""
    (lat_a, lon_a), (lat_b, lon_b) = np.radians(a).T, np.radians(b).T
    half = np.sin((lat_a - lat_b) / 2) ** 2 + np.cos(lat_a) * np.cos(lat_b) * np.sin((lon_a - lon_b) / 2) ** 2
    distance: Floats = 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.minimum(half, 1.0)))
    return distance


def _centroids(points: Floats, label: NDArray[np.int64], pull: Floats, k: int) -> Floats:
    # On the sphere, so that a cluster across the antimeridian has its middle there too.
    x, y, z = (np.bincount(label, pull * axis, k).astype(np.float64) for axis in to_sphere(points).T)
    return np.column_stack([np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))])


def _radii(points: Floats, label: NDArray[np.int64], centroid: Floats, k: int) -> Floats:
    radius = np.zeros(k)
    np.maximum.at(radius, label, distance_m(points, centroid[label]))
    return radius


def squares(points: Floats, label: NDArray[np.int64], eps_m: float) -> NDArray[np.int64]:
    """Return the squares of side eps / sqrt(2) that members stand in: rows of label, row and column, each once."""
    side = eps_m / np.sqrt(2)
    metres = np.radians(points) * EARTH_RADIUS_M
    cell = np.empty((len(points), 3), np.int64)
    cell[:, 0] = label
    cell[:, 1] = np.floor(metres[:, 0] / side)
    # A row's scale is that of its own lower edge: all of a row's cells are then as wide.
    cell[:, 2] = np.floor(metres[:, 1] * np.cos(cell[:, 1] * side / EARTH_RADIUS_M) / side)
    return cell[distinct_rows(cell)]


def square_km2(eps_m: float) -> float:
    """Return the area of one of the `squares`."""
    return float(eps_m / np.sqrt(2) / 1000) ** 2


def distinct_rows(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the index of one of each of the distinct rows of a matrix, in the rows' order."""
    order: NDArray[np.int64] = np.lexsort(rows.T[::-1])
    ordered = rows[order]
    new = np.ones(len(rows), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return order[new]


def _area_km2(points: Floats, label: NDArray[np.int64], eps_m: float, k: int) -> Floats:
    n_squares = np.bincount(squares(points, label, eps_m)[:, 0], minlength=k)
    return n_squares.astype(np.float64) * square_km2(eps_m)


def hours_of_week(at: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the hour of the week of each local time: 0 is Monday's first, NO_HOUR stands for NaT."""
    hour = at.astype("datetime64[h]").astype(np.int64)
    # 1970-01-01 was a Thursday.
    return np.where(np.isnat(at), NO_HOUR, (hour + 3 * HOURS) % (HOURS * WEEKDAYS)).astype(np.uint8)


def rhythm(week: NDArray[np.uint8], label: NDArray[np.int64], mass: Floats, k: int) -> tuple[Floats, Floats]:
    """Return the mass of k clusters by local hour, shape (k, 24), and by weekday, (k, 7); see `hours_of_week`."""
    known = week != NO_HOUR
    hour, label, mass = week[known].astype(np.int64), label[known], mass[known]
    return _totals(label, hour % HOURS, mass, k, HOURS), _totals(label, hour // HOURS, mass, k, WEEKDAYS)


def _totals(label: NDArray[np.int64], part: NDArray[np.int64], mass: Floats, k: int, parts: int) -> Floats:
    return np.bincount(label * parts + part, mass, k * parts).astype(np.float64).reshape(k, parts)


def shares(total: Floats) -> Floats:
    """Return each row as shares of its sum; zeros where the sum is zero."""
    whole = total.sum(axis=1, keepdims=True)
    found: Floats = np.divide(total, whole, out=np.zeros_like(total), where=whole > 0)
    return found
