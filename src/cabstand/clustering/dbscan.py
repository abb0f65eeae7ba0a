"""Exact DBSCAN of points on the Earth or on a plane: checks its input, then calls the compiled kernels.

The answer is scikit-learn's, label for label, whatever the number of threads: clusters are numbered by their lowest
core index, and a border point takes the lowest-numbered cluster that has a core point within `eps_m`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cabstand.clustering import metrics, parameters
from cabstand.clustering.inputs import read_only
from cabstand.clustering.kernels import bounds
from cabstand.clustering.kernels.grid import Grid, make_grid
from cabstand.clustering.kernels.ladder import MOST_LEVELS, cluster_each
from cabstand.clustering.kernels.pipeline import cluster
from cabstand.errors import DataError

MOST = 1e150  # largest coordinate whose square is a number
_MOST_SAMPLES = 1 << 62  # beyond any number of points, and what a kernel can still count


class Clustering(NamedTuple):
    """The clusters of some points."""

    labels: NDArray[np.int32]  # shape (n,): cluster of each point in input order, -1 for noise
    core: NDArray[np.bool_]  # shape (n,): whether each point is a core point
    n_clusters: int  # the labels are 0 to n_clusters - 1


def dbscan(
    points: ArrayLike,
    eps_m: float,
    min_samples: int,
    *,
    metric: str = "haversine",
    sample_weight: ArrayLike | None = None,
    n_threads: int = 1,
) -> Clustering:
    """Cluster points by density, exactly: return their labels, the core mask and the number of clusters.

    Parameters
    ----------
    points : array_like of float32 or float64, shape (n, 2)
        Latitude and longitude in degrees for ``haversine``; x and y in metres for ``euclidean``.
    eps_m : float
        Radius of a neighbourhood in metres; a point at exactly this distance is a neighbour.
    min_samples : int
        Points (or weight) that a neighbourhood needs, the point itself counted, for its centre to be a core point.
    metric : {"haversine", "euclidean"}
        Great-circle distance on a sphere of radius 6,371,008.8 m, or straight distance on a plane.
    sample_weight : array_like, shape (n,), optional
        Weight of each point; zero and negative weights are allowed.
    n_threads : int
        Threads to use; the answer does not depend on it.

    Raises
    ------
    DataError
        If the points or weights have a wrong shape, are not finite, or are not on the Earth.
    ConfigError
        If a parameter is out of its range.
    """
    parameters.check(eps_m, metric)
    parameters.check_count("min_samples", min_samples)
    parameters.check_count("n_threads", n_threads)
    xy = _check_points(points)
    weight = None if sample_weight is None else _check_weight(sample_weight, len(xy))
    if len(xy) == 0:
        return Clustering(np.empty(0, np.int32), np.empty(0, np.bool_), 0)
    return _run(xy, float(eps_m), min(int(min_samples), _MOST_SAMPLES), metric, weight, int(n_threads))


def dbscan_each(
    points: ArrayLike, eps_m: float, min_samples: Sequence[int], *, metric: str = "haversine", n_threads: int = 1
) -> Iterator[Clustering]:
    """Cluster points with one eps and each of several `min_samples`, ascending: what :func:`dbscan` returns for them.

    All that depends on eps alone is done once, before the first.
    """
    parameters.check(eps_m, metric)
    for one in min_samples:
        parameters.check_count("min_samples", one)
    parameters.check_count("n_threads", n_threads)
    xy = _check_points(points)
    if len(xy) == 0:
        yield from (dbscan(xy, eps_m, one, metric=metric) for one in min_samples)
        return
    view, grid = _with_grid(xy, float(eps_m), metric, int(n_threads))
    levels = np.array([min(int(one), _MOST_SAMPLES) for one in min_samples])
    for first in range(0, len(levels), MOST_LEVELS):
        for found in cluster_each(view, grid, levels[first : first + MOST_LEVELS], int(n_threads)):
            yield Clustering(*found)


def _run(xy: NDArray[Any], eps_m: float, min_samples: int, metric: str, weight: Any, n_threads: int) -> Clustering:
    view, grid = _with_grid(xy, eps_m, metric, n_threads)
    return Clustering(*cluster(view, grid, min_samples, weight, n_threads))


def _with_grid(xy: NDArray[Any], eps_m: float, metric: str, n_threads: int) -> tuple[NDArray[Any], Grid]:
    """Return checked points as kernels read them, and the grid over them."""
    view = read_only(xy)
    earth = metric == "haversine"
    box = bounds.run(view, n_threads)
    if box is None or np.abs(box[:2]).max() > (90.0 if earth else MOST) or np.abs(box[2:]).max() > MOST:
        raise _bad_point(view, earth)
    if earth and (box[2] < -180 or box[3] > 180):
        return _with_grid(metrics.turned(view), eps_m, metric, n_threads)
    return view, make_grid(box, eps_m, spherical=earth)


def _bad_point(xy: NDArray[Any], earth: bool) -> DataError:
    finite = np.isfinite(xy).all(axis=1)
    if not finite.all():
        return DataError("a coordinate is NaN or infinite", where=f"row {int(np.argmin(finite))}")
    if not earth:
        return DataError("a coordinate is too large", where=f"row {int(np.abs(xy).max(axis=1).argmax())}")
    row = int(np.abs(xy[:, 0]).argmax())
    if abs(xy[row, 0]) <= 90:
        return DataError("a longitude is too large", where=f"row {int(np.abs(xy[:, 1]).argmax())}")
    what = f"latitude {xy[row, 0]:g} is beyond 90 degrees"
    return DataError(what, where=f"row {row}", hint="the columns are latitude, longitude")


def _check_points(points: ArrayLike) -> NDArray[Any]:
    xy = np.asarray(points)
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise DataError(f"points must have the shape (n, 2), not {xy.shape}", where="points")
    if xy.dtype not in (np.float32, np.float64):
        try:
            xy = xy.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"points must be numbers, not {xy.dtype}", where="points") from error
    return xy


def _check_weight(sample_weight: ArrayLike, n_points: int) -> NDArray[np.float64]:
    try:
        weight = np.ascontiguousarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("weights must be numbers", where="sample_weight") from error
    if weight.shape != (n_points,):
        raise DataError(f"weights must have the shape ({n_points},), not {weight.shape}", where="sample_weight")
    if not np.isfinite(weight).all():
        raise DataError("a weight is NaN or infinite", where="sample_weight")
    return weight
