"""Which hotspot is this point in: the nearest core point within eps, answered by NumPy alone.

The service carries this file and no compiler, so nothing here may import more than NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cabstand.clustering import arrayfile, metrics
from cabstand.clustering.point_tree import PointTree, z_codes
from cabstand.errors import ConfigError, DataError

SCHEMA_VERSION = 1
MAX_BYTES = 1 << 30
_BATCH = 1 << 12
Part = tuple[NDArray[np.float64], NDArray[np.int32]]
_EXPECTED = {
    "schema_version": ("<i8", 0),
    "metric": ("<i8", 0),  # place in METRICS
    "eps_m": ("<f8", 0),
    "points": ("<f8", 2),
    "clusters": ("<i4", 1),
}


class CoreIndex:
    """The core points of a clustering, ready to be asked.

    Attributes
    ----------
    eps_m : float
        Reach of a core point, in metres (in units of the plane for the euclidean metric).
    metric : {"haversine", "euclidean"}
        The distance.
    """

    def __init__(self, tree: PointTree, eps_m: float) -> None:
        self._tree = tree
        self.eps_m = eps_m
        self.metric = tree.metric

    def __len__(self) -> int:
        """Return the number of distinct core points."""
        return len(self._tree.points)

    @property
    def points(self) -> NDArray[np.float64]:
        """The distinct core points, shape (n, 2)."""
        return self._tree.points

    @property
    def clusters(self) -> NDArray[np.int32]:
        """The cluster of each core point, shape (n,)."""
        return self._tree.tags

    @classmethod
    def build(
        cls, core_points: ArrayLike, cluster_ids: ArrayLike, eps_m: float, *, metric: str = "haversine"
    ) -> CoreIndex:
        """Index core points.

        Parameters
        ----------
        core_points : array_like, shape (n, 2)
            Latitude and longitude in degrees, or x and y.
        cluster_ids : array_like of int, shape (n,)
            Cluster of each, 0 or more.
        eps_m : float
            The clustering's eps.
        metric : {"haversine", "euclidean"}
            The clustering's metric.

        Raises
        ------
        ConfigError, DataError
            If an argument is not valid.
        """
        points = np.asarray(core_points, np.float64).reshape(-1, 2)
        clusters = np.asarray(cluster_ids, np.int32)
        _check(points, clusters, eps_m, metric)
        points, clusters, _ = core_places(points, clusters, metric)
        return cls(PointTree.over(points, clusters, metric), float(eps_m))

    def query(self, points: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Find the cluster of the nearest core point within eps; among equally near ones the lowest.

        Parameters
        ----------
        points : array_like, shape (m, 2)
            Latitude and longitude in degrees, or x and y. A point that is not finite, or whose latitude is beyond a
            pole, is nowhere.

        Returns
        -------
        cluster : ndarray, shape (m,), int32
            -1 where no core point is within eps.
        distance_m : ndarray, shape (m,), float64
            Distance to that core point, NaN where there is none.
        """
        asked = np.asarray(points, np.float64).reshape(-1, 2)
        cluster = np.full(len(asked), -1, np.int32)
        distance = np.full(len(asked), np.nan)
        for first in range(0, len(asked), _BATCH):
            batch = asked[first : first + _BATCH]
            somewhere = first + np.flatnonzero(_is_place(batch, self.metric))
            cluster[somewhere], distance[somewhere] = self._query(asked[somewhere])
        return cluster, distance

    def save(self, file: str | Path | IO[bytes]) -> None:
        """Write the index as an .npz."""
        _write(file, self._tree.points, self._tree.tags, self.eps_m, self.metric)

    @classmethod
    def load(cls, source: bytes | str | Path, *, max_bytes: int = MAX_BYTES) -> CoreIndex:
        """Read an index, from anybody.

        Parameters
        ----------
        source : bytes or path
            The .npz or its content.
        max_bytes : int
            Most that its arrays may take in memory.

        Raises
        ------
        DataError
            If it is not such a file, is of a newer version, too large, or holds values that cannot be.
        """
        arrays = arrayfile.read(source, _EXPECTED, max_bytes)
        version, metric = int(arrays["schema_version"]), int(arrays["metric"])
        if version != SCHEMA_VERSION or not 0 <= metric < len(metrics.METRICS):
            raise DataError(f"hotspot index of version {version}, {SCHEMA_VERSION} is read here", where="hotspot index")
        eps_m, name = float(arrays["eps_m"]), metrics.METRICS[metric]
        points, clusters = arrays["points"], arrays["clusters"]
        if points.shape[1] != 2:
            raise DataError("points are not pairs", where="hotspot index")
        try:
            _check(points, clusters, eps_m, name)
        except ConfigError as error:
            raise DataError(error.what, where="hotspot index") from error
        return cls(PointTree.over(points, clusters, name), eps_m)

    def _query(self, points: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        # A hair more than eps, for the rounding of the conversion; the distance itself decides.
        limit = metrics.to_reduced(self.eps_m, self.metric) * (1 + 1e-12)
        cluster, reduced = self._tree.nearest(points, limit)
        none = cluster < 0
        distance = metrics.to_distance(np.where(none, 0.0, reduced), self.metric)
        none |= distance > self.eps_m
        return np.where(none, np.int32(-1), cluster), np.where(none, np.nan, distance)


def write_parts(file: str | Path | IO[bytes], n_places: int, parts: Callable[[], Iterable[Part]], eps_m: float) -> None:
    """Write the index of core points that come part by part, as `CoreIndex.save` would write it of all of them.

    Parameters
    ----------
    file : path or binary file
        Where to.
    n_places : int
        Places in all parts.
    parts : callable
        Gives the parts, twice: places and clusters, of what `core_places` returns; together in its order.
    eps_m : float
        The clustering's eps.
    """
    points = arrayfile.Stream((n_places, 2), np.dtype("<f8"), (places for places, _ in parts()))
    clusters = arrayfile.Stream((n_places,), np.dtype("<i4"), (clusters for _, clusters in parts()))
    _write(file, points, clusters, eps_m, "haversine")


def _write(
    file: str | Path | IO[bytes],
    points: NDArray[np.float64] | arrayfile.Stream,
    clusters: NDArray[np.int32] | arrayfile.Stream,
    eps_m: float,
    metric: str,
) -> None:
    arrays = {
        "schema_version": np.asarray(np.int64(SCHEMA_VERSION)),
        "metric": np.asarray(np.int64(metrics.METRICS.index(metric))),
        "eps_m": np.asarray(np.float64(eps_m)),
        "points": points,
        "clusters": clusters,
    }
    arrayfile.write(file, arrays)


def _is_place(points: NDArray[np.float64], metric: str) -> NDArray[np.bool_]:
    good: NDArray[np.bool_] = np.isfinite(points)
    if metric == "haversine":
        good[:, 0] &= np.abs(points[:, 0]) <= 90
    return good[:, 0] & good[:, 1]


def _check(points: NDArray[np.float64], clusters: NDArray[np.int32], eps_m: float, metric: str) -> None:
    metrics.check(metric)
    if not (math.isfinite(eps_m) and eps_m > 0):
        raise ConfigError(f"eps_m must be a positive number, not {eps_m}")
    if clusters.shape != (len(points),):
        raise DataError(f"{len(points)} core points and {clusters.shape} cluster ids", where="hotspot index")
    if not _is_place(points, metric).all() or (clusters < 0).any():
        raise DataError("a core point is nowhere on Earth, or in no cluster", where="hotspot index")


def core_places(
    points: NDArray[np.float64], clusters: NDArray[np.int32], metric: str = "haversine"
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int64]]:
    """Return the distinct places of core points in the index's order, along the Z-order curve.

    Returns
    -------
    places : ndarray of float64, shape (k, 2)
        One of each place: no answer changes, and crowds at one spot cost nothing.
    clusters : ndarray of int32, shape (k,)
        Their lowest cluster.
    counts : ndarray of int64, shape (k,)
        Core points there.
    """
    order = np.lexsort((clusters, points[:, 1], points[:, 0]))
    points, clusters = points[order], clusters[order]
    new = np.ones(len(points), bool)
    new[1:] = (points[1:] != points[:-1]).any(axis=1)
    first = np.flatnonzero(new)
    places = points[first]
    along = np.argsort(z_codes(places, metric), kind="stable")
    first = first[along]
    counts = np.diff(np.flatnonzero(new), append=len(points))[along]
    return places[along], clusters[first], counts.astype(np.int64)
