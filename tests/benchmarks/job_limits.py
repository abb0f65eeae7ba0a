"""What whole jobs promise, as figures of the trials beside their limits."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from dbscan_limits import CPU, WALL, Figure, ratio

FLOOR_CPU, FLOOR_MEMORY = 2.0, 1.1
TWO_THREADS_CLUSTER, TWO_THREADS_INGEST = 0.7, 0.65
TRACKING_S = 2.0
EXPONENT = 1.05
LARGEST_MB = {22_000_000: 3_000.0}
SWEEP_S = {"sweep-1000000": 14.8}  # a fifth of what it took when every setting was a job of its own
DUCKDB_CPU, INGEST_MB = 1.0, 400.0
DISTRIBUTED_CPU, WORKER_MEMORY = 4.0, 0.5


def figures(trials: Mapping[str, Mapping[str, Any]]) -> list[Figure]:
    """Boil trials down to the figures that are promised."""
    return [figure for name, result in trials.items() for figure in _RULES[name.partition("-")[0]](name, result)]


def _cluster(name: str, result: Mapping[str, Any]) -> Iterator[Figure]:
    yield Figure(f"times the floor's CPU: {name}", ratio(result, "one thread", "floor"), most=FLOOR_CPU)
    yield Figure(f"times the floor's memory: {name}", _memory(result, "one thread", "floor"), most=FLOOR_MEMORY)
    wall = ratio(result, "two threads", "one thread", WALL)
    yield Figure(f"two threads, share of one's wall time: {name}", wall, most=TWO_THREADS_CLUSTER)
    pairs = zip(result["tracked"]["rounds"], result["one thread"]["rounds"], strict=True)
    yield Figure(f"tracking, s of CPU: {name}", statistics.median(a[CPU] - b[CPU] for a, b in pairs), most=TRACKING_S)


def _growth(_: str, result: Mapping[str, Any]) -> Iterator[Figure]:
    rows = list(result.values())
    exponent = np.polyfit(np.log([row["n"] for row in rows]), np.log([row["cpu_s"] for row in rows]), 1)[0]
    yield Figure("cluster's growth exponent", float(exponent), most=EXPONENT)
    for row in rows:
        if row["n"] in LARGEST_MB:
            yield Figure(f"MB: growth-{row['n']}", row["peak_mb"], most=LARGEST_MB[row["n"]])


def _sweep(name: str, result: Mapping[str, Any]) -> Iterator[Figure]:
    yield Figure(f"s of CPU: {name}", result["one thread"]["cpu_s"], most=SWEEP_S.get(name))
    yield Figure(f"times the CPU of 30 fits: {name}", ratio(result, "one thread", "30 fits"))
    yield Figure(f"two threads, share of one's wall time: {name}", ratio(result, "two threads", "one thread", WALL))


def _ingest(name: str, result: Mapping[str, Any]) -> Iterator[Figure]:
    yield Figure(f"times DuckDB's CPU: {name}", ratio(result, "one core", "DuckDB"), most=DUCKDB_CPU)
    yield Figure(f"MB: {name}", result["one core"]["peak_mb"], most=INGEST_MB)
    wall = ratio(result, "two cores", "one core", WALL)
    yield Figure(f"two cores, share of one's wall time: {name}", wall, most=TWO_THREADS_INGEST)


def _distributed(name: str, result: Mapping[str, Any]) -> Iterator[Figure]:
    cpu = ratio(result, "two workers", "one machine")
    yield Figure(f"times one machine's CPU: {name}", cpu, most=DISTRIBUTED_CPU)
    memory = result["two workers"]["worker_mb"] / result["one machine"]["peak_mb"]
    yield Figure(f"a worker's memory, share of one machine's: {name}", memory, most=WORKER_MEMORY)


def _memory(result: Mapping[str, Any], above: str, below: str) -> float:
    return float(result[above]["peak_mb"] / result[below]["peak_mb"])


_RULES = {
    "cluster": _cluster,
    "growth": _growth,
    "sweep": _sweep,
    "ingest": _ingest,
    "distributed": _distributed,
}
