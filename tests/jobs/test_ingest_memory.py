from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 3_000_000
LIMIT_MIB = 450
# Started by a small process: Linux hands a parent's peak on to its child, and this one's may be larger than the limit.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path):
    start = np.datetime64("2024-01-01", "us") + np.arange(ROWS) // 2 * np.timedelta64(1, "s")  # each trip stands twice
    columns = {
        "tpep_pickup_datetime": start,
        "tpep_dropoff_datetime": start + np.timedelta64(600, "s"),
        "trip_distance": np.full(ROWS, 1.5),
        "PULocationID": np.full(ROWS, 161),
        "DOLocationID": np.full(ROWS, 237),
    }
    source = tmp_path / "yellow.parquet"
    pq.write_table(pa.table(columns), source, row_group_size=ROWS, use_dictionary=False, compression="none")
    command = [sys.executable, "-m", "cabstand", "ingest", "--dataset", "yellow", "--month", "2024-01"]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *command, "--source", str(source)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout.splitlines()[-1]) / 1024 < LIMIT_MIB
    folder = tmp_path / "home" / "lake"
    assert pq.read_metadata(folder / "trips/yellow/2024-01.parquet").num_rows == ROWS // 2
    assert pq.read_metadata(folder / "quarantine/yellow/2024-01.parquet").num_rows == ROWS // 2
