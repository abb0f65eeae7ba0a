"""Measure a piece of work: wall time, CPU time and peak memory; and the memory that is free."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Usage:
    """What a piece of work used; times in seconds, memory in MiB."""

    wall_s: float
    cpu_s: float  # of this process, its threads, and its children that have ended
    peak_rss_mb: float  # of this process meanwhile: interpreter, libraries and input included
    working_mb: float  # peak above what was held before the work began


def measure(work: Callable[[], T]) -> tuple[T, Usage]:
    """Call `work` and return its result and what it used."""
    with suppress(OSError):
        _CLEAR_REFS.write_text("5")  # resets the peak, so that compiling and reading the input do not count
    before, cpu, wall = resident_mb(), _cpu_s(), time.perf_counter()
    result = work()
    wall_s, cpu_s, peak = time.perf_counter() - wall, _cpu_s() - cpu, _memory_mb("VmHWM")
    return result, Usage(wall_s, cpu_s, peak, max(0.0, peak - before))


def peak_rss_mb() -> float:
    """Return the peak memory of this process, in MiB."""
    return _memory_mb("VmHWM")


def resident_mb() -> float:
    """Return the memory that this process holds now, in MiB."""
    return _memory_mb("VmRSS")


def largest_rss_mb() -> float:
    """Return the most memory, in MiB, that this process or one of its ended children has held so far."""
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / unit


def free_bytes() -> int:
    """Return the memory still available: the machine's, or what is left of the container's limit."""
    import psutil

    free = int(psutil.virtual_memory().available)
    limit, used = (_CGROUP / name for name in ("memory.max", "memory.current"))
    if limit.exists() and limit.read_text().strip().isdecimal():
        free = min(free, int(limit.read_text()) - int(used.read_text()))
    return max(0, free)


def _memory_mb(field: str) -> float:
    if _STATUS.exists():
        # Not ru_maxrss: on Linux a forked child inherits the parent's peak.
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _cpu_s() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
