"""`make bench-service`: the service beside a bare route and beside scikit-learn, in turn, with limits that fail.

The function's handler in this process, one row and 1,000 rows, each paired with a bare route through the same adapter;
hotspots among a million core points; then four servers, one uvicorn worker each, asked by wrk over 64 connections: a
plain FastAPI route that returns a constant; the service with keys, logs and metrics on; and two plain FastAPI routes
that give the same answers by the same estimators in scikit-learn, once as it is usually served (`service_sklearn`: a
pipeline whose features pandas makes), which has a limit, and once with nothing but the estimators (`direct`), which is
a figure alone. No two rows that are sent are alike: a processor learns a repeated row by heart.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import service_load
import service_model

from lambda_events import event
from serving import PREDICT, get, make_key, serving

N_ROWS = 1_000
N_COMPARED, TOLERANCE_MIN = 50, 1e-3
SKLEARN = {"sklearn": "service_sklearn:app", "sklearn_direct": "service_model:direct"}
# Limits of each figure: (smallest, largest).
LIMITS = {
    "one_over_bare": (0.0, 2.5),
    "batch_over_one": (0.0, 30.0),
    "hotspot_us_a_point": (0.0, 50.0),
    "share_of_bare": (0.4, np.inf),
    "times_sklearn": (10.0, np.inf),
    "errors": (0, 0),
}
Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=30, help="of each load")
    parser.add_argument("--rounds", type=int, default=5, help="of the servers in turn")
    parser.add_argument("--only", choices=["process", "hotspots", "load"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        figures: Figures = {**service_model.publish(home)}
        from cabstand.settings import Settings

        key = make_key(Settings(home=home))
        if given.only in {None, "load"}:
            figures |= under_load(home, key, given.seconds, given.rounds)
        if given.only in {None, "hotspots"}:
            figures |= hotspots()
        if given.only in {None, "process"}:
            figures |= in_process(home, key)
    print(json.dumps(figures))
    wrong = [name for name, (low, high) in LIMITS.items() if name in figures and not low <= figures[name] <= high]
    for name in wrong:
        print(f"{name} is {figures[name]}, not from {LIMITS[name][0]} to {LIMITS[name][1]}", file=sys.stderr)
    sys.exit(bool(wrong))


def rows(n: int) -> list[dict[str, Any]]:
    """Return `n` rides between any zones at any time of a quarter."""
    rng = np.random.default_rng(1)
    at = np.datetime64("2023-01-01") + rng.integers(0, 7_000_000, n).astype("m8[s]")
    zones = rng.integers(1, 264, (n, 2)).tolist()
    return [
        {"pickup_zone": pickup, "dropoff_zone": dropoff, "pickup_at": str(moment)}
        for (pickup, dropoff), moment in zip(zones, at, strict=True)
    ]


def under_load(home: Path, key: str, seconds: int, rounds: int) -> Figures:
    """Return requests a second of the four servers, medians over the rounds of figures paired within each."""
    script = home / "post.lua"
    service_load.write_script(script, rows(N_ROWS), key)
    found: dict[str, list[Figures]] = {name: [] for name in ("bare", "ours", *SKLEARN)}
    for _ in range(rounds):
        with service_load.plain("service_model:bare", home) as url:
            found["bare"].append(service_load.wrk(f"{url}/bare", seconds))
        with serving(home, home / "server.log") as server:
            ours = service_load.answers(f"{server.url}{PREDICT}", rows(N_COMPARED), key)
            found["ours"].append(service_load.wrk(f"{server.url}{PREDICT}", seconds, script))
            text = get(f"{server.url}/metrics", x_api_key=key)[1].decode()
            server.stop()
        for name, which in SKLEARN.items():
            with service_load.plain(which, home) as url:
                theirs = service_load.answers(f"{url}/predict", rows(N_COMPARED), key)
                np.testing.assert_allclose(theirs, ours, atol=TOLERANCE_MIN)
                found[name].append(service_load.wrk(f"{url}/predict", seconds, script))
    rate = {name: [one["rate"] for one in each] for name, each in found.items()}
    return {f"{name}_per_s": statistics.median(each) for name, each in rate.items()} | {
        "share_of_bare": round(_ratio(rate["ours"], rate["bare"]), 3),
        "times_sklearn": round(_ratio(rate["ours"], rate["sklearn"]), 1),
        "times_sklearn_direct": round(_ratio(rate["ours"], rate["sklearn_direct"]), 1),
        "errors": sum(one["errors"] for one in found["ours"]),
        "p99_ms": statistics.median(one["p99_ms"] for one in found["ours"]),
        "log_dropped": int(re.findall(r"^cabstand_log_dropped (\d+)", text, re.MULTILINE)[0]),
    }


def _ratio(above: list[float], below: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def hotspots() -> Figures:
    """Return microseconds a point, in batches, among a million core points of 400 crowds and over the whole city."""
    from cabstand.clustering.core_index import CoreIndex

    rng = np.random.default_rng(0)
    centres = rng.uniform((40.5, -74.2), (40.9, -73.7), (400, 2))
    cluster = rng.integers(0, 400, 1_000_000)
    index = CoreIndex.build(centres[cluster] + rng.normal(0, 0.002, (len(cluster), 2)), cluster, 50.0)
    near = index.points[rng.integers(0, len(index), 20_000)] + rng.normal(0, 3e-4, (20_000, 2))
    asked = np.concatenate([near, rng.uniform((40.5, -74.2), (40.9, -73.7), (20_000, 2))])
    rng.shuffle(asked)
    times = []
    for first in range(0, len(asked), N_ROWS):
        started = time.perf_counter()
        index.query(asked[first : first + N_ROWS])
        times.append(time.perf_counter() - started)
    return {"hotspot_core_points": len(index), "hotspot_us_a_point": round(statistics.median(times) / N_ROWS * 1e6, 2)}


def in_process(home: Path, key: str) -> Figures:
    """Return medians of the handler in this process, in microseconds, each paired with a bare route."""
    os.environ |= {"CABSTAND_HOME": str(home), "AWS_LAMBDA_FUNCTION_NAME": "bench", "CABSTAND_LOG_LEVEL": "WARNING"}
    from mangum import Mangum

    from cabstand.api.aws import lambda_handler

    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        handler, bare = lambda_handler(), Mangum(service_model.bare, lifespan="off")
        p50 = medians(handler, bare, key)
    return {
        "warm_bare_us": round(p50["bare"]), "warm_one_us": round(p50["one"]), "warm_1000_us": round(p50["many"]),
        "one_over_bare": round(p50["one"] / p50["bare"], 2), "batch_over_one": round(p50["many"] / p50["one"], 1),
    }  # fmt: skip


def medians(handler: Any, bare: Any, key: str) -> Figures:
    """Return the median of each kind of call in microseconds."""
    sent = rows(N_ROWS)
    each = [event("POST", PREDICT, row, **{"x-api-key": key}) for row in sent]
    many = event("POST", f"{PREDICT}/batch", {"rows": sent}, **{"x-api-key": key})
    get_bare = event("GET", "/bare")
    times: dict[str, list[float]] = {"bare": [], "one": [], "many": []}
    for n in range(4_400):
        calls = [("bare", bare, get_bare), ("one", handler, each[n % N_ROWS])]
        for name, call, given in calls + ([("many", handler, many)] if n % 40 == 0 else []):
            asked = dict(given)
            started = time.perf_counter()
            assert call(asked, None)["statusCode"] == 200
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values[len(values) // 10 :]) * 1e6 for name, values in times.items()}


if __name__ == "__main__":
    main()
