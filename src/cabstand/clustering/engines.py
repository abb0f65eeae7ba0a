"""The engines that cluster on one machine, behind one interface; all are exact and give equal labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.dbscan import Clustering, dbscan, dbscan_each
from cabstand.clustering.metrics import EARTH_RADIUS_M
from cabstand.errors import ConfigError, suggest

Floats = NDArray[np.float64]
WARM_EPS_M, WARM_MIN_SAMPLES = 50.0, 10
AUTO = "auto"  # in place of an engine's name: choose one
THREADS_PAY = 100_000  # points; fewer take some ten milliseconds on one thread


@dataclass(frozen=True)
class Engine:
    """A way to compute a clustering."""

    name: str  # the value of `--engine`
    cluster: Callable[..., Clustering]  # takes what `cabstand.clustering.dbscan.dbscan` takes, without a metric
    parallel: bool = True  # whether it can use more than one worker; otherwise it always gets one
    compiles: bool = True  # whether its first runs compile, each branch when it is first taken

    def workers(self, requested: int | None) -> int:
        """Return the number of workers to use: as requested (1 or more), or else one for each core."""
        if requested is not None and requested < 1:
            raise ConfigError(f"workers must be 1 or more, not {requested}", where="workers")
        if not self.parallel:
            return 1
        return requested or available_cores()

    def run(
        self, points: Floats, eps_m: float, min_samples: int, weight: Floats | None = None, n_workers: int | None = None
    ) -> Clustering:
        """Cluster points; see `cabstand.clustering.dbscan.dbscan`."""
        return self.cluster(points, eps_m, min_samples, sample_weight=weight, n_threads=self.workers(n_workers))

    def run_each(
        self, points: Floats, eps_m: float, min_samples: Sequence[int], weight: Floats | None, n_workers: int | None
    ) -> Iterator[Clustering]:
        """Cluster points with each of `min_samples`, ascending; our kernels do only once what these share."""
        if self.cluster is dbscan and weight is None:
            yield from dbscan_each(points, eps_m, min_samples, n_threads=self.workers(n_workers))
        else:
            yield from (self.run(points, eps_m, one, weight, n_workers) for one in min_samples)

    def warm_up(self, n_workers: int | None = None) -> None:
        """Compile, import and start everything that the first run would otherwise wait for."""
        for points in warm_up_points() if self.compiles else [warm_up_points()[0][:200]]:
            for weight in (None, np.ones(len(points))):
                self.run(points, WARM_EPS_M, WARM_MIN_SAMPLES, weight, n_workers)


def warm_up_points() -> list[Floats]:
    """Return sets of points in degrees that, with the parameters above, exercise every kernel."""
    rng = np.random.default_rng(0)
    city = (40.75, -73.98)
    # Enough for threads, dense enough for samples to stand for cells, with suburbs.
    town = np.r_[rng.uniform(0, 0.008, (28_000, 2)), rng.uniform(0, 0.05, (2_000, 2))] + city
    edges = np.repeat([city, (city[0] + 50.001 / 111_194.93, city[1])], 60, axis=0)
    edges += rng.normal(0, 1e-9, edges.shape)
    globe = np.c_[rng.uniform(-80, 80, 40_000), rng.uniform(-180, 180, 40_000)]
    # Beside a pole: a crowd, and 51 m away from it a few points and, in another set, another crowd.
    crowd = np.c_[90 - rng.uniform(4.1e-4, 4.2e-4, 600), rng.uniform(179, 180, 600)]
    few, many = (np.c_[90 - rng.uniform(4.8e-5, 5e-5, n), rng.uniform(0, 1, n)] for n in (WARM_MIN_SAMPLES - 1, 60))
    return [town, globe, edges, np.r_[town, edges], np.r_[crowd, few], np.r_[crowd, many]]


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check(eps_m: float, min_samples: int) -> None:
    """Raise ConfigError if a parameter is out of range; for use before the input is read."""
    dbscan(np.empty((0, 2)), eps_m, min_samples)


def named(name: str, others: Sequence[str] = ()) -> Engine:
    """Return the engine of that name; `others` are names that the caller accepts too, for the error's hint."""
    found = ENGINES.get(name)
    if found is None:
        raise ConfigError(f"no engine {name!r}", where="engine", hint=suggest(name, [*ENGINES, *others]))
    return found


def parse(text: str, n_workers: int | None = None) -> tuple[Engine, int]:
    """Read `engine` or `engine:workers`; ConfigError if the engine is unknown or workers is not 1 or more."""
    name, colon, count = text.strip().partition(":")
    if colon and not (count.isdecimal() and int(count) > 0):
        raise ConfigError(f"workers must be a whole number of 1 or more, not {count!r}", where=f"engine {text}")
    engine = named(name)
    return engine, engine.workers(int(count) if colon else n_workers)


def automatic(n_points: int, n_workers: int | None = None) -> tuple[Engine, int, str]:
    """Choose an engine of one process for so many points; return it with its number of workers and the reason."""
    n_threads = ENGINES["multicore"].workers(n_workers)
    if n_threads == 1:
        return ENGINES["sequential"], 1, "fits in memory; there is one core to use"
    if n_points < THREADS_PAY:
        return ENGINES["sequential"], 1, f"fits in memory; threads pay from {THREADS_PAY:,} points"
    return ENGINES["multicore"], n_threads, f"fits in memory; {n_threads} threads share {n_points:,} points"


def _sklearn(
    points: Floats, eps_m: float, min_samples: int, *, sample_weight: Floats | None, n_threads: int
) -> Clustering:
    """Cluster with scikit-learn as most users do: haversine on a ball tree, which keeps every list of neighbours."""
    from sklearn.cluster import DBSCAN

    model = DBSCAN(
        eps=eps_m / EARTH_RADIUS_M,
        min_samples=min_samples,
        metric="haversine",
        algorithm="ball_tree",
        n_jobs=n_threads,
    ).fit(np.radians(points), sample_weight=sample_weight)
    core = np.zeros(len(points), np.bool_)
    core[model.core_sample_indices_] = True
    labels = model.labels_.astype(np.int32)
    return Clustering(labels, core, int(labels.max(initial=-1)) + 1)


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("sequential", dbscan, parallel=False),
        Engine("multicore", dbscan),
        Engine("sklearn", _sklearn, compiles=False),
    )
}
