"""Measures whole jobs: ``make bench-jobs`` (all of it) or ``python tests/benchmarks/bench_jobs.py cluster ingest``.

Every trial is a process of its own from start to end, and the runs of a comparison take turns. Medians of the rounds
are reported, ratios are medians of paired ratios.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import job_limits
import job_picture
from bench_command import end, options
from dbscan_limits import Figure
from job_run import ONE_THREAD, Task, cabstand, python, run
from measured_tables import by_suite, fill, table

HERE = Path(__file__).resolve().parent
PAGE = "job-benchmarks.md"
SUITES = ("cluster", "growth", "sweep", "ingest", "distributed")
COLUMNS = {"CPU s": ("cpu_s", ".2f"), "wall s": ("wall_s", ".2f"), "peak MB": ("peak_mb", ".0f")}
MONTH = "2023-03"
MONTH_ROWS = 3_403_766  # yellow cabs in March 2023
WORKER_GIB = 1.5e9 / (1 << 30)  # as in `bench_dask.py`
ON_ONE_CORE = ("taskset", "--cpu-list", "0")
TWO_THREADS = {"OMP_NUM_THREADS": "2"}  # of pyarrow, too


class Bench:
    """Runs tasks on input that is made once a size."""

    def __init__(self, folder: Path, rounds: int, limit: int) -> None:
        self.folder, self.rounds, self.limit = folder, rounds, limit
        self.found: dict[str, dict[str, Any]] = {}

    def input(self, kind: str, n: int) -> Path:
        """Return a file of trips, or of a month as published, and make it if it is not there."""
        file = self.folder / f"{kind}-{n}.parquet"
        if not file.exists():
            subprocess.run(python(HERE / "job_points.py", kind, n, file), check=True)
        return file

    def compare(self, name: str, tasks: Mapping[str, Task]) -> None:
        """Run tasks in turns, and keep the medians of each and every round's CPU and wall seconds."""
        rounds = [{key: self.trial(task) for key, task in tasks.items()} for _ in range(self.rounds)]
        self.found[name] = {key: _row(tasks[key], [found[key] for found in rounds]) for key in tasks}
        for key, row in self.found[name].items():
            print(
                f"{name:>20} {key:<12} cpu {row['cpu_s']:7.2f} s  wall {row['wall_s']:7.2f} s  "
                f"peak {row['peak_mb']:6.0f} MB",
                file=sys.stderr,
                flush=True,
            )

    def trial(self, task: Task) -> dict[str, Any]:
        """Run a task in a lake of its own."""
        home = self.folder / "home"
        try:
            home.mkdir()
            return run(task, home)
        finally:
            shutil.rmtree(home, ignore_errors=True)


def _row(task: Task, found: list[dict[str, Any]]) -> dict[str, Any]:
    medians = {key: statistics.median(trial[key] for trial in found) for key in found[0]}
    return medians | {"n": task.n, "rounds": [[trial["cpu_s"], trial["wall_s"]] for trial in found]}


def cluster(bench: Bench, n: int) -> dict[str, Task]:
    """Return the runs of `cabstand cluster` on n points, and the floor below them."""
    file, home = bench.input("trips", n), bench.folder / "home"
    words = ("cluster", "--input", file)
    store = {"CABSTAND_MLFLOW_TRACKING_URI": f"sqlite:///{bench.folder / 'mlflow.db'}"}  # the first round makes it
    one = ("--engine", "sequential")
    return {
        "floor": Task(python(HERE / "cluster_floor.py", file, home / "floor"), n),
        "one thread": Task(cabstand(*words, *one, "--no-track"), n),
        "two threads": Task(cabstand(*words, "--engine", "multicore", "--workers", 2, "--no-track"), n, TWO_THREADS),
        "tracked": Task(cabstand(*words, *one), n, ONE_THREAD | store),
    }


def growth(bench: Bench) -> None:
    """Measure `cluster` on one thread at growing sizes."""
    sizes = [share * bench.limit // 22 for share in (1, 2, 5, 10, 22)]
    bench.compare("growth", {str(n): cluster(bench, n)["one thread"] for n in sizes})


def sweep(bench: Bench, n: int) -> dict[str, Task]:
    """Return the sweep of thirty settings, and the thirty clusterings that a script would make."""
    file = bench.input("trips", n)
    words = ("sweep", "--input", file, "--no-track", "--engine")
    return {
        "30 fits": Task(python(HERE / "thirty_fits.py", file), n),
        "one thread": Task(cabstand(*words, "sequential"), n),
        "two threads": Task(cabstand(*words, "multicore", "--workers", 2), n, TWO_THREADS),
    }


def ingest(bench: Bench, n: int) -> dict[str, Task]:
    """Return a month's ingest, and the same rules in DuckDB."""
    file = bench.input("month", n)
    words = cabstand("ingest", "--dataset", "yellow", "--month", MONTH, "--source", file)
    script = python(HERE / "duckdb_ingest.py", file, MONTH, bench.folder / "home" / "duckdb")
    return {
        "DuckDB": Task(script, n),
        "one core": Task([*ON_ONE_CORE, *words], n),
        "two cores": Task(words, n, TWO_THREADS),
    }


def distributed(bench: Bench, n: int) -> dict[str, Task]:
    """Return `cluster` on two Dask workers, and on one machine."""
    words = ("cluster", "--input", bench.input("trips", n), "--no-track", "--engine")
    limits = ("--workers", 2, "--worker-memory-gib", WORKER_GIB)
    return {
        "one machine": Task(cabstand(*words, "sequential"), n),
        "two workers": Task(cabstand(*words, "dask", *limits), n, after=_worker_memory),
    }


def _worker_memory(told: str) -> dict[str, Any]:
    return {"worker_mb": json.loads(told.splitlines()[-1])["worker_peak_rss_mb"]}


def suite(bench: Bench, name: str) -> None:
    """Run one suite, at the size of its figures or the largest allowed."""
    if name == "growth":
        growth(bench)
        return
    tasks, wanted = {
        "cluster": (cluster, 5_000_000),
        "sweep": (sweep, 1_000_000),
        "ingest": (ingest, MONTH_ROWS),
        "distributed": (distributed, 22_000_000),
    }[name]
    n = min(wanted, bench.limit)
    bench.compare(f"{name}-{n}", tasks(bench, n))


def report(folder: Path, measured: dict[str, dict[str, Any]]) -> list[Figure]:
    """Write what was measured beside what other suites measured earlier, picture and tables; return the new figures."""
    file, page = folder / "jobs.json", folder.parent / PAGE
    trials = (json.loads(file.read_text())["trials"] if file.exists() else {}) | measured
    rows = {f.name: {"value": f.value, "at_most": f.most, "holds": f.holds()} for f in job_limits.figures(trials)}
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"schema_version": 1, "figures": rows, "trials": trials}, indent=1) + "\n")
    job_picture.draw(trials, file.with_suffix(".png"))
    if page.exists():
        fill(page, {suite: table(own, COLUMNS, job_limits.figures(own)) for suite, own in by_suite(measured).items()})
    return job_limits.figures(measured)


def main() -> None:
    """Measure the suites asked for, and keep the others' earlier figures; exit 1 if a limit is not kept."""
    chosen = options(__doc__, SUITES, 22_000_000)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(chosen.points or Path(folder), chosen.rounds, chosen.limit)
        bench.folder.mkdir(parents=True, exist_ok=True)
        for name in chosen.suites or SUITES:
            suite(bench, name)
            found = report(chosen.out, bench.found)  # after each: a run cut short keeps what it has
    end(found)


if __name__ == "__main__":
    main()
