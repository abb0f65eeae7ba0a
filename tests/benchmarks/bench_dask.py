"""Clusters on Dask workers and on one machine, and compares: ``make bench-dask`` (about 10 minutes, 6 GiB).

5 million points with two workers and with seven blocks, then 22 million, each worker with 1.5 GB. The labels must be
equal, the driver may rise by 300 MB, no worker may pass its limit, and all processes together may take four times the
CPU time of the one machine; otherwise the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from dbscan_points import nyc_like

EPS_M, MIN_SAMPLES = 50.0, 20
DRIVER_MB = 300e6 / 2**20
WORKER_BYTES = 1.5e9
TIMES_CPU = 4.0  # of the one machine's, all of both commands counted
FILES = 4
CASES = ((5_000_000, ()), (5_000_000, ("--blocks", "7")), (22_000_000, ()))


def write(folder: Path, n: int) -> str:
    """Write pickups with times as some Parquet files; return their glob."""
    points = nyc_like(n)
    at = np.datetime64("2015-01-01", "us") + np.random.default_rng(1).integers(0, 31 * 86_400, n).astype("m8[s]")
    for number, part in enumerate(np.array_split(np.arange(n), FILES)):
        columns = {"pickup_at": at[part].astype("M8[us]"), "pickup_lat": points[part, 0], "pickup_lon": points[part, 1]}
        pq.write_table(pa.table(columns), folder / f"{number}.parquet", row_group_size=1 << 20)
    return str(folder / "*.parquet")


def cluster(folder: Path, uri: str, *options: str) -> dict[str, Any]:
    """Run `cabstand cluster` in a process of its own and return its manifest and the CPU seconds of all it started."""
    command = [sys.executable, "-m", "cabstand", "cluster", "--no-track", "--input", uri, "--eps-m", str(EPS_M)]
    command += ["--min-samples", str(MIN_SAMPLES), *options]
    environment = os.environ | {"CABSTAND_HOME": str(folder / "home")}
    before = children_cpu_s()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    result = json.loads(done.stdout.splitlines()[-1])
    whole = {"whole_cpu_s": children_cpu_s() - before}
    return json.loads(Path(result["manifest_uri"]).read_text()) | result | whole


def children_cpu_s() -> float:
    """Return the CPU seconds of all processes that this one has started and that have ended, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def equal(one: dict[str, Any], many: dict[str, Any]) -> bool:
    """Compare labels, core points and their index; a batch at a time."""
    whole = pq.ParquetFile(one["labels_uri"])
    parts = [pq.ParquetFile(path) for path in sorted(Path(many["labels_uri"]).glob("*.parquet"))]
    if whole.metadata.num_rows != sum(part.metadata.num_rows for part in parts):
        return False
    table = pa.concat_tables([part.read() for part in parts])
    first = 0
    for batch in whole.iter_batches(1 << 20):
        if not pa.Table.from_batches([batch]).equals(
            table.slice(first, len(batch)).replace_schema_metadata(batch.schema.metadata)
        ):
            return False
        first += len(batch)
    return Path(one["index_uri"]).read_bytes() == Path(many["index_uri"]).read_bytes()


def main() -> None:
    """Run the cases and say whether what is promised holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[n for n, _ in CASES])
    sizes = parser.parse_args().sizes
    held = True
    for n in sorted({n for n, _ in CASES if n in sizes}):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            uri = write(folder, n)
            one = cluster(folder, uri, "--engine", "sequential")
            for options in (options for size, options in CASES if size == n):
                memory = ("--worker-memory-gib", str(WORKER_BYTES / 2**30))
                many = cluster(
                    folder, uri, "--engine", "dask:2", *memory, *options, "--out", str(folder / f"out-{len(options)}")
                )
                row = {
                    "n_points": n,
                    "n_blocks": many["n_blocks"],
                    "n_clusters": many["n_clusters"],
                    "equal": equal(one, many),
                    "wall_s": round(many["wall_s"], 1),
                    "cpu_s": round(many["whole_cpu_s"], 1),
                    "times_cpu": round(many["whole_cpu_s"] / one["whole_cpu_s"], 2),
                    "one_mb": round(one["peak_rss_mb"]),
                    "driver_mb": round(many["working_mb"]),
                    "worker_mb": round(many["worker_peak_rss_mb"]),
                }
                row["holds"] = row["equal"] and row["driver_mb"] < DRIVER_MB and row["worker_mb"] < WORKER_BYTES / 2**20
                row["holds"] &= row["times_cpu"] <= TIMES_CPU
                held &= row["holds"]
                print(json.dumps(row), flush=True)
    raise SystemExit(not held)


if __name__ == "__main__":
    main()
