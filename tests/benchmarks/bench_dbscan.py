"""Measures the clustering: ``make bench`` (all of it) or ``python tests/benchmarks/bench_dbscan.py peers worst``.

Every trial is a process of its own, and the engines of a comparison take turns, so that what else the machine does
falls on all of them. Medians of the rounds are reported, ratios are medians of paired ratios.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from subprocess import PIPE
from typing import IO, Any, cast

import numpy as np
from bench_command import end, options
from dbscan_limits import Figure, figures
from dbscan_picture import draw
from dbscan_points import KINDS, WORST
from first_call import measure
from measured_tables import Trials, by_suite, figure_table, fill, table
from quiet import Gauge, stolen_s

HERE = Path(__file__).resolve().parent
PAGE = "benchmarks.md"
ALONE = {"PARLAY_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
SETTINGS = ((100.0, 100), (25.0, 500), (200.0, 500))
PATIENCE = 3  # times the rounds, where a busy machine would decide whether a figure keeps its limit
COLUMNS = {
    "CPU s": ("cpu_s", ".3f"),
    "wall s": ("wall_s", ".3f"),
    "bytes a point": ("working_bytes_a_point", ".1f"),
    "peak MB": ("peak_mb", ".0f"),
}
SUITES = ("first", "peers", "settings", "radix", "threads", "worst", "growth", "sklearn", "reference")


class Bench:
    """Runs trials on points that are made once a size."""

    def __init__(self, folder: Path, rounds: int, limit: int) -> None:
        self.folder, self.rounds, self.limit = folder, rounds, limit
        self.found: dict[str, Any] = {}
        self.gauge = Gauge()

    def task(
        self,
        engine: str,
        n: int,
        *,
        kind: str = "nyc",
        eps_m: float = 50.0,
        min_samples: int = 10,
        threads: int = 1,
        copies: int = 1,
    ) -> dict[str, Any]:
        """Describe a trial, making its points if they are not there yet."""
        file = self.folder / f"{kind}-{n}.npy"
        if not file.exists():
            np.save(file, np.ascontiguousarray(KINDS[kind](n)))
        return {
            "engine": engine,
            "n": n,
            "file": str(file),
            "eps_m": eps_m,
            "min_samples": min_samples,
            "threads": threads,
            "copies": copies,
        }

    def compare(self, name: str, tasks: dict[str, dict[str, Any]], patience: int = 1) -> dict[str, Any]:
        """Run tasks in turns; store and return, for each, the medians and every round's CPU and wall seconds.

        With patience rounds are repeated until enough were quiet, up to so many times as many; the quietest two thirds
        count.
        """
        rounds: list[tuple[float, dict[str, dict[str, Any]]]] = []
        while len(rounds) < self.rounds * patience and self.quiet(rounds) < self.rounds:
            trials = {key: run(task, self.gauge) for key, task in tasks.items()}
            rounds.append((max(t["noise"] for t in trials.values()), trials))
        rounds.sort(key=lambda found: found[0])
        chosen = [trials for _, trials in rounds[: max(self.rounds, 2 * len(rounds) // 3)]]
        left_out = len(rounds) - len(chosen)
        result = {key: self.row(task, [trials[key] for trials in chosen], left_out) for key, task in tasks.items()}
        self.found[name] = result
        for key, row in result.items():
            print(
                f"{name:>24} {key:<16} cpu {row['cpu_s']:8.3f} s  wall {row['wall_s']:8.3f} s  "
                f"{row['working_bytes_a_point']:6.1f} B/point  peak {row['peak_mb']:6.0f} MB  "
                f"noise {row['noise']:.2f}, {left_out} rounds left out",
                file=sys.stderr,
                flush=True,
            )
        return result

    def quiet(self, rounds: list[tuple[float, Any]]) -> int:
        """Count the rounds in which the machine did nothing else."""
        return sum(self.gauge.is_quiet(noise) for noise, _ in rounds)

    def row(self, task: dict[str, Any], found: list[dict[str, Any]], left_out: int) -> dict[str, Any]:
        """Boil the trials of one task down."""
        fields = ("cpu_s", "wall_s", "peak_mb", "working_bytes_a_point")
        return {
            **{field: statistics.median(t[field] for t in found) for field in fields},
            "n": task["n"],
            "n_clusters": found[0]["n_clusters"],
            "sha256": found[0]["sha256"],
            "rounds": [[t["cpu_s"], t["wall_s"]] for t in found],
            "noise": max(t["noise"] for t in found) / self.gauge.best,
            "left_out": left_out,
        }

    def sizes(self, *sizes: int) -> list[int]:
        """Leave out the sizes beyond the limit."""
        return [n for n in sizes if n <= self.limit]


def run(task: dict[str, Any], gauge: Gauge) -> dict[str, Any]:
    """Run a trial in a child, or its copies at the same time; return the slowest, and how busy the machine was."""
    command = [sys.executable, str(HERE / "dbscan_trial.py"), json.dumps(task)]
    children = [
        subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True, env=os.environ | ALONE)
        for _ in range(task["copies"])
    ]
    for child in children:
        cast("IO[str]", child.stdout).readline()  # until it is ready
    before, stolen = gauge.read(), stolen_s()
    for child in children:
        with contextlib.suppress(BrokenPipeError):  # it has failed
            print(file=child.stdin, flush=True)
    results: list[dict[str, Any]] = []
    for child in children:
        told, errors = child.communicate()
        if child.returncode:
            raise SystemExit(f"{task['engine']} failed: {errors.strip().splitlines()[-1:]}")
        results.append(json.loads(told))
    stolen = stolen_s() - stolen
    slowest = max(results, key=lambda result: float(result["wall_s"]))
    return slowest | {"noise": max(before, gauge.read()) * (1 + stolen / slowest["wall_s"])}


def suite(bench: Bench, name: str) -> None:  # noqa: C901 (a list of what is measured)
    """Run one suite."""
    if name == "peers":
        for n in bench.sizes(100_000, 1_000_000, 5_000_000):
            bench.compare(f"peers-{n}", {e: bench.task(e, n) for e in ("cabstand", "dbscan")})
    elif name == "settings":
        for n in bench.sizes(100_000, 1_000_000):
            for eps_m, m in SETTINGS:
                tasks = {e: bench.task(e, n, eps_m=eps_m, min_samples=m) for e in ("cabstand", "dbscan")}
                bench.compare(f"settings-{n}-{eps_m:g}-{m}", tasks)
    elif name == "sklearn":
        n = bench.sizes(100_000, 1_000_000)[-1]
        bench.compare(f"sklearn-{n}", {e: bench.task(e, n) for e in ("cabstand", "scikit-learn")})
    elif name in ("radix", "reference"):
        for n in bench.sizes(5_000_000, *([22_000_000] if name == "reference" else [])):
            bench.compare(f"{name}-{n}", {e: bench.task(e, n) for e in ("cabstand", name)}, PATIENCE)
    elif name == "threads":
        for n in bench.sizes(1_000_000, 5_000_000, 22_000_000):
            tasks = {f"{t}": bench.task("cabstand", n, threads=t) for t in (1, 2)}
            tasks["two at once"] = bench.task("cabstand", n, copies=2)
            bench.compare(f"threads-{n}", tasks, PATIENCE)
    elif name == "worst":
        n = bench.sizes(100_000, 1_000_000)[-1]
        bench.compare(f"worst-{n}", {k: bench.task("cabstand", n, kind=k) for k in ("nyc", *WORST)})
    elif name == "growth":
        growth(bench)


def growth(bench: Bench) -> None:
    """Run cities side by side, and cities spread over the Earth if there may be more than one."""
    sizes = bench.sizes(1_000_000, 2_000_000, 5_000_000, 10_000_000, 22_000_000)
    bench.compare("growth", {str(n): bench.task("cabstand", n, kind="cities") for n in sizes}, PATIENCE)
    sizes = bench.sizes(5_000_000, 20_000_000, 50_000_000, 100_000_000)
    if len(sizes) > 1:
        tasks = {f"{n}, {t}": bench.task("cabstand", n, kind="spread", threads=t) for n in sizes for t in (1, 2)}
        bench.compare("growth-spread", tasks)


def report(file: Path, page: Path, measured: dict[str, Any]) -> list[Figure]:
    """Write what was measured beside what other suites measured earlier, picture and tables; return the new figures."""
    earlier = json.loads(file.read_text())["trials"] if file.exists() else {}
    trials = earlier | measured
    rows = {
        f.name: {"value": f.value, "at_least": f.least, "at_most": f.most, "holds": f.holds()} for f in figures(trials)
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"schema_version": 2, "figures": rows, "trials": trials}, indent=1) + "\n")
    draw(trials, file.with_suffix(".png"))
    if page.exists():
        fill(page, {name: tables(name, own) for name, own in by_suite(measured).items()})
    return figures(measured)


def tables(suite: str, trials: Trials) -> list[str]:
    """Return the lines of a suite's tables; the first call's have no trials to list."""
    return figure_table(figures(trials)) if suite == "first" else table(trials, COLUMNS, figures(trials))


def main() -> None:
    """Measure the suites asked for, and keep the others' earlier figures; exit 1 if a limit is not kept."""
    chosen = options(__doc__, SUITES, 100_000_000)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(chosen.points or Path(folder), chosen.rounds, chosen.limit)
        bench.folder.mkdir(parents=True, exist_ok=True)
        for name in chosen.suites or [s for s in SUITES if s != "reference" or "BENCH_REFERENCE" in os.environ]:
            if name == "first":
                bench.found[name] = measure(bench.rounds)
            else:
                suite(bench, name)
            # After each: a run cut short keeps what it has.
            found = report(chosen.out / "dbscan.json", chosen.out.parent / PAGE, bench.found)
    end(found)


if __name__ == "__main__":
    main()
