"""`make bench-service`: the service beside a bare route and beside scikit-learn, in turn, in one run.

Three servers, one uvicorn worker each, asked by wrk over 64 connections: a plain FastAPI route that returns a constant;
the service with keys, logs and metrics on; a plain FastAPI route that asks the same estimators in scikit-learn. Then
the function's handler in this process: one row, and 1,000 rows.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import service_model

from lambda_events import ROW, event
from serving import PREDICT, free_port, get, make_key, serving

CONNECTIONS = 64
PLAIN = ["uvicorn", "--host", "127.0.0.1", "--no-access-log", "--log-level", "warning"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--skip-wrk", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        service_model.publish(home)
        from cabstand.settings import Settings

        key = make_key(Settings(home=home))
        told = {} if given.skip_wrk else under_load(home, key, given.seconds)
        told |= in_process(home, key)
    print(json.dumps(told))
    sys.exit(not told["passed"] if "passed" in told else 0)


def under_load(home: Path, key: str, seconds: int) -> dict[str, object]:
    """Return requests a second of the three servers."""
    if shutil.which("wrk") is None:
        sys.exit("error: wrk is missing (apt-get install wrk)")
    script = home / "post.lua"
    script.write_text(
        f'wrk.method = "POST"\nwrk.body = [[{json.dumps(ROW)}]]\n'
        f'wrk.headers["content-type"] = "application/json"\nwrk.headers["x-api-key"] = "{key}"\n'
    )
    with plain("bare", home) as bare:
        bare_rate = wrk(f"{bare}/bare", seconds)
    with serving(home, home / "server.log") as server:
        ours = wrk(f"{server.url}{PREDICT}", seconds, script)
        text = get(f"{server.url}/metrics", x_api_key=key)[1].decode()
        dropped = int(re.findall(r"^cabstand_log_dropped (\d+)", text, re.MULTILINE)[0])
        server.stop()
    with plain("sklearn", home) as slow:
        slow_rate = wrk(f"{slow}/predict", seconds, script)
    told = {
        "bare_per_s": bare_rate["rate"], "ours_per_s": ours["rate"], "sklearn_per_s": slow_rate["rate"],
        "share_of_bare": round(ours["rate"] / bare_rate["rate"], 2),
        "times_sklearn": round(ours["rate"] / slow_rate["rate"], 1),
        "errors": ours["errors"], "p99_ms": ours["p99_ms"], "log_dropped": dropped,
    }  # fmt: skip
    return told | {"passed": told["share_of_bare"] >= 0.5 and told["times_sklearn"] >= 10 and not ours["errors"]}


@contextmanager
def plain(which: str, home: Path) -> Iterator[str]:
    """Run one of the two plain servers of `service_model`."""
    port = free_port()
    command = [sys.executable, "-m", *PLAIN, "--port", str(port), f"service_model:{which}"]
    # Threads of scikit-learn's own would fight for the cores with wrk.
    env = os.environ | {
        "BENCH_HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"tests{os.pathsep}tests/benchmarks",
    }
    process = subprocess.Popen(command, env=env)
    try:
        for _ in range(400):
            try:
                get(f"http://127.0.0.1:{port}/")
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def wrk(url: str, seconds: int, script: Path | None = None) -> dict[str, float]:
    """Return rate, errors and p99 of one run, after a short warm-up."""
    words = ["-t", "1", "-c", str(CONNECTIONS), "--latency", *(["-s", str(script)] if script else []), url]
    subprocess.run(["wrk", "-d", "2s", *words], capture_output=True, check=True)
    out = subprocess.run(["wrk", "-d", f"{seconds}s", *words], capture_output=True, text=True, check=True).stdout
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", out)[0])
    value, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", out)[0]
    refused = re.findall(r"Non-2xx or 3xx responses: (\d+)", out)
    broken = re.findall(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    errors = sum(map(int, refused)) + sum(int(n) for each in broken for n in each)
    return {"rate": rate, "errors": errors, "p99_ms": float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]}


def in_process(home: Path, key: str) -> dict[str, float]:
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


def medians(handler: Any, bare: Any, key: str) -> dict[str, float]:
    """Return the median of each kind of call in microseconds."""
    headers = {"x-api-key": key}
    one = event("POST", PREDICT, ROW, **headers)
    many = event("POST", f"{PREDICT}/batch", {"rows": [ROW] * 1000}, **headers)
    get_bare = event("GET", "/bare")
    times: dict[str, list[float]] = {"bare": [], "one": [], "many": []}
    for n in range(2_200):
        calls = [("bare", bare, get_bare), ("one", handler, one)] + ([("many", handler, many)] if n % 20 == 0 else [])
        for name, call, sent in calls:
            started = time.perf_counter()
            assert call(sent, None)["statusCode"] == 200
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values[len(values) // 10 :]) * 1e6 for name, values in times.items()}


if __name__ == "__main__":
    main()
