"""What the clustering promises, as figures of the trials beside their limits."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

CPU, WALL = 0, 1
TIMES_LESS = {"peers-100000": 3.5, "peers-1000000": 6.5, "peers-5000000": 10.0}
BYTES_A_POINT = {"threads-5000000": 24.0, "threads-22000000": 16.0}
TIMES_FASTER = {"threads-5000000": 1.5, "threads-22000000": 1.75}
RADIX_PASSES = 6.5
REFERENCE = {"reference-22000000": 0.85}
WORST_CPU, WORST_MEMORY = 5.0, 3.0
SCIKIT_LEARN = {"sklearn-1000000": 200.0}
EXPONENT = 1.02
SPREAD_EXPONENT = 1.05
SPREAD_WALL = 0.6  # of one thread's, with two
SPREAD_CPU = 1.1  # of two threads', with one: the machine's noise, and no more
FIRST_CALL_S = 2.0


class Figure(NamedTuple):
    """A figure and its limits; None where nothing is promised at that size."""

    name: str
    value: float
    least: float | None = None
    most: float | None = None

    def holds(self) -> bool:
        """Tell whether the figure keeps its limits; NaN keeps none."""
        low = -math.inf if self.least is None else self.least
        high = math.inf if self.most is None else self.most
        return low <= self.value <= high


def limit(figure: Figure) -> str:
    """Tell the limit of a figure, and whether it is missed."""
    told = "" if figure.least is None else f"at least {figure.least:g}"
    told += "" if figure.most is None else f"at most {figure.most:g}"
    return told + ("" if figure.holds() else ", DOES NOT HOLD")


def ratio(result: Mapping[str, Any], above: str, below: str, field: int = CPU) -> float:
    """Median of the paired ratios of two tasks' CPU or wall seconds."""
    pairs = zip(result[above]["rounds"], result[below]["rounds"], strict=True)
    return statistics.median(a[field] / b[field] for a, b in pairs)


def figures(trials: Mapping[str, Mapping[str, Any]]) -> list[Figure]:
    """Boil trials down to the figures that are promised."""
    return [figure for name, result in trials.items() for figure in _RULES[name.partition("-")[0]](name, result)]


def _peers(name: str, result: Mapping[str, Any]) -> Iterator[Figure]:
    yield Figure(f"times less CPU than dbscan: {name}", ratio(result, "dbscan", "cabstand"), TIMES_LESS.get(name))


def _settings(name: str, result: Mapping[str, Any]) -> Iterator[Figure]:
    yield Figure(f"times less CPU than dbscan: {name}", ratio(result, "dbscan", "cabstand"), 1.0)


def _sklearn(name: str, result: Mapping[str, Any]) -> Iterator[Figure]:
    value = ratio(result, "scikit-learn", "cabstand")
    yield Figure(f"times less CPU than scikit-learn: {name}", value, SCIKIT_LEARN.get(name))


def _radix(name: str, result: Mapping[str, Any]) -> Iterator[Figure]:
    yield Figure(f"radix passes: {name}", ratio(result, "cabstand", "radix"), most=RADIX_PASSES)


def _reference(name: str, result: Mapping[str, Any]) -> Iterator[Figure]:
    value = ratio(result, "cabstand", "reference")
    yield Figure(f"share of the reference's CPU: {name}", value, most=REFERENCE.get(name))


def _threads(name: str, result: Mapping[str, Any]) -> Iterator[Figure]:
    yield Figure(f"two threads, times faster: {name}", ratio(result, "1", "2", WALL), TIMES_FASTER.get(name))
    # Processors share caches and memory, with the machine's other tenants too: two runs that have nothing to do with
    # each other show how much of this work two of them can do.
    yield Figure(f"two runs at once, times the work of one: {name}", 2 * ratio(result, "1", "two at once", WALL))
    share = ratio(result, "two at once", "2", WALL) / 2
    yield Figure(f"two threads, share of that: {name}", share)
    same = result["1"]["sha256"] == result["2"]["sha256"]
    yield Figure(f"two threads, same labels: {name}", float(same), 1.0)
    for threads in ("1", "2"):
        bytes_a_point = result[threads]["working_bytes_a_point"]
        yield Figure(f"bytes a point, {threads} thread(s): {name}", bytes_a_point, most=BYTES_A_POINT.get(name))


def _worst(name: str, result: Mapping[str, Any]) -> Iterator[Figure]:
    for kind in result:
        if kind != "nyc":
            yield Figure(f"CPU, times ordinary points: {kind}", ratio(result, kind, "nyc"), most=WORST_CPU)
            memory = result[kind]["peak_mb"] / result["nyc"]["peak_mb"]
            yield Figure(f"memory, times ordinary points: {kind}", memory, most=WORST_MEMORY)


def _growth(name: str, result: Mapping[str, Any]) -> Iterator[Figure]:
    if name == "growth":
        yield Figure("growth exponent", exponent(result.values()), most=EXPONENT)
        return
    yield Figure(
        "growth exponent, cities spread over the Earth",
        exponent(row for run, row in result.items() if run.endswith(", 1")),
        most=SPREAD_EXPONENT,
    )
    for one in (run for run in result if run.endswith(", 1")):
        two = one[:-1] + "2"
        n = f"{result[one]['n']:,} points"
        yield Figure(f"two threads, share of one's time: {n}", ratio(result, two, one, WALL), most=SPREAD_WALL)
        yield Figure(f"one thread, times two's CPU: {n}", ratio(result, one, two), most=SPREAD_CPU)
        same = result[one]["sha256"] == result[two]["sha256"]
        yield Figure(f"two threads, same labels: {n}", float(same), 1.0)


def exponent(rows: Iterable[dict[str, Any]]) -> float:
    """Return the power of the number of points with which CPU time grows."""
    sizes, seconds = zip(*((row["n"], row["cpu_s"]) for row in rows), strict=True)
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def _first(name: str, result: Mapping[str, Any]) -> Iterator[Figure]:
    yield Figure("first call that compiles, seconds", result["compiling_s"])
    yield Figure("first call, compiled before, seconds", result["compiled_before_s"], most=FIRST_CALL_S)


_RULES = {
    "peers": _peers,
    "settings": _settings,
    "sklearn": _sklearn,
    "radix": _radix,
    "reference": _reference,
    "threads": _threads,
    "worst": _worst,
    "growth": _growth,
    "first": _first,
}
