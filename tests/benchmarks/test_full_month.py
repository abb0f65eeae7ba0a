"""`make bench-train`: a month of 3.3 million synthetic rides, by the linear path alone and by the whole training job.

Each runs in a process of its own, so that CPU time and peak memory are its own too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 3_316_216
GIB = 1 << 20  # ru_maxrss is in KiB

LINEAR = """
import json, resource, sys, time
import numpy as np
from cabstand.modelling.coded import fit_one_hot

n = int(sys.argv[1])
rng = np.random.default_rng(0)
blocks = [rng.integers(1, 264, n), rng.integers(1, 264, n)]
minutes = rng.uniform(1, 60, n)
fit_one_hot([block[:1_000] for block in blocks], minutes[:1_000], [264, 264])
before, cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
fit_one_hot(blocks, minutes, [264, 264])
cpu = time.process_time() - cpu
print(json.dumps({"cpu_s": cpu, "grown_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before}))
"""


def rides(path: Path, n: int) -> Path:
    """Canonical trips of one month: crowded zones and rare ones, minutes that follow zones and hour."""
    rng = np.random.default_rng(0)
    pickup, dropoff = np.minimum(rng.geometric(0.02, (2, n)), 265).astype(np.int32)
    seconds = np.sort(rng.integers(0, 31 * 86_400, n))
    minutes = 4 + np.abs(pickup - dropoff) * 0.15 + 3 * np.sin(seconds / 86_400 * 2 * np.pi) + rng.gamma(2, 3, n)
    at = np.datetime64("2023-03-01", "us") + seconds.astype("m8[s]")
    table = {
        "pickup_at": pa.array(at),
        "dropoff_at": pa.array(at + (minutes.clip(1.5, 59) * 60).astype("m8[s]")),
        "pickup_zone": pa.array(pickup),
        "dropoff_zone": pa.array(dropoff),
    }
    pq.write_table(pa.table(table), path)
    return path


@pytest.mark.bench
def test_the_linear_path() -> None:
    words = [sys.executable, "-c", LINEAR, str(ROWS)]
    told = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    print(f"\nlinear path, {ROWS:,} rows: {told['cpu_s']:.2f} s CPU, {told['grown_kib'] / 1024:.0f} MiB above baseline")
    assert told["cpu_s"] < 4
    assert told["grown_kib"] < GIB


@pytest.mark.bench
def test_the_whole_training_job(tmp_path: Path) -> None:
    month = rides(tmp_path / "month.parquet", ROWS)
    words = [sys.executable, "-m", "cabstand", "train", "--problem", "trip-duration", "--input", str(month)]
    log = (tmp_path / "log").open("w")
    child = subprocess.Popen(
        [*words, "--no-track"], stdout=log, stderr=log, env=os.environ | {"CABSTAND_HOME": str(tmp_path / "home")}
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    log.close()
    assert child.returncode == 0, (tmp_path / "log").read_text()[-2_000:]
    print(f"\ntraining, {ROWS:,} rows: {used.ru_maxrss / GIB:.2f} GiB peak, {used.ru_utime + used.ru_stime:.0f} s CPU")
    assert used.ru_maxrss < 8 * GIB
