"""One measurement in a process of its own: ``echo | python dbscan_trial.py '{"engine": ...}'`` prints JSON.

A small warm-up comes first (compiled code is loaded, pools are started), then as much memory as the engine may want is
touched and given back, a line is waited for, the peak of the resident memory is reset, and one call is measured: CPU
seconds of all threads, wall seconds, and how far memory rose above where it stood with the points already in it.

The touching is for virtual machines, whose host may back a page only when it is first used: up to 20 times what the
machine's own first touch costs, by chance on some pages and not on others, and no engine's doing. What a fresh page
costs the machine itself stays in every figure.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import mmap
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

METRES_PER_DEGREE = 111_194.93
# Memory that an engine may want, bytes a point: what is measured of it at the default setting, and some more.
TOUCHED = {"dbscan": 600, "scikit-learn": 4_500}


def planar(points: np.ndarray) -> np.ndarray:
    """Metres on a plane: what the peers that know no Earth are given."""
    return np.c_[points[:, 0], points[:, 1] * np.cos(np.radians(40.75))] * METRES_PER_DEGREE


def cabstand_engine(task: dict[str, Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    from cabstand.clustering import engines
    from cabstand.clustering.dbscan import dbscan

    engines.named("multicore").warm_up(task["threads"])
    return lambda p: p, lambda p: dbscan(p, task["eps_m"], task["min_samples"], n_threads=task["threads"]).labels


def peer_engine(task: dict[str, Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    from dbscan import DBSCAN

    return planar, lambda p: DBSCAN(p, float(task["eps_m"]), task["min_samples"])[0]


def sklearn_engine(task: dict[str, Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    from sklearn.cluster import DBSCAN

    model = DBSCAN(eps=task["eps_m"], min_samples=task["min_samples"], algorithm="kd_tree")
    return planar, lambda p: model.fit(p).labels_


def radix_engine(task: dict[str, Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """One pass of a radix sort: count 2,048 rows of 35 m, then move every point (16 bytes) to its row in new memory.

    The memory is new because a clustering's is too: where a page costs much when it is first touched, both pay.
    """
    from numba import njit

    @njit
    def one_pass(points: Any, low: Any, out: Any) -> Any:
        counts = np.zeros(2048, np.int64)
        for i in range(len(points)):
            counts[int((points[i, 0] - low) * 3177.0) & 2047] += 1
        place = 0
        for d in range(2048):
            counts[d], place = place, place + counts[d]
        for i in range(len(points)):
            d = int((points[i, 0] - low) * 3177.0) & 2047
            out[counts[d], 0] = points[i, 0]
            out[counts[d], 1] = points[i, 1]
            counts[d] += 1
        return out

    return lambda p: p, lambda p: one_pass(p, 40.0, np.empty_like(p))


def reference_engine(task: dict[str, Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Any other implementation: a module with ``dbscan_latlon(points, eps_m, min_samples, threads=)``."""
    import importlib

    folder, _, name = os.environ["BENCH_REFERENCE"].rpartition("/")
    sys.path.insert(0, folder)
    call = importlib.import_module(name).dbscan_latlon
    return lambda p: p, lambda p: call(p, task["eps_m"], task["min_samples"], threads=task["threads"])[0]


ENGINES = {
    "cabstand": cabstand_engine,
    "dbscan": peer_engine,
    "scikit-learn": sklearn_engine,
    "radix": radix_engine,
    "reference": reference_engine,
}


def memory_kb(field: str) -> int:
    """Read VmRSS or VmHWM of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    return 0


def wanted(engine: str, n: int) -> int:
    """Tell how much memory an engine may want: ours the less a point, the more points share a cell.

    No more than that: the system gives back to the host what was freed, in the background, on the processors that the
    next trial runs on.
    """
    return n * TOUCHED[engine] if engine in TOUCHED else min(128 * n, 24 * n + 128 * 1_000_000)


def touch(n_bytes: int) -> None:
    """Use so much memory, at most half of what is free, and give it back, with what the warm-up has left unused."""
    free = os.sysconf("SC_AVPHYS_PAGES") * mmap.PAGESIZE
    np.empty(min(n_bytes, free // 2), np.uint8)[:: mmap.PAGESIZE] = 1
    ctypes.CDLL(None).malloc_trim(0)  # else a call finds memory that would not be counted as taken


def main() -> None:
    """Run the trial that the argument describes."""
    task = json.loads(sys.argv[1])
    prepare, call = ENGINES[task["engine"]](task)
    points = prepare(np.load(task["file"]))
    for _ in range(2):
        call(points[:30_000].copy())
    touch(wanted(task["engine"], len(points)))
    print("ready", flush=True)
    sys.stdin.readline()  # others may be measured at the same time
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before_kb = memory_kb("VmRSS")
    usage, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    labels = call(points)
    wall = time.perf_counter() - wall
    spent = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "cpu_s": spent.ru_utime + spent.ru_stime - usage.ru_utime - usage.ru_stime,
                "wall_s": wall,
                "peak_mb": memory_kb("VmHWM") / 1024,
                "working_bytes_a_point": (memory_kb("VmHWM") - before_kb) * 1024 / len(points),
                "n_clusters": int(np.max(labels)) + 1,
                "sha256": hashlib.sha256(np.ascontiguousarray(labels, np.int32)).hexdigest()[:16],
            }
        )
    )


if __name__ == "__main__":
    main()
