"""Outlines of hotspots for a map: what lies within eps of a hotspot's core points, simplified.

Every member of a DBSCAN cluster lies within eps of one of its core points, so an outline contains all members.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import shapely
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ring = list[list[float]]

METRES_PER_DEGREE = 111_194.93
CONCAVITY = 0.1  # of the hull: 0 follows every dent, 1 is the convex hull
_CELL, _TOLERANCE = 0.1, 0.1  # in eps: one core point is kept per cell; how far a simplified line may stray
_QUARTER = 4  # sides of the polygon that stands for a quarter of a circle
# The thinning, two simplifications and the chords of the circles must not cut off a member.
_REACH = (1 + _CELL * np.sqrt(2) + _TOLERANCE) / np.cos(np.pi / (4 * _QUARTER)) + _TOLERANCE


def outlines(latlon: Floats, cluster: NDArray[np.int32], wanted: Collection[int], eps_m: float) -> dict[int, Ring]:
    """Return the outline of each wanted cluster as a closed ring of [longitude, latitude] in degrees.

    `latlon` has shape (n, 2): the positions of core points in degrees; `cluster` has their clusters, shape (n,). A
    cluster without a core point has no outline.
    """
    chosen = np.isin(cluster, list(wanted))
    latlon, cluster = latlon[chosen], cluster[chosen]
    order = np.argsort(cluster, kind="stable")
    latlon, cluster = latlon[order], cluster[order]
    names, first = np.unique(cluster, return_index=True)
    parts = np.split(latlon, first[1:]) if len(names) else []
    return {int(name): _outline(part, eps_m) for name, part in zip(names, parts, strict=True)}


def _outline(latlon: Floats, eps_m: float) -> Ring:
    """Outline one cluster, on a plane that touches the Earth at its first core point."""
    lat, lon = latlon[0]
    # Near a pole a degree of longitude is next to nothing, and the outline is a rough one.
    scale = METRES_PER_DEGREE * np.array([max(np.cos(np.radians(lat)), 1e-3), 1.0])
    east = (latlon[:, 1] - lon + 180) % 360 - 180  # also across the 180th meridian
    metres = np.round(np.stack([east, latlon[:, 0] - lat], axis=1) * scale, 3)
    cell = np.floor(metres / (_CELL * eps_m)).astype(np.int64)
    kept = metres[np.unique(cell, axis=0, return_index=True)[1]]
    hull = shapely.concave_hull(shapely.MultiPoint(kept), ratio=CONCAVITY).simplify(_TOLERANCE * eps_m)
    area = hull.buffer(_REACH * eps_m, quad_segs=_QUARTER).simplify(_TOLERANCE * eps_m)
    ring = shapely.get_coordinates(shapely.get_exterior_ring(area)) / scale + [lon, lat]
    return [[round(float(x), 5), round(float(y), 5)] for x, y in ring]
