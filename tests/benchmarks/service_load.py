"""Load for the service's benchmark: wrk, and the plain servers that it is sent to for comparison."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serving import PREDICT, free_port, get

CONNECTIONS = 64
WARM_UP_S = 2
PLAIN = ["uvicorn", "--host", "127.0.0.1", "--no-access-log", "--log-level", "warning"]
SCRIPT = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["x-api-key"] = "{key}"
local bodies = {{{bodies}}}
local requests, at = {{}}, 0
init = function()
  for i, body in ipairs(bodies) do requests[i] = wrk.format(nil, nil, nil, body) end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
"""


def write_script(path: Path, rows: Sequence[dict[str, Any]], key: str) -> None:
    """Write what makes wrk send these rows in turn."""
    bodies = ",".join(f"[[{json.dumps(row)}]]" for row in rows)
    path.write_text(SCRIPT.format(key=key, bodies=bodies))


@contextmanager
def plain(which: str, home: Path) -> Iterator[str]:
    """Run a plain server, named as uvicorn does (`module:app`)."""
    port = free_port()
    command = [sys.executable, "-m", *PLAIN, "--port", str(port), which]
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


def answers(url: str, rows: Sequence[dict[str, Any]], key: str) -> list[list[float]]:
    """Return point, low and high of each row."""
    found = []
    headers = {"content-type": "application/json", "x-api-key": key}
    for row in rows:
        request = urllib.request.Request(url, json.dumps(row).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            reply = json.loads(answer.read())
        reply = reply["answer"] if url.endswith(PREDICT) else reply
        found.append([reply.get("point", reply.get("duration_min")), reply["low"], reply["high"]])
    return found


def wrk(url: str, seconds: int, script: Path | None = None) -> dict[str, float]:
    """Return rate, errors and p99 of one run, after a short warm-up."""
    if shutil.which("wrk") is None:
        sys.exit("error: wrk is missing (apt-get install wrk)")
    words = ["-t", "1", "-c", str(CONNECTIONS), "--latency", *(["-s", str(script)] if script else []), url]
    subprocess.run(["wrk", "-d", f"{WARM_UP_S}s", *words], capture_output=True, check=True)
    out = subprocess.run(["wrk", "-d", f"{seconds}s", *words], capture_output=True, text=True, check=True).stdout
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", out)[0])
    value, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", out)[0]
    refused = re.findall(r"Non-2xx or 3xx responses: (\d+)", out)
    broken = re.findall(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    errors = sum(map(int, refused)) + sum(int(n) for each in broken for n in each)
    return {"rate": rate, "errors": errors, "p99_ms": float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]}
