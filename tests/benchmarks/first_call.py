"""What the first call costs: ``python tests/benchmarks/first_call.py`` prints JSON.

Each trial is a new process, timed from its start to the labels of 3,000 points: the interpreter, ``import cabstand``,
numba, and either compiling (an empty folder) or loading what a process before it compiled.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
CALL = """
import sys
from pathlib import Path
from cabstand.clustering.kernels import store
store.folders = lambda: [Path(sys.argv[1])]  # and not beside the package, where an installation may have compiled
import numpy as np
from cabstand import GeoDBSCAN
points = np.random.default_rng(0).uniform(0, 0.02, (3000, 2)) + (40.7, -74.0)
GeoDBSCAN(eps_m=50, min_samples=10).fit(points)
"""


def call_s(folder: str) -> float:
    """Time one process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", CALL, folder], check=True)
    return time.perf_counter() - start


def measure(rounds: int = ROUNDS) -> dict[str, float]:
    """Median seconds of a process that compiles and of one that finds everything compiled."""
    cold, warm = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(call_s(str(Path(folder) / "compiled")))
            warm.append(call_s(str(Path(folder) / "compiled")))
    return {"compiling_s": statistics.median(cold), "compiled_before_s": statistics.median(warm)}


if __name__ == "__main__":
    print(json.dumps(measure()))
