"""Tells whether the machine does something else: how long a fixed piece of work takes, against its best, and how much
time the host of a virtual machine takes away.

The work is none of what is measured: each of two threads reads from all over 2 MB, which other tenants of a processor
and of its caches slow down as they slow down a clustering, by up to a half and for seconds or minutes.
"""

from __future__ import annotations

import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

WORDS = 1 << 18
READS = 1_000_000
REPEATS = 5
QUIET = 1.2  # times the best, up to which the machine counts as quiet


@njit(nogil=True)
def _read(words: NDArray[np.uint64], reads: int) -> np.uint64:
    place, total = np.uint64(1), np.uint64(0)
    for _ in range(reads):
        place = place * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        total += words[(place >> np.uint64(33)) & np.uint64(len(words) - 1)]
    return total


class Gauge:
    """Measures how quiet the machine is; remembers the best it has seen."""

    def __init__(self) -> None:
        self._words = [np.ones(WORDS, np.uint64) for _ in range(2)]
        self.best = float("inf")
        for _ in range(REPEATS):
            self.read()  # the first compiles

    def read(self) -> float:
        """Return the seconds of the slower thread, the median of a few repeats."""
        with ThreadPoolExecutor(2) as pool:
            seconds = statistics.median(max(pool.map(_timed, self._words)) for _ in range(REPEATS))
        self.best = min(self.best, seconds)
        return seconds

    def is_quiet(self, seconds: float) -> bool:
        """Tell whether a reading was near the best."""
        return seconds <= QUIET * self.best


def stolen_s() -> float:
    """Return the seconds for which processors of this virtual machine wanted to run and its host ran something else."""
    stat = Path("/proc/stat")
    return int(stat.read_text().split(maxsplit=9)[8]) / os.sysconf("SC_CLK_TCK") if stat.exists() else 0.0


def _timed(words: NDArray[np.uint64]) -> float:
    start = time.perf_counter()
    _read(words, READS)
    return time.perf_counter() - start
