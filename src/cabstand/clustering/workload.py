"""A clustering to plan: a sample of its points, and timings of the kernels on this sample."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.dbscan import Clustering, dbscan
from cabstand.clustering.metrics import EARTH_RADIUS_M

QUARTER = 4
RUNS, RUNS_S = 3, 0.3  # a timing takes at least so many runs and seconds


@dataclass(frozen=True)
class Workload:
    """Points to cluster, represented by a sample."""

    sample: NDArray[np.float64]  # shape (k, 2): some of the points, in degrees
    n_points: int  # of which the sample is a part
    eps_m: float
    min_samples: int

    @property
    def share(self) -> float:
        """The sample's share of the points."""
        return len(self.sample) / self.n_points

    def widened(self, share: float) -> float:
        """Return the eps with which neighbourhoods in this share of the points hold as many as in all of them."""
        return min(self.eps_m / math.sqrt(share), math.pi * EARTH_RADIUS_M)

    @cached_property
    def cells_per_point(self) -> float:
        """Predict how many cells of the kernels' grid hold a point, for each point: 1 where all points are far apart.

        Cells that are as much wider as eps hold as many points of the sample as the real cells hold of all points.
        """
        height = math.degrees(self.widened(self.share) / EARTH_RADIUS_M) / math.sqrt(2)
        rows = np.floor(self.sample[:, 0] / height)
        columns = np.floor(self.sample[:, 1] * np.cos(np.radians(rows * height)) / height)
        n_cells = len(np.unique(rows + 1j * columns))
        return min(n_cells / len(self.sample), self._n_distinct_of_all / self.n_points)

    @cached_property
    def clustering(self) -> Clustering:
        """The sample clustered; the first run may compile."""
        return self.cluster()

    @cached_property
    def kernel_s(self) -> float:
        """Processor seconds of the kernels on the sample, on one thread."""
        return self.seconds(clock=time.thread_time)

    def seconds(self, step: int = 1, n_threads: int = 1, clock: Callable[[], float] = time.perf_counter) -> float:
        """Time `cluster`: the least seconds of several runs."""
        self.cluster(step, n_threads)  # may compile
        spent: list[float] = []
        while len(spent) < RUNS or sum(spent) < RUNS_S:
            started = clock()
            self.cluster(step, n_threads)
            spent.append(clock() - started)
        return min(spent)

    def cluster(self, step: int = 1, n_threads: int = 1) -> Clustering:
        """Cluster each `step`-th point of the sample (1 or 4), with neighbourhoods as full as among all points.

        However wide eps is, a lone position has lost some of the points that coincide there: `min_samples` falls by
        the same factor.
        """
        share = self.share / step
        copies_left = min(share * self._n_distinct_of_all / self._n_distinct[step], 1.0)
        least = max(1, round(self.min_samples * copies_left))
        return dbscan(self.sample[::step], self.widened(share), least, n_threads=n_threads)

    @cached_property
    def _n_distinct(self) -> dict[int, int]:
        """Number of distinct points in the sample and in a quarter of it, by step."""
        at = np.ascontiguousarray(self.sample).view(np.complex128)
        return {step: len(np.unique(at[::step])) for step in (1, QUARTER)}

    @cached_property
    def _n_distinct_of_all(self) -> float:
        """Number of distinct points of all, extrapolated from its growth between a quarter of the sample and all."""
        growth = math.log(self._n_distinct[1] / self._n_distinct[QUARTER], QUARTER)
        return self._n_distinct[1] * float(self.share**-growth)
