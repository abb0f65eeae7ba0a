"""One trial: one engine on one input, in a process of its own.

`run` starts `python -m cabstand.jobs.comparing.worker JSON` and waits for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cabstand.clustering import engines
from cabstand.clustering.dbscan import Clustering
from cabstand.errors import TaskError
from cabstand.io.dask.parent_death import die_with_parent
from cabstand.io.usage import Usage, measure


@dataclass(frozen=True)
class Task:
    """What the process is to do."""

    engine: str
    n_workers: int
    eps_m: float
    min_samples: int
    points: str  # a .npy, shape (n, 2), float64
    weight: str | None  # a .npy
    out: str  # the .npz for labels and core points


@dataclass(frozen=True)
class Trial:
    """What the process measured and found."""

    usage: Usage  # of the clustering alone, without warm-up and reading
    process_cpu_s: float
    answer: str  # hash of labels and core points
    n_clusters: int
    n_noise: int


def run(task: Task) -> Trial:
    """Run a trial and return its measurements; raise a TaskError if the process fails or is killed."""
    command = [sys.executable, "-m", "cabstand.jobs.comparing.worker", json.dumps(asdict(task))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TaskError(_why(done.returncode, done.stderr), where=f"engine {task.engine}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Trial(**found | {"usage": Usage(**found["usage"])})


def clustering(task: Task) -> Clustering:
    """Return the clustering that a finished trial wrote."""
    with np.load(task.out, allow_pickle=False) as found:
        return Clustering(found["labels"], found["core"], int(found["labels"].max(initial=-1)) + 1)


def _why(code: int, errors: str) -> str:
    if code == -signal.SIGKILL:
        return "the process was killed; most likely it ran out of memory"
    last = errors.strip().splitlines()[-1:] or ["no message"]
    return f"the process ended with {code}: {last[0][:300]}"


def _main(text: str) -> None:
    die_with_parent()  # nobody else would end it, and read what it writes
    task = Task(**json.loads(text))
    points = np.load(task.points)
    weight = np.load(task.weight) if task.weight else None
    engine = engines.named(task.engine)
    engine.warm_up(task.n_workers)
    found, usage = measure(lambda: engine.run(points, task.eps_m, task.min_samples, weight, task.n_workers))
    np.savez(Path(task.out), labels=found.labels, core=found.core)
    trial = Trial(
        usage=usage,
        process_cpu_s=sum(os.times()[:4]),  # user and system, of this process and of its children
        answer=hashlib.sha256(found.labels.tobytes() + found.core.tobytes()).hexdigest(),
        n_clusters=found.n_clusters,
        n_noise=int(np.count_nonzero(found.labels < 0)),
    )
    sys.stdout.write(json.dumps(asdict(trial)) + "\n")


if __name__ == "__main__":
    _main(sys.argv[1])
