"""Measures the clustering: ``make bench`` (all of it) or ``python tests/benchmarks/bench_dbscan.py peers worst``.

Every trial is a process of its own, and the engines of a comparison take turns, so that what else the machine does
falls on all of them. Medians of the rounds are reported, ratios are medians of paired ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from dbscan_points import KINDS, WORST

HERE = Path(__file__).resolve().parent
OUT = HERE.parents[1] / "docs" / "bench"
ALONE = {"PARLAY_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
SETTINGS = ((100.0, 100), (25.0, 500), (200.0, 500))
SUITES = ("peers", "settings", "sklearn", "radix", "threads", "worst", "growth", "reference")


class Bench:
    """Runs trials on points that are made once a size."""

    def __init__(self, folder: Path, rounds: int, limit: int) -> None:
        self.folder, self.rounds, self.limit = folder, rounds, limit
        self.found: dict[str, Any] = {}

    def task(
        self, engine: str, n: int, *, kind: str = "nyc", eps_m: float = 50.0, min_samples: int = 10, threads: int = 1
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
        }

    def compare(self, name: str, tasks: dict[str, dict[str, Any]], rounds: int | None = None) -> dict[str, Any]:
        """Run tasks in turns; store and return, for each, the medians and every round's CPU and wall seconds."""
        trials: dict[str, list[dict[str, Any]]] = {key: [] for key in tasks}
        for _ in range(rounds or self.rounds):
            for key, task in tasks.items():
                trials[key].append(run(task))
        result = {
            key: {
                field: statistics.median(t[field] for t in found)
                for field in ("cpu_s", "wall_s", "peak_mb", "working_bytes_a_point")
            }
            | {"n": tasks[key]["n"], "n_clusters": found[0]["n_clusters"], "sha256": found[0]["sha256"]}
            | {"rounds": [[t["cpu_s"], t["wall_s"]] for t in found]}
            for key, found in trials.items()
        }
        self.found[name] = result
        for key, row in result.items():
            print(
                f"{name:>24} {key:<16} cpu {row['cpu_s']:8.3f} s  wall {row['wall_s']:8.3f} s  "
                f"{row['working_bytes_a_point']:6.1f} B/point  peak {row['peak_mb']:6.0f} MB",
                file=sys.stderr,
                flush=True,
            )
        return result

    def sizes(self, *sizes: int) -> list[int]:
        """Leave out the sizes beyond the limit."""
        return [n for n in sizes if n <= self.limit]


def run(task: dict[str, Any]) -> dict[str, Any]:
    """Run one trial in a child."""
    done = subprocess.run(
        [sys.executable, str(HERE / "dbscan_trial.py"), json.dumps(task)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | ALONE,
    )
    if done.returncode:
        raise SystemExit(f"{task['engine']} failed: {done.stderr.strip().splitlines()[-1:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def ratio(result: dict[str, Any], above: str, below: str, field: int = 0) -> float:
    """Median of the paired ratios of two engines' CPU (field 0) or wall (1) seconds."""
    pairs = zip(result[above]["rounds"], result[below]["rounds"], strict=True)
    return statistics.median(a[field] / b[field] for a, b in pairs)


def suite(bench: Bench, name: str) -> None:  # noqa: C901 (a list of what is measured)
    """Run one suite."""
    if name == "peers":
        for n in bench.sizes(100_000, 1_000_000, 5_000_000):
            bench.compare(f"peers-{n}", {e: bench.task(e, n) for e in ("cabstand", "dbscan")})
    elif name == "settings":
        for n in bench.sizes(100_000, 1_000_000):
            for eps_m, m in SETTINGS:
                tasks = {e: bench.task(e, n, eps_m=eps_m, min_samples=m) for e in ("cabstand", "dbscan")}
                bench.compare(f"settings-{n}-{eps_m:g}-{m}", tasks, 3)
    elif name == "sklearn":
        n = bench.sizes(100_000, 1_000_000)[-1]
        bench.compare(f"sklearn-{n}", {e: bench.task(e, n) for e in ("cabstand", "scikit-learn")}, 1)
    elif name in ("radix", "reference"):
        for n in bench.sizes(5_000_000, *([22_000_000] if name == "reference" else [])):
            bench.compare(f"{name}-{n}", {e: bench.task(e, n) for e in ("cabstand", name)})
    elif name == "threads":
        for n in bench.sizes(1_000_000, 5_000_000, 22_000_000):
            bench.compare(f"threads-{n}", {f"{t}": bench.task("cabstand", n, threads=t) for t in (1, 2)})
    elif name == "worst":
        n = bench.sizes(100_000, 1_000_000)[-1]
        bench.compare(f"worst-{n}", {k: bench.task("cabstand", n, kind=k) for k in ("nyc", *WORST)}, 3)
    elif name == "growth":
        sizes = bench.sizes(1_000_000, 2_000_000, 5_000_000, 10_000_000, 22_000_000)
        bench.compare("growth", {str(n): bench.task("cabstand", n, kind="cities") for n in sizes}, 3)


def summary(found: dict[str, Any]) -> dict[str, float]:  # noqa: C901 (a list of what is promised)
    """Boil everything down to the figures that are promised."""
    out: dict[str, float] = {}
    for name, result in found.items():
        if name.startswith(("peers", "settings")):
            out[f"times less CPU than dbscan: {name}"] = ratio(result, "dbscan", "cabstand")
        elif name.startswith("sklearn"):
            out[f"times less CPU than scikit-learn: {name}"] = ratio(result, "scikit-learn", "cabstand")
        elif name.startswith("radix"):
            out[f"radix passes: {name}"] = ratio(result, "cabstand", "radix")
        elif name.startswith("reference"):
            out[f"share of the reference's CPU: {name}"] = ratio(result, "cabstand", "reference")
        elif name.startswith("threads"):
            out[f"two threads, times faster: {name}"] = ratio(result, "1", "2", 1)
            if result["1"]["sha256"] != result["2"]["sha256"]:
                raise SystemExit(f"{name}: the labels differ between one and two threads")
        elif name.startswith("worst"):
            for kind in WORST:
                out[f"CPU, times ordinary points: {kind}"] = ratio(result, kind, "nyc")
                out[f"memory, times ordinary points: {kind}"] = result[kind]["peak_mb"] / result["nyc"]["peak_mb"]
        elif name == "growth":
            sizes = np.log([row["n"] for row in result.values()])
            out["growth exponent"] = float(np.polyfit(sizes, np.log([r["cpu_s"] for r in result.values()]), 1)[0])
    return out


def main() -> None:
    """Measure the suites asked for, and keep the others' earlier figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", default=SUITES[:-1], choices=SUITES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=int, default=22_000_000, help="leave out larger sizes")
    parser.add_argument("--points", type=Path, help="where to keep the points between runs")
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(chosen.points or Path(folder), chosen.rounds, chosen.limit)
        bench.folder.mkdir(parents=True, exist_ok=True)
        for name in chosen.suites:
            suite(bench, name)
    chosen.out.mkdir(parents=True, exist_ok=True)
    file = chosen.out / "dbscan.json"
    earlier = json.loads(file.read_text())["trials"] if file.exists() else {}
    trials = earlier | bench.found
    file.write_text(json.dumps({"schema_version": 1, "summary": summary(trials), "trials": trials}, indent=1) + "\n")
    print(json.dumps(summary(bench.found), indent=1))


if __name__ == "__main__":
    main()
