"""Predict time and memory of each engine on an input, from a sample of it.

Time is measured, not looked up: the sample is clustered on this machine with eps divided by the square root of its
share of the points, so that its neighbourhoods hold as many points as those of the whole; where points coincide,
`min_samples` falls with the number of copies that are left. The kernels' time grows with the points, and a little
faster once they outgrow the caches; sparse points, which have cells of their own, do so sooner and take more memory.
scikit-learn is timed by some of its queries, Dask's workers by their array operations on each point. That covers the
machine, the density and the parameters at once; constants remain for memory, for the growth of time, and for the start
of workers.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cabstand.clustering import blocks, neighbours
from cabstand.clustering.distinct_points import distinct_core_points
from cabstand.clustering.workload import QUARTER, Workload

SAMPLE_POINTS = 300_000
MIB = 1 << 20

# Measured with `cluster` over 0.1 to 6 million pickups with times; MiB, and bytes a point.
BASE_MB = 330.0  # interpreter, libraries, compiled kernels
INPUT_BYTES = 66.0  # a row read by `cluster`: coordinates, time, row number, label, and Arrow's copy
KERNEL_BYTES = 24.0
CELL_BYTES = 80.0  # of a cell of the grid, of which sparse points have one each
MEMBER_BYTES = 100.0  # of a clustered point while the hotspots are described
FIRST = 1.05  # the only run of a process, against the best of several runs in a warm process
DEEPER = 0.03  # among twice as many points, each takes 2 to this power as long: less of what it needs is in the caches
DEEPER_CELLS = 0.17  # more, where every point has a cell of its own
DASK_DRIVER_MB = 250.0
DASK_START_S = 4.0  # to start the workers and hand out all phases
DASK_PASSES = 4.5  # a worker's time with a point, in multiples of the time to put it in the index's order
DASK_CORE_PASSES = 4.8  # more for a core point, which goes into the index
DASK_PACKING = 3.7  # writing the core points and their index, in multiples of the time to compress them


@dataclass(frozen=True)
class Prediction:
    """What one engine needs."""

    engine: str
    n_workers: int  # threads or processes
    wall_s: float  # by the clock, without reading the input, except with Dask, whose workers read
    peak_mb: float  # MiB of all its processes together, reading and writing included
    worker_mb: float | None = None  # memory limit of each of Dask's workers, in MiB


def predict(load: Workload, n_workers: int, memory_mb: float, *, by_files: bool = True) -> list[Prediction]:
    """Predict each engine, with `n_workers` threads or processes for those that can use them.

    Dask's workers share `memory_mb` (MiB) and cut blocks to fit; they read only Parquet with coordinates (`by_files`).
    """
    peak_mb = _single_process_mb(load)
    found = [
        Prediction("sequential", 1, _kernel_s(load, 1), peak_mb),
        Prediction("multicore", n_workers, _kernel_s(load, n_workers), peak_mb),
    ]
    if by_files:
        found.append(_dask(load, n_workers, memory_mb))
    return [*found, _sklearn(load)]


def neighbour_mass(load: Workload) -> float:
    """Predict the total number of neighbours of all points, which scikit-learn keeps in lists.

    It is counted exactly for some points of the sample; the whole has as many more as it is denser.
    """
    mean = neighbours.mean_count(load.sample, load.eps_m)
    return load.n_points * (1 + (mean - 1) / load.share)


def _single_process_mb(load: Workload) -> float:
    """Predict the peak of one process that reads, then clusters, then describes the hotspots."""
    members = int(np.count_nonzero(load.clustering.labels >= 0)) / load.share
    kernel_bytes = KERNEL_BYTES + load.cells_per_point * CELL_BYTES
    most = load.n_points * INPUT_BYTES + max(load.n_points * kernel_bytes, members * MEMBER_BYTES)
    return BASE_MB + most / MIB


def _kernel_s(load: Workload, n_threads: int) -> float:
    """Predict the kernels: one thread's time, or the threads' fixed cost and the share of that time that remains.

    Timings of a quarter of the sample and of all of it tell both.
    """
    deeper = DEEPER + load.cells_per_point * DEEPER_CELLS
    one_thread_s = load.kernel_s * float(load.share ** -(1 + deeper))
    if n_threads == 1:
        return FIRST * one_thread_s
    quarter_s = load.seconds(QUARTER, clock=time.thread_time)
    threads_quarter_s, threads_s = load.seconds(QUARTER, n_threads), load.seconds(1, n_threads)
    more_s = max(load.kernel_s - quarter_s, 1e-9)
    left = min(max((threads_s - threads_quarter_s) / more_s, 1 / n_threads), 1.0)
    fixed_s = max(0.0, threads_s - left * load.kernel_s)
    return FIRST * (fixed_s + left * one_thread_s)


def _dask(load: Workload, n_workers: int, memory_mb: float) -> Prediction:
    # Where memory is too small for any worker, predict the least that works.
    worker_mb = max((memory_mb - DASK_DRIVER_MB) / n_workers, blocks.LEAST_WORKER_BYTES / MIB)
    n_blocks = blocks.blocks_needed(load.n_points, n_workers, int(worker_mb * MIB))
    held_mb = (blocks.BASE_BYTES + load.n_points / n_blocks * blocks.POINT_BYTES) / MIB
    wall_s = DASK_START_S + _dask_worker_s(load) / n_workers + _dask_index_s(load)
    return Prediction("dask", n_workers, wall_s, DASK_DRIVER_MB + n_workers * held_mb, worker_mb)


def _dask_worker_s(load: Workload) -> float:
    """Predict the processor seconds of all workers: the kernels, and array operations."""
    once = _thread_s(lambda: distinct_core_points(load.sample, load.clustering.labels))
    passes = DASK_PASSES + DASK_CORE_PASSES * float(load.clustering.core.mean())
    return (load.kernel_s + passes * once) / load.share


def _dask_index_s(load: Workload) -> float:
    """Predict the seconds of the one task that writes all core points."""
    cores = load.sample[load.clustering.core]
    return DASK_PACKING * _thread_s(lambda: zlib.compress(cores.tobytes(), 1)) / load.share


def _sklearn(load: Workload) -> Prediction:
    """Predict scikit-learn on a ball tree: its time from some queries, its memory from the lists it keeps."""
    mass = neighbour_mass(load)
    query_s = neighbours.query_seconds(load.sample, load.widened(load.share))
    deeper = math.log2(max(load.n_points, 2)) / math.log2(max(len(load.sample), 2))
    wall_s = load.n_points * query_s * deeper + mass * neighbours.LINK_S
    peak_mb = BASE_MB + (load.n_points * INPUT_BYTES + neighbours.lists_bytes(load.n_points, mass)) / MIB
    return Prediction("sklearn", 1, wall_s, peak_mb)


def _thread_s(work: Callable[[], object]) -> float:
    """Do the work and return the processor seconds of this thread."""
    started = time.thread_time()
    work()
    return time.thread_time() - started
