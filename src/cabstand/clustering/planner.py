"""What each engine would take for an input, predicted from a sample of it.

Time is measured, not looked up: the sample is clustered here and now, with eps widened by the square root of the share
that was left out, so that its neighbourhoods hold as many points as those of the whole; where places repeat, a lone one
has lost copies all the same, and `min_samples` falls with them. The kernels' time grows with the points, and a little
faster once they outgrow the caches. scikit-learn is timed by some queries, and Dask's workers by the work on arrays
that they do to each point. That covers the machine, the density and the parameters at once; what is left to constants
is memory, how time grows, and the start of workers.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering import blocks, neighbours
from cabstand.clustering.core_index import core_places
from cabstand.clustering.dbscan import EARTH_RADIUS_M, Clustering, dbscan
from cabstand.errors import ConfigError

Floats = NDArray[np.float64]
T = TypeVar("T")

SAMPLE_POINTS = 300_000
QUARTER = 4
PROBES, PROBE_S = 3, 0.3  # a probe is repeated so often, and for so long at least
MIB = 1 << 20

# Measured with `cluster` over 0.1 to 6 million pickups with times; MiB, and bytes a point.
BASE_MB = 360.0  # interpreter, libraries, compiled kernels
INPUT_BYTES = 66.0  # a row read by `cluster`: coordinates, time, row number, label, and Arrow's copy
KERNEL_BYTES = 24.0
MEMBER_BYTES = 125.0  # of a clustered point while the hotspots are described
FIRST = 1.05  # of one thread, a run in a process of its own, against the best of some in a process that has warmed up
FIRST_BESIDE = 1.05  # of several: their memory is new to each of them
DEEPER = 0.03  # a point among twice as many takes 2 to this power as long: more of what it looks at has left the caches
DASK_DRIVER_MB = 250.0
DASK_START_S = 4.0  # workers started, and nine phases handed out
DASK_PASSES = 4.5  # a worker's time with a point, in times of putting it in the index's order
DASK_CORE_PASSES = 4.8  # and with a core point besides, which the index keeps
DASK_PACKING = 3.7  # writing the core points and their index, in times of compressing their places


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
        Most memory of all its processes together, reading and writing included, in MiB.
    worker_mb : float, optional
        What each of Dask's workers is given, in MiB.
    """

    engine: str
    n_workers: int
    wall_s: float
    peak_mb: float
    worker_mb: float | None = None


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

    @cached_property
    def all_places(self) -> float:
        """Different places of all points: the sample's, which grow with the points as they do from a quarter of it."""
        growth = math.log(self.places[1] / self.places[QUARTER], QUARTER)
        return self.places[1] * float(self.share**-growth)

    @cached_property
    def found(self) -> Clustering:
        """The sample clustered; the first run may compile."""
        return self.cluster(1, 1)

    @cached_property
    def kernel_s(self) -> float:
        """Processor seconds of the kernels on the sample, with one thread."""
        return _probe(lambda: self.cluster(1, 1), time.thread_time)

    @property
    def alone_s(self) -> float:
        """Predicted seconds of the kernels on all points, with one thread."""
        return FIRST * self.kernel_s * float(self.share ** -(1 + DEEPER))

    def cluster(self, step: int, n_threads: int) -> Clustering:
        """Cluster each `step`-th point of the sample (1 or 4), with neighbourhoods as full as those of the whole.

        However wide eps is, a lone place has lost copies of its point: `min_samples` falls by as much.
        """
        share = self.share / step
        copies = min(share * self.all_places / self.places[step], 1.0)  # that are left of those at one place
        least = max(1, round(self.min_samples * copies))
        return dbscan(self.sample[::step], self.widened(share), least, n_threads=n_threads)

    @cached_property
    def places(self) -> dict[int, int]:
        """Different places of each first and of each fourth point of the sample, by that step."""
        at = np.ascontiguousarray(self.sample).view(np.complex128)
        return {step: len(np.unique(at[::step])) for step in (1, QUARTER)}


def predict(question: Question, n_workers: int, memory_mb: float, *, by_files: bool = True) -> list[Prediction]:
    """Predict each engine.

    Parameters
    ----------
    question : Question
        What is to be clustered.
    n_workers : int
        Threads or processes for the engines that can use them.
    memory_mb : float
        What may be used; Dask's workers share it, and cut blocks to fit.
    by_files : bool
        Whether the input is Parquet with coordinates, which Dask's workers can read.
    """
    peak_mb = _alone_mb(question)
    found = [
        Prediction("sequential", 1, question.alone_s, peak_mb),
        Prediction("multicore", n_workers, _with_threads(question, n_workers), peak_mb),
    ]
    if by_files:
        found.append(_dask(question, n_workers, memory_mb))
    return [*found, _sklearn(question)]


