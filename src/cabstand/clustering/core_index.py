"""Find the hotspot that a point is in: the cluster of the nearest core point within eps.

The service uses this module without a compiler, so nothing here may import more than NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cabstand.clustering import metrics, npz, parameters
from cabstand.clustering.distinct_points import distinct_core_points
from cabstand.clustering.marks import EVERY, NONE, Marks
from cabstand.clustering.point_tree import PointTree
from cabstand.errors import ConfigError, DataError

SCHEMA_VERSION = 1
MAX_BYTES = 1 << 30
_BATCH = 1 << 12
Part = tuple[NDArray[np.float64], NDArray[np.int32]]
_EXPECTED = {
    "schema_version": ("<i8", 0),
    "metric": ("<i8", 0),  # index into METRICS
    "eps_m": ("<f8", 0),
    "points": ("<f8", 2),
    "clusters": ("<i4", 1),
}
_MARKS = dict.fromkeys(EVERY, ("<i8", 0))  # absent unless the mark applies


class CoreIndex:
    """An index of the core points of a clustering.

    `eps_m` is the reach of a core point, in metres (in units of the plane for the euclidean metric); `marks` says what
    the points are, see `cabstand.clustering.marks`.
    """

    def __init__(self, tree: PointTree, eps_m: float, marks: Marks = NONE) -> None:
        self._tree = tree
        self.eps_m = eps_m
        self.marks = marks
        self.metric = tree.metric

    def __len__(self) -> int:
        """Return the number of distinct core points."""
        return len(self._tree.points)

    @property
    def tree(self) -> PointTree:
        """The tree over the distinct core points."""
        return self._tree

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
        cls,
        core_points: ArrayLike,
        cluster_ids: ArrayLike,
        eps_m: float,
        *,
        metric: str = "haversine",
        marks: Marks = NONE,
    ) -> CoreIndex:
        """Index core points, array_like of shape (n, 2): latitude and longitude in degrees, or x and y.

        Each has a cluster, 0 or more. ConfigError or DataError if an argument is not valid.
        """
        points = np.asarray(core_points, np.float64).reshape(-1, 2)
        clusters = np.asarray(cluster_ids, np.int32)
        _check(points, clusters, eps_m, metric)
        points, clusters, _ = distinct_core_points(points, clusters, metric)
        return cls(PointTree.build(points, clusters, metric), float(eps_m), marks)

    def query(self, points: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Find the cluster of the nearest core point within eps, the lowest-numbered of equally near ones.

        Parameters
        ----------
        points : array_like, shape (m, 2)
            Latitude and longitude in degrees, or x and y. A point that is not finite, or whose latitude is beyond a
            pole, has no cluster.

        Returns
        -------
        cluster : ndarray, shape (m,), int32
            -1 where no core point is within eps.
        distance_m : ndarray, shape (m,), float64
            Distance to that core point, NaN where there is none.
        """
        queries = np.asarray(points, np.float64).reshape(-1, 2)
        cluster = np.full(len(queries), -1, np.int32)
        distance = np.full(len(queries), np.nan)
        for first in range(0, len(queries), _BATCH):
            batch = queries[first : first + _BATCH]
            valid = first + np.flatnonzero(_is_valid(batch, self.metric))
            if len(valid):
                cluster[valid], distance[valid] = self._query(queries[valid])
        return cluster, distance

    def save(self, file: str | Path | IO[bytes]) -> None:
        """Write the index as an .npz."""
        _write(file, self._tree.points, self._tree.tags, self.eps_m, self.metric, self.marks)

    @classmethod
    def load(cls, source: bytes | str | Path, *, max_bytes: int = MAX_BYTES) -> CoreIndex:
        """Read an index; the file need not be trusted.

        Parameters
        ----------
        source : bytes or path
            The .npz or its content.
        max_bytes : int
            Largest size of its arrays in memory.

        Raises
        ------
        DataError
            If it is not an index, is of a newer version, is too large, or holds values that are not valid.
        """
        arrays = npz.read(source, _EXPECTED, max_bytes, _MARKS)
        version, metric = int(arrays["schema_version"]), int(arrays["metric"])
        if version != SCHEMA_VERSION or not 0 <= metric < len(metrics.METRICS):
            what = f"schema version {version} or metric {metric} is not supported"
            raise DataError(what, where="hotspot index", hint="upgrade cabstand")
        eps_m, name = float(arrays["eps_m"]), metrics.METRICS[metric]
        points, clusters = arrays["points"], arrays["clusters"]
        if points.shape[1] != 2:
            raise DataError("points are not pairs", where="hotspot index")
        try:
            _check(points, clusters, eps_m, name)
        except ConfigError as error:
            raise DataError(str(error), where="hotspot index") from error
        return cls(PointTree.build(points, clusters, name), eps_m, frozenset(one for one in _MARKS if one in arrays))

    def _query(self, points: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        cluster, reduced = self._tree.nearest(points, metrics.reach(self.eps_m, self.metric))
        none = cluster < 0
        distance = metrics.to_distance(np.where(none, 0.0, reduced), self.metric)
        # A neighbour at exactly eps may be further by the rounding of its distance.
        return cluster, np.where(none, np.nan, np.minimum(distance, self.eps_m))


def write(
    file: str | Path | IO[bytes],
    points: NDArray[np.float64],
    clusters: NDArray[np.int32],
    eps_m: float,
    marks: Marks = NONE,
) -> None:
    """Write the file that `CoreIndex.save` would, of what `distinct_core_points` returns, without building the tree."""
    _write(file, points, clusters, eps_m, "haversine", marks)


def write_parts(
    file: str | Path | IO[bytes],
    n_points: int,
    parts: Callable[[], Iterable[Part]],
    eps_m: float,
    marks: Marks = NONE,
) -> None:
    """Write the index of core points that arrive in parts: the file that `CoreIndex.save` would write of all of them.

    `parts` is called twice and returns the parts each time: distinct core points, `n_points` in all, and their
    clusters. All parts together are in the order of `distinct_core_points`.
    """
    points = npz.Stream((n_points, 2), np.dtype("<f8"), (points for points, _ in parts()))
    clusters = npz.Stream((n_points,), np.dtype("<i4"), (clusters for _, clusters in parts()))
    _write(file, points, clusters, eps_m, "haversine", marks)


def _write(
    file: str | Path | IO[bytes],
    points: NDArray[np.float64] | npz.Stream,
    clusters: NDArray[np.int32] | npz.Stream,
    eps_m: float,
    metric: str,
    marks: Marks,
) -> None:
    arrays = {
        "schema_version": np.asarray(np.int64(SCHEMA_VERSION)),
        "metric": np.asarray(np.int64(metrics.METRICS.index(metric))),
        "eps_m": np.asarray(np.float64(eps_m)),
        "points": points,
        "clusters": clusters,
    }
    npz.write(file, arrays | {name: np.asarray(np.int64(1)) for name in sorted(marks)})


def _is_valid(points: NDArray[np.float64], metric: str) -> NDArray[np.bool_]:
    good: NDArray[np.bool_] = np.isfinite(points)
    if metric == "haversine":
        good[:, 0] &= np.abs(points[:, 0]) <= 90
    return good[:, 0] & good[:, 1]


def _check(points: NDArray[np.float64], clusters: NDArray[np.int32], eps_m: float, metric: str) -> None:
    parameters.check(eps_m, metric)
    if clusters.shape != (len(points),):
        raise DataError(f"{len(points)} core points and {clusters.shape} cluster ids", where="hotspot index")
    if not _is_valid(points, metric).all() or (clusters < 0).any():
        raise DataError("a core point has coordinates out of range or no cluster", where="hotspot index")
