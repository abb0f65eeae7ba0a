"""What each engine would take for an input, predicted from a sample of it.

Time is measured, not looked up: the sample is clustered here and now, with eps widened by the square root of the share
that was left out, so that its neighbourhoods hold as many points as those of the whole. The kernels' time grows in
proportion to the points, so the whole takes as much longer as it is larger. That covers the machine, the density and
the parameters at once; what is left to constants is memory, threads, and the start of Dask's workers.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.dbscan import EARTH_RADIUS_M, dbscan

Floats = NDArray[np.float64]

SAMPLE_POINTS = 300_000
PROBES = 3
MIB = 1 << 20

# Measured with `cluster` over 0.5 to 2 million pickups with times; MiB, and bytes a point.
BASE_MB = 320.0  # interpreter, libraries, compiled kernels
INPUT_BYTES = 58.0  # a row read by `cluster`: coordinates, time, row number, and Arrow's copy
KERNEL_BYTES = 24.0
SERIAL_SHARE = 0.12  # of the kernels' time that more threads do not shorten
DASK_DRIVER_MB = 330.0
DASK_WORKER_MB = 400.0
DASK_BYTES = 160.0
DASK_BLOCK_POINTS = 4_000_000
DASK_START_S = 6.0
DASK_POINT_S = 1.6e-6
SKLEARN_SAMPLE = 5_000


@dataclass(frozen=True)
class Prediction:
    """What one engine would take.

    Attributes
    ----------
    engine : str
        Its name.
    n_workers : int
        Threads or processes.
    wall_s : float
        Seconds by the clock, reading not counted except with Dask, whose workers read.
    peak_mb : float
        Most memory of all its processes together, in MiB.
    """

    engine: str
    n_workers: int
    wall_s: float
    peak_mb: float


@dataclass(frozen=True)
class Question:
    """What is to be clustered.

    Attributes
    ----------
    sample : ndarray of float64, shape (k, 2)
        Some of the points, in degrees.
    n_points : int
        Points in all.
    eps_m : float
        Radius of a neighbourhood.
    min_samples : int
        Points that make a core point.
    """

    sample: Floats
    n_points: int
    eps_m: float
    min_samples: int

    @property
    def share(self) -> float:
        """The sample's share of the points."""
        return len(self.sample) / self.n_points

    def widened(self, share: float) -> float:
        """Return the eps with which this share of the points has neighbourhoods as full as the whole."""
        return min(self.eps_m / math.sqrt(share), math.pi * EARTH_RADIUS_M)


def predict(question: Question, n_workers: int, *, by_files: bool = True) -> list[Prediction]:
    """Predict each engine.

    Parameters
    ----------
    question : Question
        What is to be clustered.
    n_workers : int
        Threads or processes for the engines that can use them.
    by_files : bool
        Whether the input is Parquet with coordinates, which Dask's workers can read.
    """
    kernel_s = kernel_seconds(question)
    working = question.n_points * (INPUT_BYTES + KERNEL_BYTES) / MIB
    found = [
        Prediction("sequential", 1, kernel_s, BASE_MB + working),
        Prediction("multicore", n_workers, kernel_s * _with_threads(n_workers), BASE_MB + working),
    ]
    if by_files:
        found.append(_dask(question, n_workers))
    return [*found, _sklearn(question)]


def kernel_seconds(question: Question) -> float:
    """Predict the processor seconds of the kernels on one thread, by clustering the sample."""
    eps_m = question.widened(question.share)
    best = math.inf
    for _ in range(1 + PROBES):  # the first may compile
        started = time.thread_time()
        dbscan(question.sample, eps_m, question.min_samples)
        best = min(best, time.thread_time() - started)
    return best / question.share


def neighbour_mass(question: Question) -> float:
    """Predict how many neighbours all points have together: the lists that scikit-learn keeps.

    Those of the points asked are counted exactly among the sample; the whole has as many more as it is denser.
    """
    from sklearn.neighbors import BallTree

    points = np.radians(question.sample)
    asked = points[:: max(1, len(points) // 2000)]
    counts = BallTree(points, metric="haversine").query_radius(asked, question.eps_m / EARTH_RADIUS_M, count_only=True)
    return question.n_points * (1 + (float(counts.mean()) - 1) / question.share)


def _with_threads(n_threads: int) -> float:
    return SERIAL_SHARE + (1 - SERIAL_SHARE) / n_threads


def _dask(question: Question, n_workers: int) -> Prediction:
    block = min(DASK_BLOCK_POINTS, question.n_points / n_workers)
    worker_mb = DASK_WORKER_MB + block * DASK_BYTES / MIB
    wall_s = DASK_START_S + question.n_points * DASK_POINT_S / n_workers
    return Prediction("dask", n_workers, wall_s, DASK_DRIVER_MB + n_workers * worker_mb)


def _sklearn(question: Question) -> Prediction:
    """Predict scikit-learn on a ball tree: time by a small sample, widened; memory by the lists it keeps."""
    from sklearn.cluster import DBSCAN

    sample = question.sample[:: max(1, len(question.sample) // SKLEARN_SAMPLE)]
    eps = question.widened(len(sample) / question.n_points) / EARTH_RADIUS_M
    started = time.thread_time()
    DBSCAN(eps=eps, min_samples=question.min_samples, metric="haversine", algorithm="ball_tree").fit(np.radians(sample))
    deeper = math.log2(max(question.n_points, 2)) / math.log2(max(len(sample), 2))
    wall_s = (time.thread_time() - started) * question.n_points / len(sample) * deeper
    mass = neighbour_mass(question)
    peak_mb = BASE_MB + (question.n_points * (INPUT_BYTES + 250) + mass * 8) / MIB
    return Prediction("sklearn", 1, wall_s, peak_mb)