def neighbour_mass(question: Question) -> float:
    """Predict how many neighbours all points have together: the lists that scikit-learn keeps.

    Those of the points asked are counted exactly among the sample; the whole has as many more as it is denser.
    """
    mean = neighbours.mean_count(question.sample, question.eps_m)
    return question.n_points * (1 + (mean - 1) / question.share)


def _alone_mb(question: Question) -> float:
    """Return the peak of one process that reads, clusters, and describes what it found, each after the other."""
    members = int(np.count_nonzero(question.found.labels >= 0)) / question.share
    most = question.n_points * INPUT_BYTES + max(question.n_points * KERNEL_BYTES, members * MEMBER_BYTES)
    return BASE_MB + most / MIB


def _with_threads(question: Question, n_threads: int) -> float:
    """Predict the seconds by the clock with threads: what they cost at all, and what they leave of one thread's time.

    Two probes, with a quarter of the sample and with all of it, tell both.
    """
    if n_threads == 1:
        return question.alone_s
    part_s = _probe(lambda: question.cluster(QUARTER, 1), time.thread_time)
    part_beside_s = _probe(lambda: question.cluster(QUARTER, n_threads), time.perf_counter)
    beside_s = _probe(lambda: question.cluster(1, n_threads), time.perf_counter)
    more_s = max(question.kernel_s - part_s, 1e-9)
    left = min(max((beside_s - part_beside_s) / more_s, 1 / n_threads), 1.0)
    return FIRST_BESIDE * max(0.0, beside_s - left * question.kernel_s) + FIRST_BESIDE / FIRST * left * question.alone_s


def _dask(question: Question, n_workers: int, memory_mb: float) -> Prediction:
    worker_mb = (memory_mb - DASK_DRIVER_MB) / n_workers
    try:
        n_blocks = blocks.wanted(question.n_points, n_workers, int(worker_mb * MIB))
    except ConfigError:  # no room for a worker: say what the least would be
        worker_mb = blocks.LEAST_WORKER_BYTES / MIB
        n_blocks = blocks.wanted(question.n_points, n_workers, blocks.LEAST_WORKER_BYTES)
    held_mb = (blocks.BASE_BYTES + question.n_points / n_blocks * blocks.POINT_BYTES) / MIB
    wall_s = DASK_START_S + _worker_seconds(question) / n_workers + _index_seconds(question)
    return Prediction("dask", n_workers, wall_s, DASK_DRIVER_MB + n_workers * held_mb, worker_mb)


def _worker_seconds(question: Question) -> float:
    """Predict the processor seconds of the workers: the kernels, and passes over arrays."""
    _, once = _timed(lambda: core_places(question.sample, question.found.labels))
    passes = DASK_PASSES + DASK_CORE_PASSES * float(question.found.core.mean())
    return (question.kernel_s + passes * once) / question.share


def _index_seconds(question: Question) -> float:
    """Predict the seconds of the one task that packs all core places."""
    places = question.sample[question.found.core]
    _, once = _timed(lambda: zlib.compress(places.tobytes(), 1))
    return DASK_PACKING * once / question.share


def _sklearn(question: Question) -> Prediction:
    """Predict scikit-learn on a ball tree: time by some queries, widened; memory by the lists it keeps."""
    mass = neighbour_mass(question)
    each_s = neighbours.query_seconds(question.sample, question.widened(question.share))
    deeper = math.log2(max(question.n_points, 2)) / math.log2(max(len(question.sample), 2))
    wall_s = question.n_points * each_s * deeper + mass * neighbours.LINK_S
    peak_mb = BASE_MB + (question.n_points * INPUT_BYTES + neighbours.lists_bytes(question.n_points, mass)) / MIB
    return Prediction("sklearn", 1, wall_s, peak_mb)


def _probe(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """Do the work again and again; return the least seconds that it took."""
    work()  # may compile
    spent: list[float] = []
    while len(spent) < PROBES or sum(spent) < PROBE_S:
        started = clock()
        work()
        spent.append(clock() - started)
    return min(spent)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """Do the work; return its result and the processor seconds of this thread."""
    started = time.thread_time()
    return work(), time.thread_time() - started
