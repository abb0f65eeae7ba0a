"""The memory of the gateway and of the function's processes over time."""

from __future__ import annotations

import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

WARM_UP = 0.3  # of the run, counted from each process's start
SHORTEST = 0.3  # of the run: a process that lived less after its warm-up is not judged
MIB = 2**20
Samples = dict[str, list[tuple[float, float]]]  # by process: seconds since the epoch, MiB


@dataclass(frozen=True)
class Growth:
    """How the memory of a process changed after its warm-up: medians of the first and the last fifth of the time."""

    process: str
    before_mib: float
    after_mib: float

    @property
    def share(self) -> float:
        return self.after_mib / self.before_mib - 1


def growths(samples: Samples) -> list[Growth]:
    """Return the growth of each process that lived long enough to be judged."""
    found = []
    run_s = samples["gateway"][-1][0] - samples["gateway"][0][0]
    for process, both in samples.items():
        warm = [one for one in both if one[0] - both[0][0] >= WARM_UP * run_s]
        if not warm or warm[-1][0] - warm[0][0] < SHORTEST * run_s:
            continue
        fifth = (warm[-1][0] - warm[0][0]) / 5
        before = statistics.median(mib for at, mib in warm if at <= warm[0][0] + fifth)
        after = statistics.median(mib for at, mib in warm if at >= warm[-1][0] - fifth)
        found.append(Growth(process, before, after))
    return found


@contextmanager
def watched(gateway: psutil.Process, every_s: float) -> Iterator[Samples]:
    """Sample resident memory from a thread for the duration of the block."""
    samples: Samples = defaultdict(list)
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(every_s):
            _sample(gateway, samples)

    thread = threading.Thread(target=run, name="memory")
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def _sample(gateway: psutil.Process, samples: Samples) -> None:
    now = time.time()
    samples["gateway"].append((now, gateway.memory_info().rss / MIB))
    for one in gateway.children(recursive=True):
        try:
            words = one.cmdline()
            if "awslambdaric" in words and not words[0].endswith("aws-lambda-rie"):
                version = one.environ().get("AWS_LAMBDA_FUNCTION_VERSION", "?")
                samples[f"function {version}, process {one.pid}"].append((now, one.memory_info().rss / MIB))
        except psutil.Error:  # it has ended
            continue
