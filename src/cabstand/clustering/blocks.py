"""Space cut into blocks of about equally many points, each with a halo.

Cuts are planes in *straight* coordinates: the unit sphere in three dimensions for haversine, the plane itself for
euclidean. There a block is a box and its halo a wider box, at the poles and the antimeridian as anywhere else.

Bentley: Multidimensional binary search trees, CACM 1975.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.metrics import EARTH_RADIUS_M
from cabstand.errors import ConfigError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OWNED, SHARED = np.uint8(1), np.uint8(2)
BASE_BYTES = 330 << 20  # a worker with its libraries, measured by `make bench-dask`
POINT_BYTES = 200  # of a block's points and halo at the worst moment, measured likewise
LEAST_WORKER_BYTES = 512 << 20
_SAFETY = 0.8
_ROUNDING = 1e-12  # of the sphere's radius: far above the rounding of a unit vector, 6 micrometres on the ground


def straight(points: Floats, metric: str) -> Floats:
    """Return coordinates in which distance is straight: shape (n, 3) on the unit sphere, or the points themselves.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Latitude and longitude in degrees, or x and y.
    metric : {"haversine", "euclidean"}
    """
    if metric == "euclidean":
        return points
    lat, lon = np.radians(points[:, 0]), np.radians(points[:, 1])
    flat = np.cos(lat)
    return np.stack([flat * np.cos(lon), flat * np.sin(lon), np.sin(lat)], axis=1)


def straight_distance(distance_m: float, metric: str) -> float:
    """Return the straight distance of a distance: the chord of an arc, on the unit sphere."""
    if metric == "euclidean":
        return distance_m
    return 2 * math.sin(min(distance_m / (2 * EARTH_RADIUS_M), math.pi / 2))


def wanted(n_points: int, n_workers: int, worker_bytes: int) -> int:
    """Return the number of blocks that keeps a worker within its memory: a block and its halo at a time.

    Raises
    ------
    ConfigError
        If a worker has hardly room for itself.
    """
    if worker_bytes < LEAST_WORKER_BYTES:
        raise ConfigError(
            f"a worker with {max(worker_bytes, 0) >> 20} MiB has no room for points", hint="give it 1 GiB or more"
        )
    return max(n_workers, math.ceil(n_points * POINT_BYTES / (worker_bytes * _SAFETY - BASE_BYTES)))


@dataclass(frozen=True)
class Cut:
    """A plane: what is below `at` along `axis` lies on the left."""

    axis: int
    at: float
    left: Cut | int
    right: Cut | int


@dataclass(frozen=True)
class Blocks:
    """A partition of space.

    Attributes
    ----------
    root : Cut or int
        Tree of cuts with the numbers of the blocks as leaves.
    n_blocks : int
        Number of blocks.
    halo : float
        Width of the halo in straight coordinates.
    """

    root: Cut | int
    n_blocks: int
    halo: float

    @classmethod
    def balanced(cls, sample: Floats, n_blocks: int, eps_m: float, metric: str) -> Blocks:
        """Cut space so that each block holds about the same share of a sample.

        The halo is 2 eps wide: then all neighbours of all points within eps of a block are present in it, and so the
        core flags of whatever can touch the block's own points are exact. A block is not cut once it is no wider than
        four halos, so there may be fewer than asked for.

        Parameters
        ----------
        sample : ndarray, shape (n, 2)
            Some of the points.
        n_blocks : int
            Blocks wanted.
        eps_m : float
            The clustering's eps.
        metric : {"haversine", "euclidean"}
        """
        halo = straight_distance(2 * eps_m, metric) * (1 + 1e-9) + (_ROUNDING if metric == "haversine" else 0.0)
        grower = _Grower(4 * halo)
        root = grower.grow(straight(sample, metric), n_blocks)
        return cls(root, grower.grown, halo)

    def split(self, at: Floats) -> Iterator[tuple[int, Ints, NDArray[np.bool_]]]:
        """Sort points into blocks.

        Parameters
        ----------
        at : ndarray, shape (n, dims)
            Straight coordinates.

        Yields
        ------
        block : int
            Its number.
        index : ndarray of int64
            The points inside it or its halo, ascending.
        owned : ndarray of bool
            Which of them lie inside; each point lies inside one block.
        """
        pending = [(self.root, np.arange(len(at)), np.ones(len(at), bool))]
        while pending:
            cut, index, owned = pending.pop()
            if isinstance(cut, int):
                yield cut, index, owned
                continue
            along = at[index, cut.axis]
            for side, near, inside in (
                (cut.right, along >= cut.at - self.halo, along >= cut.at),
                (cut.left, along < cut.at + self.halo, along < cut.at),
            ):
                pending.append((side, index[near], (owned & inside)[near]))

    def assign(self, at: Floats) -> dict[int, tuple[Ints, NDArray[np.uint8]]]:
        """Return for each block its points and their flags: OWNED, and SHARED if they stand in other blocks too."""
        parts = {block: (index, owned) for block, index, owned in self.split(at)}
        times = np.zeros(len(at), np.int32)
        for index, _ in parts.values():
            times[index] += 1
        return {
            block: (index, owned * OWNED | (times[index] > 1) * SHARED)
            for block, (index, owned) in sorted(parts.items())
        }


class _Grower:
    """Grows the tree of cuts and numbers its leaves."""

    def __init__(self, least_width: float) -> None:
        self.least_width = least_width
        self.grown = 0

    def grow(self, sample: Floats, n_blocks: int) -> Cut | int:
        """Return the tree over a sample's space with at most `n_blocks` leaves."""
        widths = np.ptp(sample, axis=0) if len(sample) else np.zeros(1)
        axis = int(widths.argmax())
        if n_blocks > 1 and widths[axis] > self.least_width:
            n_left = n_blocks // 2
            cut = float(np.quantile(sample[:, axis], n_left / n_blocks))
            below = sample[:, axis] < cut
            if below.any():
                left = self.grow(sample[below], n_left)
                return Cut(axis, cut, left, self.grow(sample[~below], n_blocks - n_left))
        self.grown += 1
        return self.grown - 1
