"""One engine on one input, once, in a process of its own.

`python -m cabstand.jobs.comparing.trial JSON` is that process; `run` starts it and waits for it with `os.wait4`.
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
from cabstand.io.usage import Usage, measure


@dataclass(frozen=True)
class Spec:
    """What the process does.

    Attributes
    ----------
    engine, n_workers, eps_m, min_samples
        As for `cluster`.
    points : str
        A .npy of points, shape (n, 2), float64.
    weight : str, optional
        A .npy of weights.
    out : str
        Where the process puts its labels (.npz).
    """

    engine: str
    n_workers: int
    eps_m: float
    min_samples: int
    points: str
    weight: str | None
    out: str


@dataclass(frozen=True)
class Trial:
    """What came of it.

    Attributes
    ----------
    usage : Usage
        Of the clustering alone, warm-up and reading not counted.
    process_cpu_s : float
        CPU of the whole process, as `os.wait4` tells it.
    answer : str
        Hash of labels and core points: equal for equal clusterings.
    n_clusters, n_noise : int
        What was found.
    """

    usage: Usage
    process_cpu_s: float
    answer: str
    n_clusters: int
    n_noise: int


def run(spec: Spec) -> Trial:
    """Start the process, wait for its end and return what it measured.

    Raises
    ------
    TaskError
        If it fails or is killed.
    """
    command = [sys.executable, "-m", "cabstand.jobs.comparing.trial", json.dumps(asdict(spec))]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        # One line each way: the pipes cannot fill.
        output, errors = (stream.read() for stream in (child.stdout, child.stderr) if stream)
        _, status, used = os.wait4(child.pid, 0)
    except BaseException:
        child.kill()
        child.wait()
        raise
    finally:
        for stream in (child.stdout, child.stderr):
            if stream:
                stream.close()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise TaskError(_why(child.returncode, errors), where=f"engine {spec.engine}")
    told = json.loads(output.splitlines()[-1])
    return Trial(
        usage=Usage(**told["usage"]),
        process_cpu_s=used.ru_utime + used.ru_stime,
        answer=told["answer"],
        n_clusters=told["n_clusters"],
        n_noise=told["n_noise"],
    )


def labels(spec: Spec) -> Clustering:
    """Return the clustering that a finished process left."""
    with np.load(spec.out, allow_pickle=False) as found:
        return Clustering(found["labels"], found["core"], int(found["labels"].max(initial=-1)) + 1)


def _why(code: int, errors: str) -> str:
    if code == -signal.SIGKILL:
        return "the process was killed; most likely it ran out of memory"
    last = errors.strip().splitlines()[-1:] or ["no message"]
    return f"the process ended with {code}: {last[0][:300]}"


def _main(text: str) -> None:
    spec = Spec(**json.loads(text))
    points = np.load(spec.points)
    weight = np.load(spec.weight) if spec.weight else None
    engine = engines.named(spec.engine)
    engine.warm_up(spec.n_workers)
    found, usage = measure(lambda: engine.run(points, spec.eps_m, spec.min_samples, weight, spec.n_workers))
    np.savez(Path(spec.out), labels=found.labels, core=found.core)
    told = {
        "usage": asdict(usage),
        "answer": hashlib.sha256(found.labels.tobytes() + found.core.tobytes()).hexdigest(),
        "n_clusters": found.n_clusters,
        "n_noise": int(np.count_nonzero(found.labels < 0)),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    _main(sys.argv[1])
