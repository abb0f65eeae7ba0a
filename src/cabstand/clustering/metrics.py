"""The two distances, in plain NumPy: great-circle on the sphere and straight in the plane.

A *reduced* distance grows with the distance and costs less: the haversine sin^2(d / 2R), or the squared distance.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cabstand.errors import ConfigError

Floats = NDArray[np.float64]

EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG
_DEGREE = math.pi / 180
_HALF_DEGREE = math.pi / 360
_SLACK = 1e-12  # degrees (0.1 micrometre): turning a longitude into -180..180 rounds
_MORE = 1 + 1e-9
METRICS = ("haversine", "euclidean")


def check(metric: object) -> None:
    """Raise ConfigError unless `metric` is one of METRICS."""
    if not isinstance(metric, str) or metric not in METRICS:
        raise ConfigError(f"unknown metric {metric!r}", hint=f"one of {', '.join(METRICS)}")


def reduced(a: Floats, b: Floats, metric: str) -> Floats:
    """Return the reduced distance of points `a` and `b`, shapes (..., 2), broadcast against each other.

    Source of the haversine: Sinnott, Virtues of the Haversine, Sky and Telescope 68 (1984).
    """
    if metric == "euclidean":
        apart = a - b
        return apart[..., 0] ** 2 + apart[..., 1] ** 2
    # The difference is taken in degrees, where it is exact for near points.
    over_lat = np.sin((a[..., 0] - b[..., 0]) * _HALF_DEGREE)
    over_lon = np.sin((a[..., 1] - b[..., 1]) * _HALF_DEGREE)
    both = np.cos(np.radians(a[..., 0])) * np.cos(np.radians(b[..., 0]))
    return np.minimum(over_lat * over_lat + both * over_lon * over_lon, 1.0)  # type: ignore[no-any-return]


def to_distance(value: Floats, metric: str) -> Floats:
    """Return distances (metres for haversine) of reduced distances."""
    if metric == "euclidean":
        return np.sqrt(value)
    return 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(value))


class Reach(NamedTuple):
    """Which reduced distances are within a distance: none but those between `sure` and `most` is in doubt."""

    sure: float  # up to this they are
    most: float  # beyond this they are not; between the two, `is_within` decides
    sin2: float  # what `is_within` compares with


def reach(distance: float, metric: str) -> Reach:
    """Return the Reach of a distance (metres for haversine)."""
    if metric == "euclidean":
        return Reach(distance * distance, distance * distance, math.nan)
    angle = distance / EARTH_RADIUS_M
    sine = 2.0 if distance >= math.pi * EARTH_RADIUS_M else math.sin(0.5 * angle)
    guard = 3e-14 / angle + 1e-12  # rounding of the coordinates, in two formulas, and of the arithmetic
    return Reach(sine * sine * (1 - guard), min(sine * sine * (1 + guard), 1.0), sine * sine)


def is_within(a: Floats, b: Floats, sin2: float) -> NDArray[np.bool_]:
    """Decide for points in degrees, shapes (n, 2), as the compiled clustering and scikit-learn do, bit for bit.

    The sines are the C library's, one at a time: NumPy's may differ from them in the last bit.
    """
    within = np.empty(len(a), np.bool_)
    radians = np.hstack([turned(a), turned(b)]) * _DEGREE
    for i, (lat, lon, other_lat, other_lon) in enumerate(radians.tolist()):
        over_lat = math.sin(0.5 * (lat - other_lat))
        over_lon = math.sin(0.5 * (lon - other_lon))
        haversine = over_lat * over_lat + math.cos(lat) * math.cos(other_lat) * over_lon * over_lon
        within[i] = haversine <= sin2
    return within


def turned(points: NDArray[np.floating[Any]]) -> Floats:
    """Bring longitudes beyond 180 degrees back by whole turns; the others stay as they are, to the last bit."""
    at = points.astype(np.float64)
    beyond = np.abs(at[:, 1]) > 180
    at[beyond, 1] = (at[beyond, 1] + 180) % 360 - 180
    return at


def distance_m(a: Floats, b: Floats) -> Floats:
    """Return great-circle distances in metres of points in degrees, shapes (n, 2)."""
    return to_distance(reduced(a, b, "haversine"), "haversine")


def unit_sphere(latlon: Floats) -> Floats:
    """Return points in degrees as points on the unit sphere, shape (n, 3)."""
    return np.ascontiguousarray(sphere_axes(latlon).T)


def sphere_axes(latlon: Floats) -> Floats:
    """Return points in degrees as points on the unit sphere, shape (3, n)."""
    axes = np.empty((3, len(latlon)))
    lat, lon = np.radians(latlon[:, 0]), np.radians(latlon[:, 1])
    flat = np.cos(lat)
    np.multiply(flat, np.cos(lon), out=axes[0])
    np.multiply(flat, np.sin(lon, out=lon), out=axes[1])
    np.sin(lat, out=axes[2])
    return axes


def chord(arc_m: float) -> float:
    """Return the straight distance of points on the `unit_sphere` that are `arc_m` metres apart on the Earth."""
    return 2 * math.sin(min(arc_m / (2 * EARTH_RADIUS_M), math.pi / 2))


def windows(points: Floats, value: Floats, metric: str) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return boxes that cover everything within a reduced distance of each point (longitudes between -180 and 180).

    A circle across the antimeridian gets a second box, 360 degrees away; one that holds a pole spans all longitudes.
    The meridian that touches a circle is at right angles to its radius: sin(d lon) = sin(radius) / cos(lat), by
    Napier's rules. Return the index of each box's point, ascending, and the lower and upper corners of the boxes.
    """
    owner = np.arange(len(points))
    if metric == "euclidean":
        reach = np.sqrt(value)[:, None] * (1 + 1e-12)
        return owner, points - reach, points + reach
    radius = 2 * np.arcsin(np.sqrt(value))
    over_lat = np.degrees(radius) * _MORE + _SLACK
    ratio = np.sin(np.minimum(radius, math.pi / 2)) / np.maximum(np.cos(np.radians(points[:, 0])), 1e-300)
    holds_pole = (np.abs(points[:, 0]) + over_lat >= 90) | (ratio >= 1)
    over_lon = np.where(holds_pole, 360.0, np.degrees(np.arcsin(np.minimum(ratio, 1.0))) * _MORE + _SLACK)
    reach = np.stack([over_lat, over_lon], axis=1)
    crosses = ~holds_pole & (np.abs(points[:, 1]) + over_lon > 180)
    owner = np.repeat(owner, 1 + crosses)
    at = points[owner]
    second = np.diff(owner, prepend=-1) == 0
    at[second, 1] -= np.copysign(360.0, at[second, 1])
    return owner, at - reach[owner], at + reach[owner]


def wrapped(points: Floats, metric: str) -> Floats:
    """Return the points with longitudes from -180 up to 180; points of the plane stay as they are."""
    if metric == "euclidean":
        return points
    turned = points[:, 1] + 180.0
    if not (turned.min(initial=0.0) >= 0 and turned.max(initial=0.0) < 360):  # the remainder takes long
        turned %= 360.0
    return np.stack([points[:, 0], turned - 180.0], axis=1)
