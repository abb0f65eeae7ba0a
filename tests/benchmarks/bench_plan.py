"""Holds what `cabstand plan` predicts against what `cabstand cluster` then takes: ``make bench-plan`` (half an hour).

Every engine on inputs of several shapes and sizes: those that the planner's constants were found on, and others. Time
is the `wall_s` that `cluster` reports, the median of the rounds; memory is the most that the job held. Exits
with 1 if a time is off by more than a factor 1.5, or memory by more than 1.25.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
TIME, MEMORY = 1.5, 1.25
KERNELS, ALL = ("sequential", "multicore"), ("sequential", "multicore", "sklearn")


class Case(NamedTuple):
    """An input, the parameters, and the engines that can do it in reasonable time."""

    kind: str
    n_points: int
    eps_m: float
    min_samples: int
    engines: tuple[str, ...]


# The planner's constants were found on these.
CALIBRATION = (
    Case("pickups", 65_535, 50.0, 20, ALL),
    Case("nyc", 120_000, 50.0, 10, ALL),
    Case("suburbs", 150_000, 80.0, 8, ALL),
    Case("uniform", 150_000, 200.0, 5, KERNELS),
    Case("airport", 400_000, 50.0, 20, KERNELS),
    Case("nyc", 700_000, 25.0, 50, KERNELS),
    Case("far", 800_000, 75.0, 15, KERNELS),
    Case("ring", 1_000_000, 40.0, 10, KERNELS),
    Case("half_duplicates", 1_000_000, 50.0, 20, KERNELS),
    Case("suburbs", 1_500_000, 60.0, 12, KERNELS),
    Case("stands", 2_000_000, 30.0, 25, (*KERNELS, "dask")),
    Case("cities", 3_000_000, 50.0, 20, (*KERNELS, "dask")),
    Case("uniform_earth", 3_000_000, 50.0, 10, KERNELS),
    Case("airport", 4_000_000, 30.0, 60, KERNELS),
    Case("uniform", 5_000_000, 60.0, 30, (*KERNELS, "dask")),
    Case("nyc", 6_000_000, 50.0, 20, (*KERNELS, "dask")),
    Case("uniform", 8_000_000, 10.0, 5, KERNELS),
)
# These were not: nothing in the planner may be changed for one of them alone. One that has been, joins those above.
HELD_OUT = (
    Case("streets", 150_000, 40.0, 10, ALL),
    Case("pickups", 196_605, 75.0, 30, ALL),
    Case("float32", 800_000, 50.0, 15, KERNELS),
    Case("islands", 1_000_000, 100.0, 40, KERNELS),
    Case("mixture", 1_500_000, 30.0, 12, KERNELS),
    Case("terminal", 3_000_000, 60.0, 100, (*KERNELS, "dask")),
    Case("streets", 5_000_000, 20.0, 8, (*KERNELS, "dask")),
)
# Points are made by a process of their own: a child's peak memory begins with that of who started it.
MAKE = """
import sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
import plan_points
kind, n, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
points = plan_points.KINDS[kind](n)
rng = np.random.default_rng(n)
at = np.datetime64("2014-04-01", "us") + np.sort(rng.integers(0, 30 * 86_400, n)).astype("m8[s]")
table = pa.table({"pickup_at": at.astype("M8[us]"), "pickup_lat": points[:, 0], "pickup_lon": points[:, 1]})
pq.write_table(table, path, row_group_size=1 << 18)
"""


def run(home: Path, *words: str) -> tuple[dict[str, Any], float]:
    """Run a command in a process of its own; return its result and its peak memory in MiB."""
    command = [sys.executable, "-m", "cabstand", *words]
    environment = os.environ | {"CABSTAND_HOME": str(home), "CABSTAND_LOG_LEVEL": "ERROR"}
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert child.stdout is not None
    told = child.stdout.read()
    child.stdout.close()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {child.returncode}")
    return json.loads(told.splitlines()[-1]), used.ru_maxrss / 1024


def measure(home: Path, planned: dict[str, Any], common: list[str], rounds: int) -> tuple[float, float]:
    """Return the seconds and the MiB that an engine takes."""
    engine, found, out = planned["engine"], [], home / "out"
    if planned["worker_mb"]:
        common = [*common, "--worker-memory-gib", str(planned["worker_mb"] / 1024)]
    for _ in range(1 if engine in {"dask", "sklearn"} else rounds):
        result, peak_mb = run(home, "cluster", "--no-track", "--engine", engine, "--out", str(out), *common)
        if "worker_peak_rss_mb" in result:  # what was waited for counts as ours: take each one's own word
            peak_mb = result["peak_rss_mb"] + result["n_workers"] * result["worker_peak_rss_mb"]
        found.append((result["wall_s"], peak_mb))
        shutil.rmtree(out)
    return statistics.median(wall for wall, _ in found), statistics.median(peak for _, peak in found)


def check(case: Case, rounds: int, folder: Path) -> bool:
    """Plan, measure, print a line for each engine, and say whether all were near enough."""
    data = folder / "trips.parquet"
    subprocess.run([sys.executable, "-c", MAKE, case.kind, str(case.n_points), data], check=True, cwd=HERE)
    common = ["--input", str(data), "--eps-m", str(case.eps_m), "--min-samples", str(case.min_samples)]
    plan, _ = run(folder, "plan", *common)
    predicted = {row["engine"]: row for row in plan["engines"]}
    held, seen = True, "held out" if case in HELD_OUT else "seen"
    for engine in case.engines:
        wall_s, peak_mb = measure(folder, predicted[engine], common, rounds)
        time, memory = wall_s / predicted[engine]["wall_s"], peak_mb / predicted[engine]["peak_mb"]
        near = 1 / TIME <= time <= TIME and 1 / MEMORY <= memory <= MEMORY
        held &= near
        print(
            f"{seen:<10}{case.kind:<16}{case.n_points:>10,} {case.eps_m:>5g} m {case.min_samples:>4} {engine:<11}"
            f"{predicted[engine]['wall_s']:>8.2f} s -> {wall_s:>7.2f} ({time:.2f})  "
            f"{predicted[engine]['peak_mb']:>6.0f} MiB -> {peak_mb:>6.0f} ({memory:.2f})  {'ok' if near else 'OFF'}",
            flush=True,
        )
    return held


def main() -> None:
    """Check all cases, or those of one kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help="only these shapes")
    parser.add_argument("--held-out", action="store_true", help="only those that the planner has not seen")
    parser.add_argument("--least", type=int, default=0, help="leave out smaller sizes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=int, default=10_000_000, help="leave out larger sizes")
    chosen = parser.parse_args()
    held = True
    for case in HELD_OUT if chosen.held_out else CALIBRATION + HELD_OUT:
        if chosen.least <= case.n_points <= chosen.limit and (not chosen.kinds or case.kind in chosen.kinds):
            with tempfile.TemporaryDirectory() as folder:
                held &= check(case, chosen.rounds, Path(folder))
    raise SystemExit(not held)


if __name__ == "__main__":
    main()
