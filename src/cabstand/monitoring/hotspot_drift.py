"""How far the hotspots of one period are from those of another: agreement of clusters, and how far mass has moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment, linprog
from scipy.sparse import coo_array
from scipy.spatial import KDTree

from cabstand.monitoring.numeric import Floats

EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG
MATCH_M = 1_000.0  # clusters whose centres are farther apart are not the same hotspot
MOST_CLUSTERS = 200  # of either period, the largest first; the size of the transport problem grows with their product
MOST_POINTS = 200_000  # whose labels are compared

Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Period:
    """A clustering: latitudes and longitudes (n, 2) in degrees, labels (n,), -1 for noise, and core flags (n,)."""

    latlon: Floats
    labels: Labels
    core: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Match:
    """A hotspot that both periods have.

    Attributes
    ----------
    before, after : int
        Its labels.
    moved_m : float
        Distance of its centres, metres.
    share_before, share_after : float
        Its share of all points in hotspots.
    """

    before: int
    after: int
    moved_m: float
    share_before: float
    share_after: float


@dataclass(frozen=True)
class HotspotDrift:
    """The hotspots of one period against another's.

    Attributes
    ----------
    adjusted_mutual_information : float or None
        1 for equal clusters, 0 for what chance gives; None if a period has no hotspot.
    moved_m : float or None
        Metres that a point in a hotspot moved on average (earth mover's distance).
    matches : tuple of Match
        The largest first.
    vanished, new : tuple of int
        Labels of the first, and of the second period that have no match.
    """

    adjusted_mutual_information: float | None
    moved_m: float | None
    matches: tuple[Match, ...] = ()
    vanished: tuple[int, ...] = ()
    new: tuple[int, ...] = ()


def compare_hotspots(before: Period, after: Period, eps_m: float, *, seed: int = 0) -> HotspotDrift:
    """Compare two clusterings that were made with the same radius `eps_m`, metres.

    The adjusted mutual information (Vinh, Epps and Bailey 2010, JMLR 11) is taken over the points of both periods, each
    labelled by both: with the cluster of the nearest core point within `eps_m`, as DBSCAN labels a border point, and -1
    where there is none. Points that are noise to both do not count. Of more than `MOST_POINTS`, a sample is taken.

    Clusters are matched one to one so that the sum of the distances of their centres is least, where each distance
    counts `MATCH_M` at most; a pair that is as far apart is none. The earth mover's distance (Rubner, Tomasi and
    Guibas 2000, IJCV 40) moves the clusters' shares of points from centre to centre at the least cost.
    """
    ours, theirs = _Centres.of(before), _Centres.of(after)
    if not (len(ours.labels) and len(theirs.labels)):
        return HotspotDrift(None, None, (), tuple(map(int, ours.labels)), tuple(map(int, theirs.labels)))
    apart = distance_m(ours.latlon[:, None], theirs.latlon[None])
    matches = _matches(ours, theirs, apart)
    return HotspotDrift(
        adjusted_mutual_information=_agreement(before, after, eps_m, seed),
        moved_m=_earth_movers_m(ours.shares, theirs.shares, apart),
        matches=matches,
        vanished=tuple(sorted({*map(int, ours.labels)} - {one.before for one in matches})),
        new=tuple(sorted({*map(int, theirs.labels)} - {one.after for one in matches})),
    )


def distance_m(a: Floats, b: Floats) -> Floats:
    """Return great-circle distances in metres of points in degrees, shapes (..., 2)."""
    lat, lon = np.radians(a), np.radians(b)
    half = np.sin((lat - lon) / 2) ** 2
    cosines = np.cos(lat[..., 0]) * np.cos(lon[..., 0])
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.minimum(half[..., 0] + cosines * half[..., 1], 1))))


@dataclass(frozen=True)
class _Centres:
    """The clusters of a period, the largest first: labels (k,), centres (k, 2), shares (k,) of their points."""

    labels: Labels
    latlon: Floats
    shares: Floats

    @staticmethod
    def of(period: Period) -> _Centres:
        member = period.labels >= 0
        labels, index, sizes = np.unique(period.labels[member], return_inverse=True, return_counts=True)
        points = period.latlon[member]
        centres = np.stack([np.bincount(index, points[:, axis], len(labels)) for axis in (0, 1)], axis=1)
        largest = np.argsort(-sizes, kind="stable")[:MOST_CLUSTERS]
        kept = sizes[largest]
        return _Centres(labels[largest], centres[largest] / kept[:, None], kept / max(kept.sum(), 1))


def _matches(ours: _Centres, theirs: _Centres, apart: Floats) -> tuple[Match, ...]:
    rows, columns = linear_sum_assignment(np.minimum(apart, MATCH_M))
    return tuple(
        Match(
            int(ours.labels[a]), int(theirs.labels[b]), float(apart[a, b]),
            float(ours.shares[a]), float(theirs.shares[b]),
        )
        for a, b in zip(rows, columns, strict=True)
        if apart[a, b] < MATCH_M
    )  # fmt: skip


def _earth_movers_m(before: Floats, after: Floats, apart: Floats) -> float:
    """Return the least mean distance by which shares can be moved, as a transport problem: flows from each to each."""
    n, m = apart.shape
    flow = np.arange(n * m)
    rows = np.concatenate([flow // m, n + flow % m])
    leaves_and_arrives = coo_array((np.ones(2 * n * m), (rows, np.tile(flow, 2))), shape=(n + m, n * m)).tocsr()
    # One of the equations follows from the others, and rounding may contradict it.
    solved = linprog(apart.ravel(), A_eq=leaves_and_arrives[:-1], b_eq=np.concatenate([before, after])[:-1])
    return float(solved.fun)


def _agreement(before: Period, after: Period, eps_m: float, seed: int) -> float:
    from sklearn.metrics import adjusted_mutual_info_score

    points = np.concatenate([before.latlon, after.latlon])
    if len(points) > MOST_POINTS:
        points = np.random.default_rng(seed).choice(points, MOST_POINTS, replace=False)
    ours, theirs = (_labelled(period, points, eps_m) for period in (before, after))
    either = (ours >= 0) | (theirs >= 0)
    return float(adjusted_mutual_info_score(ours[either], theirs[either]))


def _labelled(period: Period, points: Floats, eps_m: float) -> Labels:
    """Return the label of the nearest core point of each point, -1 beyond `eps_m`."""
    core = KDTree(_sphere(period.latlon[period.core]))
    chord = 2 * np.sin(eps_m / EARTH_RADIUS_M / 2) * (1 + 1e-9)
    near, nearest = core.query(_sphere(points), distance_upper_bound=chord)
    labels = np.append(period.labels[period.core], np.int32(-1))  # the tree's length stands for none
    return np.asarray(np.where(np.isfinite(near), labels[nearest], -1))


def _sphere(latlon: Floats) -> Floats:
    """Return points in degrees as unit vectors (n, 3)."""
    lat, lon = np.radians(latlon).T
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
