"""The process of an engine: it prepares the engine once, then runs each trial in a fork of itself.

A trial so has memory and processor time of its own, and costs what the clustering costs: to start Python, to import and
to load the kernels takes ten times as long. `cabstand.jobs.comparing.processes` starts
`python -m cabstand.jobs.comparing.worker ENGINE WORKERS` and writes a task a line; a line of the answer is the exit
code of a trial.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numba.core.event import install_recorder
from numpy.typing import NDArray

from cabstand.clustering import engines
from cabstand.clustering.dbscan import Clustering
from cabstand.clustering.engines import Engine
from cabstand.io.dask.parent_death import die_with_parent
from cabstand.io.usage import Usage, measure, resident_mb

AGAIN = "again"  # last argument of a process that has started itself again


@dataclass(frozen=True)
class Task:
    """What a trial is to do."""

    engine: str
    n_workers: int
    eps_m: float
    min_samples: int
    points: str  # a .npy, shape (n, 2), float64
    weight: str | None  # a .npy
    out: str  # the .npz for labels and core points


@dataclass(frozen=True)
class Trial:
    """What a trial measured and found."""

    usage: Usage  # of the clustering alone, without warm-up and reading
    process_cpu_s: float  # of a process that is started for this trial: preparation, reading and writing included
    answer: str  # hash of labels and core points
    n_clusters: int
    n_noise: int


@dataclass(frozen=True)
class Prepared:
    """What a process holds that is ready for trials, and what it took."""

    engine: Engine
    town: NDArray[np.float64]  # points that a run of some milliseconds clusters
    cpu_s: float
    rss_mb: float


def clustering(task: Task) -> Clustering:
    """Return the clustering that a finished trial wrote."""
    with np.load(task.out, allow_pickle=False) as found:
        return Clustering(found["labels"], found["core"], int(found["labels"].max(initial=-1)) + 1)


def measured(task: Task) -> Trial:
    """Return the measurements that a finished trial wrote."""
    found = json.loads(_report(task).read_text())
    return Trial(**found | {"usage": Usage(**found["usage"])})


def _report(task: Task) -> Path:
    return Path(f"{task.out}.json")


def _main(name: str, n_workers: int, *, again: bool) -> None:
    die_with_parent()  # nobody else would end it, and read what it writes
    engine = engines.named(name)
    with install_recorder("numba:compile") as compiled:
        engine.warm_up(n_workers)
    if compiled.buffer and not again:  # trials are to hold the kernels alone, and not the compiler's memory
        os.execv(sys.executable, [*sys.orig_argv, AGAIN])  # noqa: S606
    gc.collect()
    gc.freeze()  # a collection would copy the pages that trials share
    town = engines.warm_up_points()[0][: None if engine.compiles else 200]
    prepared = Prepared(engine, town, sum(os.times()[:4]), resident_mb())
    for line in sys.stdin:
        task = Task(**json.loads(line))
        code = _forked(partial(_try, task, prepared))
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()


def _forked(work: Callable[[], None]) -> int:
    """Return the exit code of a fork of this process that does some work: as of `subprocess`, negative by a signal."""
    with warnings.catch_warnings():
        # The one other thread may be that of pyarrow's allocator, which forks well.
        warnings.filterwarnings("ignore", ".*multi-threaded", DeprecationWarning)
        pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        die_with_parent()
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _try(task: Task, prepared: Prepared) -> None:
    # A fork gets its pages when it touches them: the run that is measured finds them, as in a process of its own.
    prepared.engine.run(prepared.town, engines.WARM_EPS_M, engines.WARM_MIN_SAMPLES, None, task.n_workers)
    libraries_mb = max(0.0, prepared.rss_mb - resident_mb())  # that it did not touch, and such a process would hold
    points = np.load(task.points)
    weight = np.load(task.weight) if task.weight else None
    found, usage = measure(lambda: prepared.engine.run(points, task.eps_m, task.min_samples, weight, task.n_workers))
    np.savez(Path(task.out), labels=found.labels, core=found.core)
    trial = Trial(
        usage=replace(usage, peak_rss_mb=usage.peak_rss_mb + libraries_mb),
        process_cpu_s=prepared.cpu_s + sum(os.times()[:4]),  # user and system, of this process and of its children
        answer=hashlib.sha256(found.labels.tobytes() + found.core.tobytes()).hexdigest(),
        n_clusters=found.n_clusters,
        n_noise=int(np.count_nonzero(found.labels < 0)),
    )
    _report(task).write_text(json.dumps(asdict(trial)))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), again=AGAIN in sys.argv)
