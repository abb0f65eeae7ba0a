"""What a piece of work took: wall and CPU seconds, peak memory."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Usage:
    """What was used.

    Attributes
    ----------
    wall_s : float
        Time by the clock.
    cpu_s : float
        Time on processors, of this process, its threads, and its children that have ended.
    peak_rss_mb : float
        Most memory this process has ever held, in MiB: interpreter, libraries and input included.
    """

    wall_s: float
    cpu_s: float
    peak_rss_mb: float


def measure(work: Callable[[], T]) -> tuple[T, Usage]:
    """Do `work` and say what it took."""
    cpu, wall = _cpu_s(), time.perf_counter()
    result = work()
    wall_s, cpu_s = time.perf_counter() - wall, _cpu_s() - cpu
    return result, Usage(wall_s, cpu_s, peak_rss_mb())


def peak_rss_mb() -> float:
    """Return the most memory this process has held, in MiB."""
    if _STATUS.exists():
        # Not ru_maxrss: Linux hands the parent's peak on to a child at fork.
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _cpu_s() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
