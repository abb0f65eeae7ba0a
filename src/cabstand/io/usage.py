"""What a piece of work took: wall and CPU seconds, peak memory."""

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
_FORGET = Path("/proc/self/clear_refs")
_CGROUP = Path("/sys/fs/cgroup")


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
        Most memory this process held meanwhile, in MiB: interpreter, libraries and input included.
    working_mb : float
        How much of it came on top of what was held before the work began.
    """

    wall_s: float
    cpu_s: float
    peak_rss_mb: float
    working_mb: float


def measure(work: Callable[[], T]) -> tuple[T, Usage]:
    """Do `work` and say what it took."""
    with suppress(OSError):
        _FORGET.write_text("5")  # Linux then counts the peak anew: that of compiling and reading is not the work's
    before, cpu, wall = _memory_mb("VmRSS"), _cpu_s(), time.perf_counter()
    result = work()
    wall_s, cpu_s, peak = time.perf_counter() - wall, _cpu_s() - cpu, _memory_mb("VmHWM")
    return result, Usage(wall_s, cpu_s, peak, max(0.0, peak - before))


def peak_rss_mb() -> float:
    """Return the most memory this process has held, in MiB."""
    return _memory_mb("VmHWM")


def free_bytes() -> int:
    """Return the memory that may still be taken: the machine's, or what is left of the container's limit."""
    import psutil

    free = int(psutil.virtual_memory().available)
    limit, used = (_CGROUP / name for name in ("memory.max", "memory.current"))
    if limit.exists() and limit.read_text().strip().isdecimal():
        free = min(free, int(limit.read_text()) - int(used.read_text()))
    return max(0, free)


def _memory_mb(field: str) -> float:
    if _STATUS.exists():
        # Not ru_maxrss: Linux hands the parent's peak on to a child at fork.
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _cpu_s() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
