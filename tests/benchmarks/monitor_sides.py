"""One side of `make bench-monitor`, in a process of its own: compare the columns of two files, ours or Evidently's way.

`python monitor_sides.py ours|evidently REFERENCE CURRENT MONTHS` prints distances, CPU time and peak memory as JSON.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from pyarrow import RecordBatch


def ours(reference: Path, current: Path, months: int) -> dict[str, float | None]:
    """Distances by our definition; later months are the first with every number a little larger."""
    import pyarrow.compute as pc

    from cabstand.jobs.monitoring.rows import of_files
    from cabstand.monitoring.drift import Thresholds, compare
    from cabstand.monitoring.profiles import Batches

    def months_of(path: Path) -> Batches:
        month = of_files([path])

        def read() -> Iterator[RecordBatch]:
            yield from month
            for k in range(1, months):
                for batch in month:
                    larger = [pc.multiply(column, 1 + k / 1_000) for column in batch.columns]
                    yield RecordBatch.from_arrays(larger, names=batch.schema.names)

        return Batches(month.schema, read)

    drift = compare(months_of(reference), months_of(current), Thresholds())
    return {one.column: one.distance for one in drift.columns}


def evidently(reference: Path, current: Path) -> dict[str, float]:
    """Distances of Evidently's DataDriftPreset, as it chooses its methods."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import Report
        from evidently.presets import DataDriftPreset

        before, now = (pd.read_parquet(path) for path in (reference, current))
        found = json.loads(Report([DataDriftPreset()]).run(now, before).json())["metrics"]
    by_column = {one["config"].get("column"): one["value"] for one in found}
    return {name: value for name, value in by_column.items() if name}


def peak_mb() -> float:
    """Peak memory since this program began; `ru_maxrss` would begin with that of the process that started it."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1_024 / 1e6


if __name__ == "__main__":
    files = Path(sys.argv[2]), Path(sys.argv[3])
    told = ours(*files, int(sys.argv[4])) if sys.argv[1] == "ours" else evidently(*files)
    print(json.dumps({"told": told, "cpu_s": time.process_time(), "peak_mb": peak_mb()}))
