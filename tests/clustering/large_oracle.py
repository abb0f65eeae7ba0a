"""DBSCAN of a million points another way: nearest neighbours in space, and the Delaunay triangulation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay, cKDTree

from clustering.oracle import EARTH_RADIUS_M

Array = NDArray[Any]


MOST = 32  # neighbours looked at; where no point has more within reach, they are all there are


def large(points: Array, eps_m: float, min_samples: int) -> tuple[Array, Array]:
    """Labels and core mask as scikit-learn would give them, in memory that grows with the points only.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        Latitude and longitude in degrees; anywhere if each has fewer than `MOST` neighbours, else in one city.
    eps_m : float
        Metres along the great circle.
    min_samples : int
        At most `MOST`. A point is core if its `min_samples`-th neighbour, itself the first, is within `eps_m`. Others
        have fewer neighbours than that, so the neighbours looked at are all that could lend them a label.
    """
    lat, lon = np.radians(points).T
    space = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    reach = 2 * np.sin(eps_m / EARTH_RADIUS_M / 2)
    neighbour = cKDTree(space).query(space, k=MOST, distance_upper_bound=np.nextafter(reach, 1), workers=2)[1]
    neighbour[neighbour == len(points)] = -1  # none within reach
    core: Array = neighbour[:, min_samples - 1] >= 0
    a, b = _pairs(neighbour) if (neighbour[:, -1] < 0).all() else _triangulated(points, np.flatnonzero(core))
    near = core[a] & core[b] & (np.linalg.norm(space[a] - space[b], axis=1) <= reach)
    labels = np.where(core, _components(len(points), a[near], b[near], core), -1)
    lent = np.append(labels, -1)[neighbour]
    lowest = np.where(lent < 0, len(points), lent).min(axis=1)
    return np.where(core | (lowest == len(points)), labels, lowest), core


def _pairs(neighbour: Array) -> tuple[Array, Array]:
    rows, places = np.nonzero(neighbour >= 0)
    return rows, neighbour[rows, places]


def _triangulated(points: Array, cores: Array) -> tuple[Array, Array]:
    """Pairs of core points that hold the shortest tree over all: those of a triangulation, and of equal points.

    The triangulation is of the plane, where a city differs from the sphere by less than decides which of its points
    are next to each other; about the middle, for its squares lose what is small beside them.
    """
    _, first, twin = np.unique(points[cores], axis=0, return_index=True, return_inverse=True)
    plane = points[cores[first]] - np.median(points[cores], axis=0)
    plane[:, 1] *= np.cos(np.radians(np.median(points[cores, 0])))
    found = Delaunay(plane)
    sides = [found.simplices[:, [i, (i + 1) % 3]] for i in range(3)]
    left_out = found.coplanar[:, [0, 2]]  # points too close to a corner to be one, and that corner
    a, b = cores[first[np.concatenate([*sides, left_out])]].T
    return np.append(cores[first[twin]], a), np.append(cores, b)


def _components(n: int, a: Array, b: Array, core: Array) -> Array:
    """Number the components of core points in the order of their first point; other points' numbers say nothing."""
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(n, n))
    names = connected_components(graph, directed=False)[1]
    _, first, inverse = np.unique(names[core], return_index=True, return_inverse=True)
    numbers = np.zeros(n, np.int64)
    numbers[core] = np.argsort(np.argsort(first))[inverse]
    return numbers
