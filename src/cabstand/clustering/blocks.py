"""Cut space into blocks that hold about equally many points, each with a halo.

Cuts are planes through the unit sphere: a block is a box around a part of it and its halo a wider box, at the poles and
the antimeridian as anywhere else.

Bentley: Multidimensional binary search trees, CACM 1975.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.metrics import chord, unit_sphere
from cabstand.errors import ConfigError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OWNED, SHARED = np.uint8(1), np.uint8(2)
BASE_BYTES = 330 << 20  # a worker with its libraries, measured by `make bench-dask`
POINT_BYTES = 200  # of a block's points and halo at the worst moment, measured likewise
LEAST_WORKER_BYTES = 512 << 20
_SAFETY = 0.8
_ROUNDING = 1e-12  # of the sphere's radius: far above the rounding of a unit vector, 6 micrometres on the ground


def blocks_needed(n_points: int, n_workers: int, worker_bytes: int) -> int:
    """Return how many blocks keep a worker within its memory when it holds one block and its halo at a time.

    ConfigError if a worker has hardly enough memory for itself.
    """
    if worker_bytes < LEAST_WORKER_BYTES:
        raise ConfigError(
            f"a worker with {max(worker_bytes, 0) >> 20} MiB has no room for points",
            hint="--worker-memory-gib 1 or more",
        )
    return max(n_workers, math.ceil(n_points * POINT_BYTES / (worker_bytes * _SAFETY - BASE_BYTES)))


@dataclass(frozen=True)
class Cut:
    """A cutting plane: points below `at` along `axis` lie on the left."""

    axis: int
    at: float
    left: Cut | int
    right: Cut | int


@dataclass(frozen=True)
class Blocks:
    """A partition of space."""

    root: Cut | int  # tree of cuts whose leaves are block numbers
    n_blocks: int
    halo: float  # width, on the unit sphere

    @classmethod
    def balanced(cls, sample: Floats, n_blocks: int, eps_m: float) -> Blocks:
        """Cut space into about `n_blocks` blocks that hold equal shares of a sample: points in degrees, shape (n, 2).

        The halo is 2 eps wide. All neighbours of all points within eps of a block are then inside block or halo, so the
        core flags of everything that can touch the block's own points are exact. A block no wider than four halos is
        not cut, so there may be fewer blocks than requested.
        """
        halo = chord(2 * eps_m) * (1 + 1e-9) + _ROUNDING
        numbers = count()
        root = _cut(unit_sphere(sample), n_blocks, 4 * halo, numbers)
        return cls(root, next(numbers), halo)

    def assign(self, latlon: Floats) -> dict[int, tuple[Ints, NDArray[np.uint8]]]:
        """Sort points in degrees, shape (n, 2), into blocks.

        Return for each block the indices of its points and of those in its halo, ascending, and their flags: `OWNED`
        marks the points inside the block, each point in exactly one; `SHARED` marks those that other blocks hold too.
        """
        parts = dict(sorted(self._split(unit_sphere(latlon))))
        times = np.zeros(len(latlon), np.int32)
        for index, _ in parts.values():
            times[index] += 1
        return {block: (index, owned * OWNED | (times[index] > 1) * SHARED) for block, (index, owned) in parts.items()}

    def _split(self, at: Floats) -> Iterator[tuple[int, tuple[Ints, NDArray[np.bool_]]]]:
        """Yield each block with its points, halo included, and whether each lies inside the block itself."""
        pending = [(self.root, np.arange(len(at)), np.ones(len(at), bool))]
        while pending:
            cut, index, owned = pending.pop()
            if isinstance(cut, int):
                yield cut, (index, owned)
                continue
            along = at[index, cut.axis]
            for side, near, inside in (
                (cut.right, along >= cut.at - self.halo, along >= cut.at),
                (cut.left, along < cut.at + self.halo, along < cut.at),
            ):
                pending.append((side, index[near], (owned & inside)[near]))


def _cut(sample: Floats, n_blocks: int, least_width: float, numbers: Iterator[int]) -> Cut | int:
    """Cut a sample's space into at most `n_blocks` blocks and number them."""
    widths = np.ptp(sample, axis=0) if len(sample) else np.zeros(1)
    axis = int(widths.argmax())
    if n_blocks > 1 and widths[axis] > least_width:
        n_left = n_blocks // 2
        at = float(np.quantile(sample[:, axis], n_left / n_blocks))
        below = sample[:, axis] < at
        if below.any():
            left = _cut(sample[below], n_left, least_width, numbers)
            return Cut(axis, at, left, _cut(sample[~below], n_blocks - n_left, least_width, numbers))
    return next(numbers)
